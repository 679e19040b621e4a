import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers import bytes_of
from wavenet import pictures
from wavenet.data.image_files import _read_image, read_amat, read_folder, read_images, read_npz
from wavenet.data.pixels import INTENSITY, luminance
from wavenet.utils import quantize


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
    (pixels, class_ids, class_names), test = read_folder(str(tmp_path))
    assert (pixels == images).all() and pixels.dtype == np.uint8
    assert class_ids.tolist() == [0] * 12 and class_names is None and test is None


def test_subfolders_are_classes_and_gray_joins_colours(tmp_path):
    cats, dogs = bytes_of((2, 1, 4, 4), 0), bytes_of((3, 3, 4, 4), 1)
    write_images(tmp_path / 'cats', cats, '.PNG')
    write_images(tmp_path / 'dogs', dogs)
    pixels, class_ids, class_names = read_folder(tmp_path).train
    assert class_ids.tolist() == [0, 0, 1, 1, 1] and class_names == ('cats', 'dogs')
    assert (pixels[:2] == cats).all() and (pixels[2:] == dogs).all()
    write_images(tmp_path, cats[:1])
    _, class_ids, class_names = read_folder(tmp_path).train
    assert class_ids.tolist() == [0, 1, 1, 2, 2, 2] and class_names == ('', 'cats', 'dogs')


@pytest.mark.parametrize('test_name', ['test', 'Test', 'val', 'valid', 'validation', 'testing'])
def test_folders_of_parts_are_the_split(tmp_path, test_name):
    images = bytes_of((5, 3, 4, 4))
    write_images(tmp_path / 'train', images[:3])
    write_images(tmp_path / test_name, images[3:])
    train, test = read_folder(tmp_path)
    assert (train.pixels == images[:3]).all() and (test.pixels == images[3:]).all()
    assert train.class_names is None and test.class_names is None


def test_folders_of_parts_hold_classes(tmp_path):
    images = bytes_of((6, 3, 4, 4))
    write_images(tmp_path / 'train/b', images[:1])
    write_images(tmp_path / 'train/c', images[1:3])
    write_images(tmp_path / 'test/a', images[3:4])  # a class that only the test images have
    write_images(tmp_path / 'test/c', images[4:])
    train, test = read_folder(tmp_path)
    assert train.class_names == test.class_names == ('a', 'b', 'c')
    assert train.class_ids.tolist() == [1, 2, 2] and test.class_ids.tolist() == [0, 2, 2]
    assert (train.pixels == images[:3]).all() and (test.pixels == images[3:]).all()


def test_a_class_may_be_named_as_a_part(tmp_path):
    for name in ('bus', 'train'):
        write_images(tmp_path / name, bytes_of((2, 3, 4, 4)))
    assert read_folder(tmp_path).train.class_names == ('bus', 'train')


def test_two_folders_of_the_same_part_are_a_mistake(tmp_path):
    for name in ('test', 'train', 'val'):
        write_images(tmp_path / name, bytes_of((2, 3, 4, 4)))
    with pytest.raises(ValueError, match='test and val are both images to test on'):
        read_folder(tmp_path)


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
        return _read_image(path)[0]
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


def test_a_photograph_is_turned_upright(tmp_path):
    image = np.zeros((4, 6, 3), 'u1')
    image[0] = 255                                         # the upper edge is white
    exif = Image.Exif()
    exif[0x0112] = 6                                       # the camera was turned by 90 degrees
    turned = Image.fromarray(image).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / 'turned.png', exif=exif)
    read = read_images([tmp_path / 'turned.png'], 3)[0]
    assert (read == image.transpose(2, 0, 1) / 255).all()


def png_of_16_bits(path, image):
    """Writes a PNG file of 16 bits from uint16 (H, W) or (H, W, 3). Pillow cannot write colours."""
    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', check)

    height, width = image.shape[:2]
    header = struct.pack('>IIBBBBB', width, height, 16, 2 if image.ndim == 3 else 0, 0, 0, 0)
    rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in image)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
                     + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
    return path


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_16_bits_are_refused_in_gray_and_in_colour(tmp_path, shape):
    path = png_of_16_bits(tmp_path / 'image.png', np.arange(np.prod(shape)).reshape(shape) * 999)
    with pytest.raises(ValueError, match='image.png.*more than 8 bits per channel: save it with 8'):
        read_images([path], 1)
    maximum = 65535
    samples = np.zeros(shape, '>u2').tobytes()
    kind = 5 if len(shape) == 2 else 6
    (tmp_path / 'image.ppm').write_bytes(f'P{kind} 5 4 {maximum}\n'.encode() + samples)
    with pytest.raises(ValueError, match='image.ppm.*more than 8 bits'):
        read_images([tmp_path / 'image.ppm'], 1)


