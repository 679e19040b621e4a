import numpy as np
import pytest
from PIL import Image

from wavenet import pictures


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('scale', [1, 3])
def test_the_authors_square(tmp_path, channels, scale):
    levels = np.random.RandomState(0).randint(0, 8, (4, channels, 5, 6))
    path = str(tmp_path / 'grid.png')
    pictures.save_grid(path, levels.astype('f') / 7, scale)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert('RGB'))
    gap = 1 if scale > 1 else 0
    assert pixels.shape == (2 * (5 + gap) * scale, 2 * (6 + gap) * scale, 3)
    pixels = pixels[scale // 2::scale, scale // 2::scale]
    assert not gap or (pixels[5] == 128).all() and (pixels[:, 6] == 128).all()
    for n in range(4):  # down the columns: the first two pictures are on the left
        row, column = n % 2, n // 2
        top, left = row * (5 + gap), column * (6 + gap)
        cell = pixels[top:top + 5, left:left + 6]
        expected = np.floor(levels[n].transpose(1, 2, 0) * 255 / 7 + 0.5)
        assert (cell == expected).all()


@pytest.mark.parametrize('name, format', [('a.png', 'PNG'), ('a.jpg', 'JPEG'), ('a.JPEG', 'JPEG')])
def test_the_ending_says_the_format(tmp_path, name, format):
    pictures.save_grid(str(tmp_path / name), np.zeros((1, 3, 8, 8), 'f'))
    with Image.open(str(tmp_path / name)) as image:
        assert image.format == format


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match='a.gif.*png'):
        pictures.save_grid(str(tmp_path / 'a.gif'), np.zeros((1, 3, 8, 8), 'f'))
    assert not list(tmp_path.iterdir())
