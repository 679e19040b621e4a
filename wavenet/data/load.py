"""Data sets by a name or a path: `load_dataset` gives the training and the test images."""
import os

import numpy as np

from wavenet.data import downloads
from wavenet.data.image_files import read_folder
from wavenet.data.images import ImageDataset
from wavenet.storage.npz import IMAGES_RATIO, open_npz
from wavenet.utils import check_levels

NAMES = ('digits', 'mnist', 'cifar10', 'cifar')
CLASSES = 10  # of each of them
DIGITS = os.path.join(os.path.dirname(__file__), 'digits.npz')
DIGITS_TRAIN = 1500  # the first of the 1,797 are for training


def load_dataset(source, channels=3, levels=2, data=None, binarize=False, seed=0, test_limit=None):
    """The training and the test images of a name or a path.

    Args:
        source: 'digits', 'mnist', 'cifar10' (or 'cifar'), or the path of your own images: a folder
            of image files (its subfolders are classes) or an .npz (`train_x`, uint8 (N, H, W),
            (N, C, H, W) or (N, H, W, C); optionally `train_y`, `test_x`, `test_y`). Without images
            for testing, every tenth is kept for it.
        channels: 3 or 1. Grayscale is copied three times; colours become their luminance.
        levels: values a pixel can take, 2 to 256.
        data: folder with the files of mnist or cifar10.
        binarize: draw each pixel, black or white, with its intensity as the probability of white.
        seed: of those draws.
        test_limit: keep that many test images only.

    Returns: (train, test), each an `ImageDataset`.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    check_levels(levels)
    if channels not in (1, 3):
        raise ValueError('channels must be 1 or 3, got {}'.format(channels))
    if binarize and levels != 2:
        raise ValueError('binarized images have 2 levels, not {}'.format(levels))
    if data is not None and source not in ('mnist', 'cifar10', 'cifar'):
        raise ValueError('--data is for mnist and cifar10: give a path of your own as the dataset')
    train, test = _read(source, data)
    if not train[0].size or not test[0].size or train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError('{}: there must be images to train and to test on, of one size, not {} of '
                         '{} and {} of {}'.format(source, len(train[0]), train[0].shape[1:],
                                                  len(test[0]), test[0].shape[1:]))
    class_count = max(CLASSES if source in NAMES else 1, 1 + int(train[1].max()),
                      1 + int(test[1].max()))
    test = [array[:test_limit] for array in test]
    options = dict(channels=channels, levels=levels, binarize=binarize, class_count=class_count)
    return (ImageDataset(*train, seed=(seed, 0), **options),
            ImageDataset(*test, seed=(seed, 1), **options))


def _read(source, data):
    """((images, classes) for training, the same for testing); images uint8 (N, C, H, W)."""
    if source == 'digits':
        with np.load(DIGITS) as npz:
            # 0, …, 16 inked pixels → 0, …, 255
            images, classes = (npz['images'] * 255.0 / 16 + 0.5).astype('u1'), npz['classes']
        return ((images[:DIGITS_TRAIN], classes[:DIGITS_TRAIN]),
                (images[DIGITS_TRAIN:], classes[DIGITS_TRAIN:]))
    if source == 'mnist':
        return downloads.mnist(data)
    if source in ('cifar10', 'cifar'):
        return downloads.cifar10(data)
    if os.path.isdir(source):
        return _hold_out(*read_folder(source))
    if os.path.isfile(source):
        return _read_npz(source)
    raise ValueError('unknown dataset {!r}: give one of {}, or the path of a folder of images or '
                     'of an .npz'.format(source, ', '.join(NAMES)))


def _hold_out(images, classes):
    """Every tenth image is for testing; of fewer than ten, the last."""
    if len(images) < 2:
        raise ValueError('at least 2 images are needed, got {}'.format(len(images)))
    test = np.arange(len(images)) % 10 == min(9, len(images) - 1)
    return (images[~test], classes[~test]), (images[test], classes[test])


def _read_npz(path):
    with open_npz(path, IMAGES_RATIO) as npz:
        arrays = {name: npz[name] for name in ('train_x', 'train_y', 'test_x', 'test_y')
                  if name in npz.files}
    if 'train_x' not in arrays:
        raise ValueError('{}: holds no train_x, uint8 (N, H, W), (N, C, H, W) or (N, H, W, C)'.format(
            path))
    train = _labelled(path, arrays, 'train')
    return (train, _labelled(path, arrays, 'test')) if 'test_x' in arrays else _hold_out(*train)


def _labelled(path, arrays, part):
    images = arrays[part + '_x']
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != 'u1' or not images.size:
        raise ValueError('{}: {}_x must be uint8 (N, H, W), (N, C, H, W) or (N, H, W, C), with C 1 '
                         'or 3; it is {} {}'.format(path, part, images.dtype, arrays[part + '_x'].shape))
    classes = arrays.get(part + '_y', np.zeros(len(images), 'i'))
    if classes.shape != (len(images),) or classes.dtype.kind not in 'iu' \
            or not ((0 <= classes) & (classes < 2 ** 31)).all():
        raise ValueError('{}: {}_y must be {} whole numbers, the classes, from 0 on'.format(
            path, part, len(images)))
    return images, classes
