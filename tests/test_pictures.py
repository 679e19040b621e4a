import numpy as np
import pytest
from PIL import Image

from wavenet import pictures
from wavenet.data.image_files import read_image_file


def pixels(path):
    with Image.open(str(path)) as image:
        return np.asarray(image.convert('RGB'))


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('scale', [1, 3])
def test_the_authors_square(tmp_path, channels, scale):
    levels = np.random.RandomState(0).randint(0, 8, (4, channels, 5, 6))
    path = str(tmp_path / 'grid.png')
    pictures.save(path, pictures.square(levels.astype('f') / 7), scale)
    image = pixels(path)
    gap = 1 if scale > 1 else 0
    assert image.shape == (2 * (5 + gap) * scale, 2 * (6 + gap) * scale, 3)
    image = image[scale // 2::scale, scale // 2::scale]
    assert not gap or (image[5] == 128).all() and (image[:, 6] == 128).all()
    for n in range(4):  # down the columns: the first two images are on the left
        row, column = n % 2, n // 2
        top, left = row * (5 + gap), column * (6 + gap)
        expected = np.floor(levels[n].transpose(1, 2, 0) * 255 / 7 + 0.5)
        assert (image[top:top + 5, left:left + 6] == expected).all()


@pytest.mark.parametrize('scale', [1, 3])
@pytest.mark.parametrize('levels', [2, 13, 256, 257, 1000, 40503, 65536])
def test_levels_are_read_again(tmp_path, levels, scale):
    shown = np.linspace(0, levels - 1, 256 * 256).astype(int).reshape(256, 256)   # all of them
    path = str(tmp_path / 'a.png')
    cells = (shown[None, None, None].astype('f') / (levels - 1)).astype('f')
    pictures.save(path, cells, scale, levels)
    with Image.open(path) as image:
        assert image.mode == ('I;16' if levels > 256 else 'RGB')
        assert image.size == (256 * scale, 256 * scale)
    assert (read_image_file(path, labels=True).pixels == shown).all()


def test_levels_that_are_lost_are_not_read(tmp_path):
    cells = np.zeros((1, 1, 3, 4, 5), 'f')
    pictures.save(str(tmp_path / 'colours.png'), cells, levels=257)
    with pytest.raises(ValueError, match='257 levels with 8 bits'):
        read_image_file(str(tmp_path / 'colours.png'), labels=True)
    # Lines and JPEG are for looking at
    pictures.save(str(tmp_path / 'lines.png'), cells[:, :, :1], 2, levels=257, lines=True)
    pictures.save(str(tmp_path / 'a.jpg'), cells[:, :, :1], levels=257)
    for name in ('lines.png', 'a.jpg'):
        with Image.open(tmp_path / name) as image:
            assert image.mode == 'RGB' and pictures.LEVELS not in image.info


@pytest.mark.parametrize('name, format', [('a.png', 'PNG'), ('a.jpg', 'JPEG'), ('a.JPEG', 'JPEG')])
def test_the_ending_says_the_format(tmp_path, name, format):
    pictures.save(str(tmp_path / name), np.zeros((1, 1, 3, 8, 8), 'f'))
    with Image.open(str(tmp_path / name)) as image:
        assert image.format == format


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match='a.gif.*png'):
        pictures.save(str(tmp_path / 'a.gif'), np.zeros((1, 1, 3, 8, 8), 'f'))
    with pytest.raises(ValueError, match='a.png.*gif'):
        pictures.save_animation(str(tmp_path / 'a.png'), np.zeros((1, 1, 3, 8, 8), 'f'))
    assert not list(tmp_path.iterdir())


def test_a_row_of_completions():
    originals = np.random.RandomState(0).rand(2, 1, 4, 5).astype('f')
    samples = np.random.RandomState(1).rand(6, 1, 4, 5).astype('f')
    before = originals.copy()
    cells = pictures.completions(originals, samples, np.arange(4)[:, None] + np.zeros((4, 5)) < 3)
    assert cells.shape == (2, 5, 1, 4, 5)
    assert (cells[:, 0] == originals).all() and (originals == before).all()
    assert (cells[:, 1, :, :3] == originals[:, :, :3]).all() and (cells[:, 1, :, 3:] == 0.5).all()
    assert (cells[1, 2:] == samples[3:]).all()


def read_animation(path):
    """The frames as one array (N, height, width), and their duration in milliseconds."""
    with Image.open(path) as animation:
        frames = []
        for n in range(animation.n_frames):
            animation.seek(n)
            frames.append(np.asarray(animation.convert('L')).astype(int))
        return np.array(frames), animation.info['duration']


def test_an_animation_fills_the_images_row_by_row(tmp_path):
    cells = np.random.RandomState(0).randint(0, 2, (1, 2, 1, 3, 4)).astype('f')
    path = str(tmp_path / 'animation.gif')
    pictures.save_animation(path, cells)
    frames, duration = read_animation(path)
    assert len(frames) == 3 * 4 + 1 and duration == 80    # a GIF counts hundredths of a second
    final = np.concatenate(cells[0, :, 0] * 255, axis=1)
    assert abs(frames[0] - 128).max() < 4 and abs(frames[-1] - final).max() < 4
    assert abs(frames[4][0] - final[0]).max() < 4 and abs(frames[4][1:] - 128).max() < 4


def test_an_animation_of_large_images_has_61_frames(tmp_path):
    cells = np.random.RandomState(0).rand(1, 1, 3, 20, 30)
    path = str(tmp_path / 'animation.gif')
    pictures.save_animation(path, cells)
    assert len(read_animation(path)[0]) == 61


def test_an_animation_of_completions_starts_with_what_is_given(tmp_path):
    cells = np.random.RandomState(0).randint(0, 2, (1, 3, 1, 3, 4)).astype('f')
    path = str(tmp_path / 'animation.gif')
    pictures.save_animation(path, cells, kept=np.arange(3)[:, None] + np.zeros((3, 4)) < 2)
    frames, _ = read_animation(path)
    assert len(frames) == 4 + 1
    first, final = frames[0], np.concatenate(cells[0, :, 0] * 255, axis=1)
    assert abs(first[:, :8] - final[:, :8]).max() < 4     # the original, and what is kept of it
    assert abs(first[:2, 8:] - final[:2, 8:]).max() < 4 and abs(first[2, 8:] - 128).max() < 4


def test_the_same_cells_give_the_same_bytes(tmp_path):
    cells = np.random.RandomState(0).rand(2, 3, 3, 4, 5)
    for name in ('1.png', '2.png'):
        pictures.save(str(tmp_path / name), cells, scale=2)
    for name in ('1.gif', '2.gif'):
        pictures.save_animation(str(tmp_path / name), cells, scale=2)
    for ending in ('png', 'gif'):
        assert (tmp_path / f'1.{ending}').read_bytes() == (tmp_path / f'2.{ending}').read_bytes()
