"""Data sets by name or path: `load_dataset` gives the training and the test images."""
import hashlib
import os
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from wavenet import cli
from wavenet.data import downloads, idx
from wavenet.data.image_files import (
    ENDINGS,
    check_labels,
    read_amat,
    read_folder,
    read_image_file,
    read_npz,
)
from wavenet.data.images import ImageDataset, Images
from wavenet.data.pixels import resize
from wavenet.data.split import SEED, Parts, hold_out, set_aside, take
from wavenet.utils import MAX_LABELS, check_levels, quantize

DOWNLOADS = {'mnist': downloads.mnist, 'fashion-mnist': downloads.fashion_mnist,
             'cifar10': downloads.cifar10, 'cifar': downloads.cifar10}
DATASETS = ('digits', *DOWNLOADS)

DIGITS = Path(__file__).with_name('digits.npz')
DIGITS_TRAIN = 1500  # the first of the 1,797 digits are for training


class Origin(NamedTuple):
    """Where training images come from, for the model's file and for snapshots.

    Attributes:
        checksum: of the images and their classes, as they are read, those set aside included.
        split: how the test images were held out: {'kind': 'stratified', 'seed': …}; None where the
            data has test images of its own.
    """

    checksum: str
    split: Optional[dict]


def load_dataset(source, channels=3, levels=2, data=None, binarize=False, seed=0,
                 test_limit=None, validation=None, *, labels=False, size=None, split_seed=SEED,
                 dataset_class=ImageDataset):
    """Loads the training and the test images of a data set.

    Args:
        source: 'digits', 'mnist', 'fashion-mnist', 'cifar10' (or 'cifar'), in any case, or the path
            of your own images: a folder of image files (`image_files.read_folder`), of MNIST's
            files or of Larochelle's .amat files; an .npz file (`image_files.read_npz`) or an .amat
            file. Without test images of its own, a tenth is held out (`split.hold_out`).
        channels: 3 or 1. Grayscale is copied to three channels; RGB becomes its luminance.
        levels: number of values a channel of a pixel can take, 2 to 256, or of labels to 65,536.
        data: folder with the files of mnist, fashion-mnist or cifar10; by default, they are
            downloaded.
        binarize: sample each pixel, black or white, with its intensity as the probability of white.
            This needs 2 levels.
        seed: whole number, for this sampling.
        test_limit: number of test images to keep, the first ones; by default, all.
        validation: number of training images to set aside and return in place of the test images.
        labels: values of pixels are labels, 0 to levels - 1, not intensities. Those of a file with
            a palette are the numbers of its colours; digits has the labels 0 to 16.
        size: make all images size × size pixels (`pixels.resize`); they may have any sizes.
        split_seed: whole number, for the images that are held out or set aside.
        dataset_class: `ImageDataset`, or a class with the same arguments and methods.

    Returns: the training and the test images, two objects of `dataset_class`; the training images
        have an `Origin` as the attribute `origin`.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    _check_options(channels, levels, binarize, labels, size)
    parts = read(source, data, labels, size)
    if parts.train is None:
        raise ValueError(f'{source}: there are only test images')
    split = None
    if parts.test is None:
        parts = hold_out(parts.train, split_seed)
        split = {'kind': 'stratified', 'seed': split_seed}
    _check_sizes(source, *parts)
    if labels:
        for part in parts:
            check_labels(source, part.pixels, channels, levels)
    else:
        _check_values(source, parts.train, levels)
    # From all images, before the limit, so that a limit does not change the model
    num_classes = max(_count_classes(images) for images in parts)
    origin = Origin(checksum(parts.train), split)
    if validation:
        parts = set_aside(parts.train, validation, split_seed)
    options = dict(channels=channels, levels=levels, binarize=binarize, num_classes=num_classes,
                   labels=labels)
    train, test = [
        dataset_class(part.pixels, part.class_ids, seed=(seed, number),
                      class_names=part.class_names, **options)
        for number, part in enumerate((parts.train, take(parts.test, slice(test_limit))))]
    train.origin = origin
    return train, test


def load_images(source, channels, levels, data=None, binarize=False, seed=0, test_limit=None, *,
                labels=False, size=None, origin=None):
    """Loads the images of a data set to measure a model on: its test images, or all of them where
    it does not have any.

    Args:
        source: as of `load_dataset`, or the path of a single image file.
        channels, levels, data, binarize, seed, test_limit, labels, size: as of `load_dataset`.
        origin: the `Origin` of the model's training images. If these images are the same, the ones
            that were held out are measured.

    Returns: an `ImageDataset`.

    Raises: as `load_dataset`.
    """
    _check_options(channels, levels, binarize, labels, size)
    parts = read(source, data, labels, size)
    images = parts.train if parts.test is None else parts.test
    if parts.test is None and origin and origin.split and len(images.pixels) > 1:
        split = hold_out(images, origin.split['seed'])
        if checksum(split.train) == origin.checksum:
            images = split.test
    if not images.pixels.size:
        raise ValueError(f'{source}: there are no images')
    if labels:
        check_labels(source, images.pixels, channels, levels)
    num_classes = _count_classes(images)
    images = take(images, slice(test_limit))
    return ImageDataset(images.pixels, images.class_ids, channels, levels, binarize, (seed, 1),
                        num_classes, images.class_names, labels)


def _check_options(channels, levels, binarize, labels, size):
    if labels and size:
        raise ValueError(f'--size {size}: labels cannot be scaled')
    if not labels:
        check_levels(levels)
    elif binarize or not 2 <= levels <= MAX_LABELS:
        raise ValueError(f'labels have 2 to {MAX_LABELS} levels, not {levels}, and are not '
                         'binarized')
    if channels not in (1, 3):
        raise ValueError(f'channels must be 1 or 3, got {channels}')
    if binarize and levels != 2:
        raise ValueError(f'binarized images have 2 levels, not {levels}')


def _count_classes(images):
    return max(len(images.class_names or ()), 1 + int(images.class_ids.max()))


def checksum(images):
    """The first 16 hexadecimal digits of the SHA-256 of `Images`: shape, values and classes."""
    digest = hashlib.sha256(repr(images.pixels.shape).encode())
    digest.update(np.ascontiguousarray(images.pixels))
    digest.update(images.class_ids.astype('<i8').tobytes())
    return digest.hexdigest()[:16]


def read(source, data=None, labels=False, size=None):
    """The training and the test images of a source, `Parts`, in the order of their files. With
    `labels`, values are read as they are; with a `size`, all images become size × size pixels."""
    parts = _read(source, data, labels, size)
    if size is None:
        return parts
    return Parts(*(part and part._replace(pixels=_resized(part.pixels, size)) for part in parts))


def _resized(pixels, size):
    """Images (N, C, H, W) as (N, C, size, size)."""
    if pixels.shape[2:] == (size, size):
        return pixels
    result = np.empty((*pixels.shape[:2], size, size), pixels.dtype)
    for index in np.ndindex(*pixels.shape[:2]):
        result[index] = resize(pixels[index], size)
    return result


def _read(source, data, labels, size):
    name = source.lower()
    if data is not None and name not in DOWNLOADS:
        raise ValueError(f'--data is for {", ".join(DOWNLOADS)}; for your own images, give their '
                         'path as the dataset')
    if name == 'digits':
        return _read_digits(labels)
    if name in DOWNLOADS:
        return Parts(*DOWNLOADS[name](data))
    if os.path.isdir(source):
        return _read_folder(source, labels, size)
    if os.path.isfile(source):
        return _read_file(source, labels, size)
    raise ValueError(f'unknown dataset {source!r}: give one of {", ".join(DATASETS)}, or the path '
                     'of a folder of images or of an .npz')


def _read_digits(labels):
    """The embedded digits (see README.md beside this file)."""
    with np.load(DIGITS) as npz:
        pixels = npz['images']                                    # {0, …, 16}
        if not labels:
            pixels = (pixels * 255.0 / 16 + 0.5).astype('u1')
        images = Images(pixels, npz['classes'], tuple('0123456789'))
    return Parts(take(images, slice(DIGITS_TRAIN)), take(images, slice(DIGITS_TRAIN, None)))


def _read_folder(folder, labels, size):
    """A folder: of MNIST's files, of Larochelle's, or of images."""
    if idx.find(folder, idx.NAMES[0]):
        return Parts(*idx.read_folder(folder))
    if os.path.exists(os.path.join(folder, 'binarized_mnist_train.amat')):
        return Parts(*[_read_file(os.path.join(folder, f'binarized_mnist_{part}.amat'), labels)
                       for part in ('train', 'test')])
    downloads.check_not_pickled(folder)
    return read_folder(folder, labels, size)


def _read_file(path, labels, size=None):
    ending = os.path.splitext(path)[1].lower()
    if ending == '.amat':
        return Parts(read_amat(path, 1 if labels else 255))
    if ending in ENDINGS:
        return Parts(None, read_image_file(path, labels, size))
    return read_npz(path, labels)


def _check_sizes(source, train, test):
    """Raises ValueError unless there are training and test images, all of one size."""
    shapes = train.pixels.shape[1:], test.pixels.shape[1:]               # (C, H, W)
    if not train.pixels.size or not test.pixels.size or shapes[0] != shapes[1]:
        raise ValueError(
            f'{source}: there must be training and test images, all of one size and with the same '
            f'channels; there are {len(train.pixels)} training images of shape {shapes[0]} and '
            f'{len(test.pixels)} test images of shape {shapes[1]}')


def _check_values(source, images, levels):
    """Raises ValueError for different values that all become one level, as small integers do."""
    most, least = int(images.pixels.max()), int(images.pixels.min())
    first, last = quantize(np.array([least, most]) / 255, levels)
    if first == last and most > least:
        raise ValueError(
            f'{source}: its values, {least} to {most}, are taken as intensities from 0 to 255, so '
            f'all pixels would be level {first} of {levels}; give intensities from 0 to 255, or '
            'more --levels, or --labels if the values are labels')
    if most == least:
        cli.say(f'warning: {source}: all values of the training images are {most}')
    elif most < levels < 256:
        cli.say(f'warning: {source}: its largest value is {most}, and values are taken as '
                'intensities from 0 to 255; if they are labels, give --labels')
