"""Data sets by name or path: `load_dataset` gives the training and the test images."""
import os
from pathlib import Path

import numpy as np

from wavenet.data import downloads
from wavenet.data.image_files import read_folder, read_npz
from wavenet.data.images import ImageDataset, Images
from wavenet.utils import check_levels

DOWNLOADS = {'mnist': downloads.mnist, 'cifar10': downloads.cifar10, 'cifar': downloads.cifar10}
DATASETS = ('digits', *DOWNLOADS)
NUM_CLASSES = 10  # of each of them

DIGITS = Path(__file__).with_name('digits.npz')
DIGITS_TRAIN = 1500  # the first of the 1,797 digits are for training


def load_dataset(source, channels=3, levels=2, data=None, binarize=False, seed=0,
                 test_limit=None, *, dataset_class=ImageDataset):
    """Loads the training and the test images of a data set.

    Args:
        source: 'digits', 'mnist', 'cifar10' (or 'cifar'), or the path of your own images: a folder
            of image files, whose subfolders are classes (`image_files.read_folder`), or an .npz
            file (`image_files.read_npz`). Every tenth image is held out for testing, unless the
            .npz holds `test_x`.
        channels: 3 or 1. Grayscale is copied to three channels; RGB becomes its luminance.
        levels: number of values a channel of a pixel can take, 2 to 256.
        data: folder with the files of mnist or cifar10; by default, they are downloaded.
        binarize: sample each pixel, black or white, with its intensity as the probability of white.
            This needs 2 levels.
        seed: whole number, for this sampling.
        test_limit: number of test images to keep, the first ones; by default, all.
        dataset_class: `ImageDataset`, or a class with the same arguments and methods.

    Returns: the training and the test images, two objects of `dataset_class`.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    check_levels(levels)
    if channels not in (1, 3):
        raise ValueError(f'channels must be 1 or 3, got {channels}')
    if binarize and levels != 2:
        raise ValueError(f'binarized images have 2 levels, not {levels}')
    train, test = _read(source, data)
    _check_sizes(source, train, test)
    # From all images, before the limit, so that a limit does not change the model
    num_classes = max(NUM_CLASSES if source in DATASETS else 1,
                      1 + int(train.class_ids.max()), 1 + int(test.class_ids.max()))
    test = Images(*(array[:test_limit] for array in test))
    options = dict(channels=channels, levels=levels, binarize=binarize, num_classes=num_classes)
    return (dataset_class(*train, seed=(seed, 0), **options),
            dataset_class(*test, seed=(seed, 1), **options))


def _read(source, data):
    """The training and the test images of a source, each `Images`."""
    if data is not None and source not in DOWNLOADS:
        raise ValueError('--data is for mnist and cifar10; for your own images, give their path as '
                         'the dataset')
    if source == 'digits':
        return _read_digits()
    if source in DOWNLOADS:
        return DOWNLOADS[source](data)
    if os.path.isdir(source):
        return _hold_out(read_folder(source))
    if os.path.isfile(source):
        train, test = read_npz(source)
        return _hold_out(train) if test is None else (train, test)
    raise ValueError(f'unknown dataset {source!r}: give one of {", ".join(DATASETS)}, or the path '
                     'of a folder of images or of an .npz')


def _read_digits():
    """The embedded digits (see README.md beside this file)."""
    with np.load(DIGITS) as npz:
        images = (npz['images'] * 255.0 / 16 + 0.5).astype('u1')  # from {0, …, 16} to bytes
        class_ids = npz['classes']
    return (Images(images[:DIGITS_TRAIN], class_ids[:DIGITS_TRAIN]),
            Images(images[DIGITS_TRAIN:], class_ids[DIGITS_TRAIN:]))


def _hold_out(images):
    """Splits `Images`: every tenth is for testing, or the last one of fewer than ten."""
    count = len(images.pixels)
    if count < 2:
        raise ValueError(f'at least 2 images are needed, got {count}')
    test = np.arange(count) % 10 == min(9, count - 1)
    return Images(*(array[~test] for array in images)), Images(*(array[test] for array in images))


def _check_sizes(source, train, test):
    """Raises ValueError unless there are training and test images, all of one size."""
    shapes = train.pixels.shape[1:], test.pixels.shape[1:]               # (C, H, W)
    if not train.pixels.size or not test.pixels.size or shapes[0] != shapes[1]:
        raise ValueError(
            f'{source}: there must be training and test images, all of one size and with the same '
            f'channels; there are {len(train.pixels)} training images of shape {shapes[0]} and '
            f'{len(test.pixels)} test images of shape {shapes[1]}')


# What loads each kind of data set. A family names its kind, see `wavenet.families.family.Family`.
LOADERS = {'images': load_dataset}
