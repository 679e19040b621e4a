"""MNIST and CIFAR-10: from a folder of files, from Chainer's cache of data sets, or downloaded.

What is downloaded is checked, and kept in Chainer's cache in Chainer's own form, so that
`chainer.datasets.get_mnist` finds it too. Nothing is unpickled and no archive is unpacked to disk.
"""
import gzip
import hashlib
import http.client
import io
import math
import os
import struct
import sys
import tarfile
import urllib.request
import zlib

import chainer
import numpy as np
import tqdm

from wavenet.files import atomic_write
from wavenet.npz import PICTURES, open_npz

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
        images, classes = [_read_idx(*_find_idx(folder, name)) for name in names]
        if len(images) != len(classes) or images.ndim != 3 or classes.ndim != 1:
            raise ValueError('{}: {} and {} do not belong together'.format(folder, *names))
        return images[:, None], classes

    path = os.path.join(_cache('pfnet/chainer/mnist'), cached)
    if os.path.exists(path):
        with open_npz(path, PICTURES) as npz:
            images, classes = npz['x'], npz['y']
        images = images.reshape(-1, 28, 28) if images.size % 784 == 0 else images
        for array, name in zip((images, classes), names):
            _check(_idx_header(array) + array.tobytes(), 'sha256', MNIST_FILES[name],
                   path + ' (delete it to download it again)')
        return images[:, None], classes

    images, classes = [_read_idx(name, _download_mnist(name)) for name in names]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, x=images.reshape(-1, 784), y=classes)
    return images[:, None], classes


def _find_idx(folder, name):
    """(path, decompressed bytes) of one of MNIST's files in a folder"""
    for path in (os.path.join(folder, name + '.gz'), os.path.join(folder, name)):
        if os.path.exists(path):
            with open(path, 'rb') as file:
                content = file.read()
            return path, _gunzip(path, content) if path.endswith('.gz') else content
    raise FileNotFoundError('{}: no {} in this folder, gzipped or not; MNIST is the files {} of {}'
                            .format(folder, name, ', '.join(MNIST_FILES), MNIST_MIRRORS[0]))


def _gunzip(path, content):
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError('{}: damaged, or no gzip file ({})'.format(path, error)) from error


def _idx_header(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes()


def _read_idx(path, content):
    """The array in an idx file: 0, 0, 8 for uint8, the dimensions, then the values."""
    ndim = content[3] if len(content) > 3 else 0
    shape = struct.unpack('>{}I'.format(ndim), content[4:4 + 4 * ndim].ljust(4 * ndim, b'\xff'))
    values = np.frombuffer(content[4 + 4 * ndim:], 'u1')
    if content[:3] != b'\0\0\x08' or ndim not in (1, 3) or values.size != math.prod(shape):
        raise ValueError('{}: damaged, or no idx file'.format(path))
    return values.reshape(shape)


def _download_mnist(name):
    reasons = []
    for mirror in MNIST_MIRRORS:
        url = mirror + name + '.gz'
        try:
            content = _gunzip(url, _download(url))
            _check(content, 'sha256', MNIST_FILES[name], url)
            return content
        except (OSError, ValueError, http.client.HTTPException) as error:
            reasons.append('{}: {}'.format(url, error))
    raise OSError('cannot download MNIST ({}): put {} into a folder and name it with --data'.format(
        '; '.join(reasons), ', '.join(name + '.gz' for name in MNIST_FILES)))


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
        with open_npz(path, PICTURES) as npz:
            parts = tuple((npz[part + '_x'].reshape(-1, 3, 32, 32), npz[part + '_y'])
                          for part in ('train', 'test'))
            if any(images.dtype != 'u1' or classes.shape != (len(images),)
                   for images, classes in parts):
                raise ValueError('it holds no images (delete it to download them again)')
            return parts

    try:
        content = _download(CIFAR_URL)
        _check(content, 'md5', CIFAR_MD5, CIFAR_URL)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OSError('cannot download CIFAR-10 ({}: {}): put {} into a folder and name it with '
                      '--data'.format(CIFAR_URL, error, CIFAR_ARCHIVE)) from error
    train, test = _read_cifar_archive(CIFAR_URL, io.BytesIO(content))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, train_x=train[0].reshape(-1, 3072), train_y=train[1],
                            test_x=test[0].reshape(-1, 3072), test_y=test[1])
    return train, test


def _read_cifar_folder(folder):
    path = os.path.join(folder, CIFAR_ARCHIVE)
    if os.path.exists(path):
        with open(path, 'rb') as file:
            return _read_cifar_archive(path, file)
    bins = {}
    for name in CIFAR_TRAIN + CIFAR_TEST:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            raise FileNotFoundError('{}: neither {} nor {} in this folder; CIFAR-10 is at {}'.format(
                folder, CIFAR_ARCHIVE, name, CIFAR_URL))
        with open(path, 'rb') as file:
            bins[name] = file.read()
    return _read_cifar_bins(folder, bins)


def _read_cifar_archive(path, file):
    bins = {}
    try:
        with tarfile.open(fileobj=file, mode='r:gz') as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if member.isfile() and name in CIFAR_TRAIN + CIFAR_TEST:
                    bins[name] = archive.extractfile(member).read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ValueError('{}: damaged, or no archive ({})'.format(path, error)) from error
    return _read_cifar_bins(path, bins)


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


def _download(url):
    """The bytes at an address, with a progress bar where there is a terminal."""
    with urllib.request.urlopen(url, timeout=30) as response, tqdm.tqdm(
            total=int(response.headers.get('Content-Length') or 0) or None, unit='B',
            unit_scale=True, desc=url.rsplit('/', 1)[1], disable=not sys.stderr.isatty()) as bar:
        content = bytearray()
        while True:
            chunk = response.read(1 << 16)
            if not chunk:
                return bytes(content)
            content += chunk
            bar.update(len(chunk))
