"""--size, and conversions of a data set in parts."""
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from helpers import check_error
from wavenet import devices, serialization
from wavenet.data import image_files, pixels
from wavenet.data.images import ImageDataset
from wavenet.data.load import read


@pytest.mark.parametrize('height, width', [(40, 60), (60, 40), (20, 30)])
def test_the_middle_is_kept(height, width):
    """It has another colour than the rest; rounding and overshoot show at its border only."""
    image = np.zeros((height, width, 3), 'u1')
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image[top:top + side, left:left + side] = [200, 100, 50]
    resized = pixels.resize(image, 20)
    assert resized.shape == (20, 20, 3)
    assert abs(resized[3:-3, 3:-3].astype(int) - [200, 100, 50]).max() < 2


def test_the_mean_is_kept():
    image = np.random.RandomState(0).randint(0, 256, (96, 96)).astype('u1')
    resized = pixels.resize(image, 12)
    means = image.reshape(12, 8, 12, 8).mean(axis=(1, 3))
    assert abs(resized - means).mean() < 8 < abs(resized - means[::-1]).mean()
    assert (pixels.resize(image, 96) == image).all()


@pytest.fixture
def photographs(tmp_path):
    """A folder of six photographs of different sizes, in colour and in gray."""
    folder = tmp_path / 'photographs'
    folder.mkdir()
    for n in range(6):
        shape = (30 + n, 40 - n) if n % 2 else (30 + n, 50 + n, 3)
        values = np.random.RandomState(n).randint(0, 256, shape).astype('u1')
        Image.fromarray(values).save(folder / f'{n}.png')
    return folder


def test_photographs_of_different_sizes(command, photographs, tmp_path):
    options = ['train.py', '--dataset', 'photographs', '-d', 2, '-n', 1, '--batchsize', 2,
               '--iteration', 1]
    check_error(command(*options), '--size N')
    result = command(*options, '--size', 8)
    assert result.returncode == 0, result.stderr
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert (about['height'], about['width'], about['size']) == (8, 8, 8)
    # What measures the model makes its images as large
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset',
                     'photographs')
    assert result.returncode == 0 and ': 1, 8×8, RGB' in result.stdout
    part = read(str(photographs), size=8).train
    expected = pixels.resize(np.asarray(Image.open(photographs / '2.png')), 8)
    assert (part.pixels[2] == expected.transpose(2, 0, 1)).all()


def test_arrays_are_resized_too(tmp_path):
    images = np.random.RandomState(0).randint(0, 256, (3, 24, 16, 3)).astype('u1')
    np.savez(tmp_path / 'a.npz', train_x=images, test_x=images[:1])
    part = read(str(tmp_path / 'a.npz'), size=8).train
    assert part.pixels.shape == (3, 3, 8, 8)
    for image, resized in zip(images, part.pixels):
        assert abs(pixels.resize(image, 8).transpose(2, 0, 1).astype(int) - resized).max() <= 1


def test_labels_are_not_resized(command):
    check_error(command('train.py', '--dataset', 'digits', '--labels', '--levels', 17, '--size', 4),
                '--size 4', 'labels')


def test_more_images_than_fit_are_refused_after_the_first(photographs, monkeypatch):
    monkeypatch.setattr(devices, 'memory_limit', lambda device=None: (20000, 'this machine has'))
    read_one = []
    monkeypatch.setattr(image_files, '_read_image',
                        lambda *args: read_one.append(args) or (np.zeros((3, 100, 100), 'u1'), 0))
    with pytest.raises(MemoryError, match='6 images of 100×100 would need .*--size N'):
        read(str(photographs))
    assert len(read_one) == 1


@pytest.mark.parametrize('channels, levels', [(1, 4), (3, 4), (3, 256)])
def test_a_data_set_needs_little_more_memory_than_its_images(monkeypatch, channels, levels):
    images = np.random.RandomState(0).randint(0, 256, (300, 3, 100, 100)).astype('u1')
    monkeypatch.setattr(pixels, 'PART', 10 ** 5)
    tracemalloc.start()
    dataset = ImageDataset(images, np.zeros(300), channels, levels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * images.nbytes
    monkeypatch.setattr(pixels, 'PART', 10 ** 9)
    at_once = ImageDataset(images, np.zeros(300), channels, levels)
    assert (dataset.targets == at_once.targets).all()
