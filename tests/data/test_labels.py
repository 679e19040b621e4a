"""Files whose values are labels, not intensities."""
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers import bytes_of
from wavenet.data.image_files import read_amat, read_image_file, read_images, read_npz
from wavenet.data.images import ImageDataset
from wavenet.data.load import load_dataset, load_images


def read(path):
    return read_image_file(str(path), labels=True).pixels


def test_values_of_an_image_are_the_labels(tmp_path):
    gray = bytes_of((6, 7)) % 13
    colours = bytes_of((6, 7, 3), 1) % 13
    deep = (np.arange(42).reshape(6, 7) * 1500).astype('u2')
    for name, array, dtype in (('gray', gray, 'u1'), ('colours', colours, 'u1'),
                               ('deep', deep, 'u2')):
        for ending in ('.png', '.tif'):
            path = tmp_path / (name + ending)
            Image.fromarray(array).save(path)
            labels = read(path)
            expected = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
            assert labels.dtype == dtype and (labels[0] == expected).all(), path


def test_labels_of_a_palette_are_the_numbers_of_its_colours(tmp_path):
    numbers = bytes_of((6, 7)) % 5
    for ending in ('.png', '.gif', '.bmp'):
        image = Image.fromarray(numbers)
        image = image.convert('P')
        image.putdata(numbers.ravel())
        image.putpalette([number * 37 % 256 for number in range(768)])
        image.save(tmp_path / f'image{ending}', **({'optimize': False} if ending == '.gif' else {}))
        assert (read(tmp_path / f'image{ending}') == numbers).all()


def test_black_and_white_are_the_labels_0_and_1(tmp_path):
    white = bytes_of((6, 7)) > 127
    Image.fromarray(white).save(tmp_path / 'image.png')
    assert (read(tmp_path / 'image.png') == white).all()
    (tmp_path / 'image.amat').write_text('0 1 1 0\n1 1 0 0\n')
    assert read_amat(tmp_path / 'image.amat').pixels.max() == 255
    train, test = load_dataset(str(tmp_path / 'image.amat'), 1, 2, labels=True)
    assert sorted(train.targets.ravel().tolist() + test.targets.ravel().tolist()) \
        == [0] * 4 + [1] * 4


@pytest.mark.parametrize('mode, ending, reason', [
    ('RGB', '.jpg', 'JPEG does not keep labels'), ('L', '.jpg', 'JPEG does not keep labels'),
    ('RGBA', '.png', 'not RGBA'), ('F', '.tif', 'not F')])
def test_an_image_that_holds_no_labels_is_refused(tmp_path, mode, ending, reason):
    path = tmp_path / f'image{ending}'
    Image.new(mode, (4, 4)).save(path)
    with pytest.raises(ValueError, match=f'image{ending}: .*{reason}'):
        read(path)


@pytest.mark.parametrize('dtype', ['?', 'u1', 'u2', 'i4', 'i8', '>u2'])
def test_whole_numbers_of_any_type_are_labels(tmp_path, dtype):
    most = 65535 if np.dtype(dtype).itemsize > 1 else 255
    labels = (bytes_of((20, 4, 5)).astype(int) * most // 255).astype(dtype)
    np.savez(tmp_path / 'labels.npz', train_x=labels)
    pixels = read_npz(tmp_path / 'labels.npz', labels=True).train.pixels
    assert (pixels[:, 0] == labels).all()
    assert pixels.dtype == ('u2' if labels.max() > 255 else 'u1')


def test_labels_are_the_targets_as_they_are():
    labels = np.random.RandomState(0).randint(0, 60000, (5, 3, 4, 5)).astype('u2')
    dataset = ImageDataset(labels, np.zeros(5, int), 3, 60000, labels=True)
    x, targets, _ = dataset.batch([4, 1])
    assert (targets == labels[[4, 1]]).all() and targets.dtype == np.int32
    assert (x == labels[[4, 1]].astype('f') / 59999).all() and x.dtype == np.float32
    with pytest.raises(ValueError, match='3 channels'):
        ImageDataset(labels, np.zeros(5, int), 1, 60000, labels=True)


def test_labels_of_a_data_set(tmp_path):
    labels = np.random.RandomState(0).randint(0, 300, (20, 3, 4, 5))
    labels[:, 0, 0, 0] = 299
    path = str(tmp_path / 'labels.npz')
    np.savez(path, train_x=labels[:15], test_x=labels[15:])
    train, test = load_dataset(path, 3, 300, labels=True)
    assert (train.targets == labels[:15]).all() and (test.targets == labels[15:]).all()
    assert (load_images(path, 3, 300, labels=True).targets == labels[15:]).all()
    for wrong, reason in (((3, 299), 'its largest label'), ((1, 300), '--channels 3')):
        for load in (load_dataset, load_images):
            with pytest.raises(ValueError, match=f'labels.npz: .*{reason}'):
                load(path, *wrong, labels=True)
    for levels in (1, 65537):
        with pytest.raises(ValueError, match='2 to 65536'):
            load_dataset(path, 3, levels, labels=True)
    with pytest.raises(ValueError, match='not binarized'):
        load_dataset(path, 3, 300, binarize=True, labels=True)


def test_digits_have_17_labels():
    train, _ = load_dataset('digits', 1, 17, labels=True)
    assert train.targets.min() == 0 and train.targets.max() == 16
    assert train.describe() == '1,500 images of 8×8 (grayscale, labels 0 to 16)'


def test_images_to_complete(tmp_path):
    labels = np.arange(20).reshape(4, 5) * 3000
    Image.fromarray(labels.astype('u2')).save(tmp_path / 'image.png')
    x = read_images([tmp_path / 'image.png'], 1, labels_of=65536)
    assert (np.rint(x[0, 0] * 65535) == labels).all()
    with pytest.raises(ValueError, match='image.png: its largest label is 57000'):
        read_images([tmp_path / 'image.png'], 1, labels_of=57000)


@pytest.mark.parametrize('levels, dtype', [(2, 'u1'), (256, 'u1'), (257, 'u2'), (1000, 'u2'),
                                           (65536, 'u2')])
def test_levels_that_a_png_says_it_shows_are_its_labels(tmp_path, levels, dtype):
    labels = np.append(np.random.RandomState(0).randint(0, levels, 41), levels - 1).reshape(6, 7)
    white = np.iinfo(dtype).max
    shown = np.rint(labels / (levels - 1) * white).astype(dtype)
    text = PngInfo()
    text.add_text('wavenet:levels', str(levels))
    text.add_text('wavenet:scale', '3')
    Image.fromarray(shown.repeat(3, axis=0).repeat(3, axis=1)).save(
        tmp_path / 'image.png', pnginfo=text)
    assert (read(tmp_path / 'image.png') == labels).all()
    text.add_text('wavenet:levels', str(white + 2))
    if dtype == 'u1':
        Image.fromarray(shown).save(tmp_path / 'image.png', pnginfo=text)
        with pytest.raises(ValueError, match='257 levels with 8 bits'):
            read(tmp_path / 'image.png')