def test_transparency_is_said_once(tmp_path, capsys):
    for n in range(3):
        Image.new('RGBA', (4, 4), (9, 9, 9, 0 if n else 255)).save(tmp_path / f'{n}.png')
    read_folder(tmp_path)
    assert capsys.readouterr().err.endswith('transparent pixels become white, in 2 of 3 images\n')
    (tmp_path / '1.png').unlink()
    (tmp_path / '2.png').unlink()
    read_folder(tmp_path)
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('levels', range(2, 257))
def test_generated_images_are_read_as_their_levels(tmp_path, levels):
    image = np.arange(256).reshape(1, 1, 1, 16, 16) % levels
    path = str(tmp_path / 'image.png')
    pictures.save(path, image / (levels - 1), levels=levels)
    assert (quantize(read_images([path], 1), levels) == image[0]).all()


def test_levels_are_said_only_where_each_pixel_is_one(tmp_path):
    cells, path = np.zeros((1, 2, 3, 4, 4)), str(tmp_path / 'image.png')
    pictures.save(path, cells, scale=2, levels=4)
    assert pictures.LEVELS not in Image.open(path).info
    pictures.save(path, cells, levels=4)
    assert Image.open(path).info[pictures.LEVELS] == '4'
    image = Image.open(path)
    for text in ('1', '257', 'many', '-3'):                # somebody else's: it is not used
        info = PngInfo()
        info.add_text(pictures.LEVELS, text)
        image.save(path, pnginfo=info)
        assert (read_images([path], 3) == 0).all()


# Larochelle's files

def test_an_amat_file(tmp_path):
    (tmp_path / 'a.amat').write_text('0 1 1 0\n1 0 0 1\n1 1 1 1')
    pixels, class_ids, class_names = read_amat(tmp_path / 'a.amat')
    assert pixels.tolist() == [[[[0, 255], [255, 0]]], [[[255, 0], [0, 255]]], [[[255] * 2] * 2]]
    assert class_ids.tolist() == [0] * 3 and class_names is None


@pytest.mark.parametrize('text', ['', '0 1 1\n', '0 1 1 0\n1 0\n', '0 1 1 2\n', '0.5 1 1 0\n'])
def test_another_text_is_not_an_amat_file(tmp_path, text):
    (tmp_path / 'a.amat').write_text(text)
    with pytest.raises(ValueError, match='a.amat: it must have a line of 0 and 1'):
        read_amat(tmp_path / 'a.amat')


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
    assert test is None and train.class_names is None
    np.savez(path, test_x=x)
    train, test = read_npz(path)
    assert train is None and (test.pixels == expected).all()


def test_class_names_and_keras_names(tmp_path):
    x, path = bytes_of((4, 5, 6)), str(tmp_path / 'images.npz')
    np.savez(path, x_train=x[:2], y_train=[0, 1], x_test=x[2:], y_test=[[1], [1]],
             class_names=['cat', 'dog', 'bird'])
    train, test = read_npz(path)
    assert train.class_names == test.class_names == ('cat', 'dog', 'bird')
    assert (test.pixels[:, 0] == x[2:]).all() and test.class_ids.tolist() == [1, 1]
    np.savez(path, train_x=x, train_y=[3, 1, 1, 0])
    assert read_npz(path).train.class_names == ('0', '1', '2', '3')
    for names in (['a', 'b'], ['a', 'b', 'b', 'c'], [1, 2, 3, 4]):
        np.savez(path, train_x=x, train_y=[3, 1, 1, 0], class_names=names)
        with pytest.raises(ValueError, match='class_names must be a text for each of its 4'):
            read_npz(path)


@pytest.mark.parametrize('shape, axes, expected', [
    ((2, 3, 5, 3), 'NCHW', (2, 3, 5, 3)), ((2, 3, 5, 3), 'NHWC', (2, 3, 3, 5)),
    ((2, 1, 5, 1), 'NHWC', (2, 1, 1, 5)), ((8, 5, 3), 'NHW', (8, 1, 5, 3))])
def test_a_shape_that_can_be_read_in_two_ways(tmp_path, shape, axes, expected):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=bytes_of(shape))
    with pytest.raises(ValueError, match='can be read in two ways'):
        read_npz(path)
    np.savez(path, train_x=bytes_of(shape), axes=axes)
    assert read_npz(path).train.pixels.shape == expected
    np.savez(path, train_x=bytes_of(shape), axes='NWH')
    with pytest.raises(ValueError, match="its axes are 'NWH'"):
        read_npz(path)


@pytest.mark.parametrize('arrays, named', [
    (dict(x=np.zeros((2, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((2, 4, 4))), 'float64'),
    (dict(train_x=np.zeros((2, 2, 4, 4), 'u1')), r'\(2, 2, 4, 4\)'),
    (dict(train_x=np.zeros((0, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), test_x=np.zeros((2, 4, 4))), 'test_x.*float64'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.zeros(3, 'i')), 'train_y'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, -1])), 'train_y .* from 0 on'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, 2 ** 40])), 'train_y'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, 2 ** 30])), 'below 65536')])
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
