"""MNIST and CIFAR-10: from a folder of files, from Chainer's cache of data sets, or downloaded.

What is downloaded (`wavenet/fetch.py`) is checked, and kept in Chainer's cache in Chainer's own
form, so that `chainer.datasets.get_mnist` finds it too. Nothing is unpickled, no archive is
unpacked to disk, and nothing is unpacked further than the files can be long.
"""
import gzip
import hashlib
import io
import math
import os
import tarfile

import chainer
import numpy as np

from wavenet.data.fetch import fetch
from wavenet.storage.files import atomic_write, open_regular
from wavenet.storage.npz import IMAGES_RATIO, check_ratio, open_npz

MNIST_MIRRORS = ('https://storage.googleapis.com/cvdf-datasets/mnist/',
                 'https://ossci-datasets.s3.amazonaws.com/mnist/')
# SHA-256 of the decompressed files
MNIST_FILES = {
    'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
}
CIFAR_ARCHIVE = 'cifar-10-binary.tar.gz'
CIFAR_URL = 'https://www.cs.toronto.edu/~kriz/' + CIFAR_ARCHIVE
CIFAR_MD5 = 'c32a1d4ab5d03f1284b67883e8d87530'
CIFAR_TRAIN = ['data_batch_{}.bin'.format(n) for n in range(1, 6)]
CIFAR_TEST = ['test_batch.bin']

# Bytes, at most: a file of MNIST, packed and not; of CIFAR-10 the archive, one of its files, all
MNIST_PACKED, MNIST_SIZE = 16 << 20, 64 << 20
CIFAR_PACKED, CIFAR_FILE, CIFAR_SIZE = 200 << 20, 40 << 20, 256 << 20


def mnist(folder=None):
    """MNIST: ((images uint8 (60000, 1, 28, 28), classes uint8 (60000,)), the same of 10000).

    Args:
        folder: with the four idx files, gzipped or not; any files of that form will do, of any
            number and size of images. None: Chainer's cache, or the network.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    return tuple(_mnist_part(folder, prefix, cached)
                 for prefix, cached in (('train', 'train.npz'), ('t10k', 'test.npz')))


def _mnist_part(folder, prefix, cached):
    names = [name for name in MNIST_FILES if name.startswith(prefix)]  # images, labels
    if folder is not None:
        images, classes = [_read_idx_file(folder, name) for name in names]
        if len(images) != len(classes) or images.ndim != 3 or classes.ndim != 1:
            raise ValueError('{}: {} and {} do not belong together'.format(folder, *names))
        return images[:, None], classes

    path = os.path.join(_cache('pfnet/chainer/mnist'), cached)
    if os.path.exists(path):
        with open_npz(path, IMAGES_RATIO) as npz:
            images, classes = npz['x'], npz['y']
        images = images.reshape(-1, 28, 28) if images.size % 784 == 0 else images
        for array, name in zip((images, classes), names):
            _check(_idx_header(array) + array.tobytes(), 'sha256', MNIST_FILES[name],
                   path + ' (delete it to download it again)')
        return images[:, None], classes

    images, classes = [_download_mnist(name) for name in names]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, x=images.reshape(-1, 784), y=classes)
    return images[:, None], classes


def _read_idx_file(folder, name):
    """The array in one of MNIST's files in a folder"""
    for path in (os.path.join(folder, name + '.gz'), os.path.join(folder, name)):
        if os.path.exists(path):
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                return _read_idx(path, gzip.GzipFile(fileobj=file), size, IMAGES_RATIO) \
                    if path.endswith('.gz') else _read_idx(path, file, size, 1)
    raise FileNotFoundError('{}: no {} in this folder, gzipped or not; MNIST is the files {} of {}'
                            .format(folder, name, ', '.join(MNIST_FILES), MNIST_MIRRORS[0]))


def _idx_header(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes()


def _read_idx(path, stream, size, ratio):
    """The array in an idx file: 0, 0, 8 for uint8, the dimensions, then the values.

    `size` is that of the file, and the array has not more than `ratio` times as many values.
    """
    try:
        start = stream.read(4)
        if start not in (b'\0\0\x08\1', b'\0\0\x08\3'):
            raise ValueError('it does not begin as one')
        shape = np.frombuffer(stream.read(4 * start[3]), '>u4').tolist()
        claimed = math.prod(shape)
        check_ratio(claimed, size, ratio)
        values = stream.read(claimed + 1)
        if len(shape) != start[3] or len(values) != claimed:
            raise ValueError('its values are more or less than it says')
    except Exception as error:
        raise ValueError('{}: damaged, or no idx file ({})'.format(path, error)) from error
    return np.frombuffer(values, 'u1').reshape(shape)


def _download_mnist(name):
    def check(url, content):
        try:
            unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MNIST_SIZE)
        except Exception as error:
            raise ValueError('damaged, or no gzip file ({})'.format(error)) from error
        _check(unpacked, 'sha256', MNIST_FILES[name], url)
        return _read_idx(url, io.BytesIO(unpacked), len(unpacked), 1)

    try:
        return fetch([mirror + name + '.gz' for mirror in MNIST_MIRRORS], MNIST_PACKED, check)
    except OSError as error:
        raise OSError('cannot download MNIST ({}): put {} into a folder and name it with --data'
                      .format(error, ', '.join(name + '.gz' for name in MNIST_FILES))) from error


