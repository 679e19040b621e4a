import numpy as np
import pytest
from PIL import Image

from helpers import bytes_of
from wavenet.data.image_files import _read_image, read_folder, read_images, read_npz
from wavenet.data.pixels import INTENSITY, luminance


def write_images(folder, images, ending='.png'):
    """Writes uint8 (N, C, H, W) as files. Returns: their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{n:03}{ending}' for n in range(len(images))]
    for path, image in zip(paths, images):
        Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(path)
    return paths


# Folders

def test_a_folder_of_images(tmp_path):
    images = bytes_of((12, 3, 4, 6))
    write_images(tmp_path, images)
    for name in ('notes.txt', '.hidden.png'):
        (tmp_path / name).write_text('not an image')
    (tmp_path / 'empty').mkdir()
    pixels, class_ids = read_folder(str(tmp_path))
    assert (pixels == images).all() and pixels.dtype == np.uint8
    assert class_ids.tolist() == [0] * 12


def test_subfolders_are_classes_and_gray_joins_colours(tmp_path):
    cats, dogs = bytes_of((2, 1, 4, 4), 0), bytes_of((3, 3, 4, 4), 1)
    write_images(tmp_path / 'cats', cats, '.PNG')
    write_images(tmp_path / 'dogs', dogs)
    pixels, class_ids = read_folder(tmp_path)
    assert class_ids.tolist() == [0, 0, 1, 1, 1]
    assert (pixels[:2] == cats).all() and (pixels[2:] == dogs).all()
    write_images(tmp_path, cats[:1])
    assert read_folder(tmp_path).class_ids.tolist() == [0, 1, 1, 2, 2, 2]


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match='no image files'):
        read_folder(tmp_path)
    write_images(tmp_path, bytes_of((3, 3, 4, 4)))
    write_images(tmp_path / 'larger', bytes_of((1, 3, 5, 4)))
    with pytest.raises(ValueError, match='larger.*one size.*4×5.*4×4'):
        read_folder(tmp_path)
    (tmp_path / '001.png').write_bytes(b'not an image')
    with pytest.raises(ValueError, match='001.png'):
        read_folder(tmp_path)


# Single files

@pytest.mark.parametrize('colours', [1, 3])
@pytest.mark.parametrize('channels', [1, 3])
def test_images_are_read_with_the_channels_of_a_model(tmp_path, colours, channels):
    images = bytes_of((2, colours, 4, 6))
    read = read_images(write_images(tmp_path, images), channels)
    assert read.dtype == np.float32 and read.shape == (2, channels, 4, 6)
    assert (read == INTENSITY[luminance(images) if channels < colours else images]).all()


def test_kinds_of_images(tmp_path):
    def read(image, name='image.png'):
        path = str(tmp_path / name)
        image.save(path)
        return _read_image(path)
    gray = bytes_of((4, 4))
    assert (read(Image.fromarray(gray)) == gray).all()
    assert (read(Image.fromarray(gray > 127)) == (gray > 127) * 255).all()
    palette = Image.fromarray(bytes_of((4, 4, 3))).quantize(4)
    expected = np.asarray(palette.convert('RGB')).transpose(2, 0, 1)
    assert (read(palette) == expected).all()
    # What is transparent becomes white
    alpha = Image.fromarray(np.stack([gray, np.full_like(gray, 255)], axis=2), 'LA')
    assert (read(alpha) == gray).all()
    assert (read(Image.new('RGBA', (4, 4), (9, 9, 9, 0))) == 255).all()
    for array in (gray.astype('u2') * 257, gray.astype('i4'), gray.astype('f')):
        with pytest.raises(ValueError, match='image.tif.*8 bits'):
            read(Image.fromarray(array), 'image.tif')


# .npz files

@pytest.mark.parametrize('shape', [
    (4, 5, 6), (4, 1, 5, 6), (4, 3, 5, 6), (4, 5, 6, 3), (4, 5, 6, 1)])
def test_an_npz_of_images(tmp_path, shape):
    x = bytes_of(shape)
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=x, train_y=np.arange(4), test_x=x[:1])
    train, test = read_npz(path)
    expected = x.transpose(0, 3, 1, 2) if len(shape) == 4 and shape[1] == 5 \
        else x.reshape(4, -1, 5, 6)
    assert train.pixels.shape == expected.shape and (train.pixels == expected).all()
    assert (test.pixels == expected[:1]).all()
    assert train.class_ids.tolist() == [0, 1, 2, 3] and test.class_ids.tolist() == [0]
    np.savez(path, train_x=x)
    train, test = read_npz(path)
    assert (train.pixels == expected).all() and train.class_ids.tolist() == [0] * 4
    assert test is None


@pytest.mark.parametrize('arrays, named', [
    (dict(x=np.zeros((2, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((2, 4, 4))), 'float64'),
    (dict(train_x=np.zeros((2, 2, 4, 4), 'u1')), r'\(2, 2, 4, 4\)'),
    (dict(train_x=np.zeros((0, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), test_x=np.zeros((2, 4, 4))), 'test_x.*float64'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.zeros(3, 'i')), 'train_y'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, -1])), 'train_y .* from 0 on'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, 2 ** 40])), 'train_y')])
def test_what_is_wrong_with_an_npz_is_named(tmp_path, arrays, named):
    path = str(tmp_path / 'images.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=named):
        read_npz(path)


def test_nothing_is_unpickled(tmp_path):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=np.array([None, {}], object))
    with pytest.raises(ValueError, match='train_x is not a plain array'):
        read_npz(path)