def cifar10(folder=None):
    """CIFAR-10: ((images uint8 (50000, 3, 32, 32), classes uint8 (50000,)), the same of 10000).

    Args:
        folder: with cifar-10-binary.tar.gz, or with its .bin files. None: Chainer's cache, or the
            network.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    if folder is not None:
        return _read_cifar_folder(folder)
    path = os.path.join(_cache('pfnet/chainer/cifar'), 'cifar-10.npz')
    if os.path.exists(path):
        with open_npz(path, IMAGES_RATIO) as npz:
            parts = tuple((npz[part + '_x'].reshape(-1, 3, 32, 32), npz[part + '_y'])
                          for part in ('train', 'test'))
            if any(images.dtype != 'u1' or classes.shape != (len(images),)
                   for images, classes in parts):
                raise ValueError('it holds no images (delete it to download them again)')
            return parts

    def check(url, content):
        _check(content, 'md5', CIFAR_MD5, url)
        return _read_cifar_archive(url, io.BytesIO(content))

    try:
        train, test = fetch([CIFAR_URL], CIFAR_PACKED, check)
    except OSError as error:
        raise OSError('cannot download CIFAR-10 ({}): put {} into a folder and name it with --data'
                      .format(error, CIFAR_ARCHIVE)) from error
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, train_x=train[0].reshape(-1, 3072), train_y=train[1],
                            test_x=test[0].reshape(-1, 3072), test_y=test[1])
    return train, test


def _read_cifar_folder(folder):
    path = os.path.join(folder, CIFAR_ARCHIVE)
    if os.path.exists(path):
        with open_regular(path) as file:
            return _read_cifar_archive(path, file)
    bins = {}
    for name in CIFAR_TRAIN + CIFAR_TEST:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            raise FileNotFoundError('{}: neither {} nor {} in this folder; CIFAR-10 is at {}'.format(
                folder, CIFAR_ARCHIVE, name, CIFAR_URL))
        with open_regular(path) as file:
            bins[name] = file.read(CIFAR_FILE)
    return _read_cifar_bins(folder, bins)


def _read_cifar_archive(path, file):
    bins = {}
    try:
        # As a stream, which is read forwards only, and no further than the archive can be long
        with tarfile.open(fileobj=_Bounded(gzip.GzipFile(fileobj=file)), mode='r|') as archive:
            for number, member in enumerate(archive):
                name = os.path.basename(member.name)
                if member.name.startswith('/') or '..' in member.name.split('/') \
                        or not (member.isreg() or member.isdir()) or member.issparse() \
                        or member.size > CIFAR_FILE or number > 100:
                    raise ValueError('it holds {!r}, as CIFAR-10 does not'.format(member.name))
                if member.isreg() and name in CIFAR_TRAIN + CIFAR_TEST:
                    bins[name] = archive.extractfile(member).read()
    except Exception as error:  # what damage can raise is no list
        raise ValueError('{}: damaged, or no archive ({})'.format(path, error)) from error
    return _read_cifar_bins(path, bins)


class _Bounded:
    """A stream that ends with an error after CIFAR_SIZE bytes."""

    def __init__(self, stream):
        self.stream = stream
        self.left = CIFAR_SIZE

    def read(self, size):
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError('it is longer than CIFAR-10')
        return content


def _read_cifar_bins(path, bins):
    """The .bin files hold records: one byte of class, then 3 × 32 × 32 of colours."""
    parts = []
    for names in (CIFAR_TRAIN, CIFAR_TEST):
        for name in names:
            if len(bins.get(name, b'')) % 3073 or not bins.get(name):
                raise ValueError('{}: damaged: {} is missing or of a wrong length'.format(path, name))
        records = np.frombuffer(b''.join(bins[name] for name in names), 'u1').reshape(-1, 3073)
        parts.append((records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]))
    return tuple(parts)


def _cache(name):
    return chainer.dataset.get_dataset_directory(name, create_directory=False)


def _check(content, algorithm, expected, what):
    found = hashlib.new(algorithm, content).hexdigest()
    if found != expected:
        raise ValueError('checksum mismatch: the {} of {} is {}…, not {}…'.format(
            algorithm, what, found[:12], expected[:12]))
