"""MNIST and CIFAR-10: from a folder of files, from Chainer's cache of data sets, or downloaded.

Downloads are checked and kept in Chainer's cache in Chainer's own format, so that
`chainer.datasets.get_mnist` finds them too. Nothing is unpickled, no archive is unpacked to disk,
and no file is unpacked beyond the length that the data sets' files can have.
"""
import gzip
import hashlib
import io
import math
import os
import tarfile
from pathlib import Path

import chainer
import numpy as np

from wavenet.data.fetch import fetch
from wavenet.data.images import Images
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
CIFAR_URL = f'https://www.cs.toronto.edu/~kriz/{CIFAR_ARCHIVE}'
CIFAR_MD5 = 'c32a1d4ab5d03f1284b67883e8d87530'
CIFAR_TRAIN = [f'data_batch_{n}.bin' for n in range(1, 6)]
CIFAR_TEST = ['test_batch.bin']

# Most bytes: of a file of MNIST, compressed and not; of CIFAR-10's archive, one of its files, all
MNIST_PACKED, MNIST_SIZE = 16 << 20, 64 << 20
CIFAR_PACKED, CIFAR_FILE, CIFAR_SIZE = 200 << 20, 40 << 20, 256 << 20


def mnist(folder=None):
    """Reads MNIST: 60,000 training and 10,000 test images of 1 × 28 × 28 pixels, each `Images`.

    Args:
        folder: with the four idx files, gzipped or not, which may hold any number and size of
            images. By default, the files come from Chainer's cache, or are downloaded.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    return tuple(_mnist_part(folder, prefix, cached)
                 for prefix, cached in (('train', 'train.npz'), ('t10k', 'test.npz')))


def _mnist_part(folder, prefix, cached):
    names = [name for name in MNIST_FILES if name.startswith(prefix)]  # of images, of classes
    if folder is not None:
        images, class_ids = [_read_idx_file(folder, name) for name in names]
        if len(images) != len(class_ids) or images.ndim != 3 or class_ids.ndim != 1:
            raise ValueError(f'{folder}: {names[0]} and {names[1]} do not belong together')
        return Images(images[:, None], class_ids)

    path = _cache('pfnet/chainer/mnist') / cached
    if path.exists():
        with open_npz(path, IMAGES_RATIO) as npz:
            images, class_ids = npz['x'], npz['y']
        images = images.reshape(-1, 28, 28) if images.size % 784 == 0 else images
        for array, name in zip((images, class_ids), names):
            _check(_idx_header(array) + array.tobytes(), 'sha256', MNIST_FILES[name],
                   f'{path} (delete it to download it again)')
        return Images(images[:, None], class_ids)

    images, class_ids = [_download_mnist(name) for name in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, x=images.reshape(-1, 784), y=class_ids)
    return Images(images[:, None], class_ids)


def _read_idx_file(folder, name):
    """The array in one of MNIST's files in a folder, uint8 (N, H, W) or (N,)."""
    for path in (Path(folder, f'{name}.gz'), Path(folder, name)):
        if path.exists():
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                if path.suffix == '.gz':
                    return _read_idx(path, gzip.GzipFile(fileobj=file), size, IMAGES_RATIO)
                return _read_idx(path, file, size, 1)
    raise FileNotFoundError(
        f'{folder}: no {name} in this folder, gzipped or not; MNIST consists of the files '
        f'{", ".join(MNIST_FILES)}, from {MNIST_MIRRORS[0]}')


def _idx_header(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes()


def _read_idx(path, stream, size, ratio):
    """The array in a stream of the idx format: 0, 0, 8 (for uint8), the shape, then the values.

    Args:
        path: for messages.
        stream: of the uncompressed file.
        size: bytes of the file.
        ratio: most bytes of the array for each byte of the file.
    """
    try:
        start = stream.read(4)
        if start not in (b'\0\0\x08\1', b'\0\0\x08\3'):
            raise ValueError('it does not begin like one')
        shape = np.frombuffer(stream.read(4 * start[3]), '>u4').tolist()
        claimed = math.prod(shape)
        check_ratio(claimed, size, ratio)
        values = stream.read(claimed + 1)
        if len(shape) != start[3] or len(values) != claimed:
            raise ValueError('it has more or fewer values than its header says')
    except Exception as error:  # a damaged file can raise almost anything
        raise ValueError(f'{path}: damaged or not an idx file ({error})') from error
    return np.frombuffer(values, 'u1').reshape(shape)


def _download_mnist(name):
    def check(url, content):
        try:
            unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MNIST_SIZE)
        except Exception as error:  # a damaged file can raise almost anything
            raise ValueError(f'damaged or not a gzip file ({error})') from error
        _check(unpacked, 'sha256', MNIST_FILES[name], url)
        return _read_idx(url, io.BytesIO(unpacked), len(unpacked), 1)

    try:
        return fetch([f'{mirror}{name}.gz' for mirror in MNIST_MIRRORS], MNIST_PACKED, check)
    except OSError as error:
        files = ', '.join(f'{name}.gz' for name in MNIST_FILES)
        raise OSError(f'cannot download MNIST ({error}): put {files} into a folder and give the '
                      'folder with --data') from error


def cifar10(folder=None):
    """Reads CIFAR-10: 50,000 training and 10,000 test images of 3 × 32 × 32, each `Images`.

    Args:
        folder: with cifar-10-binary.tar.gz, or with the .bin files in it. By default, they come
            from Chainer's cache, or are downloaded.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    if folder is not None:
        return _read_cifar_folder(folder)
    path = _cache('pfnet/chainer/cifar') / 'cifar-10.npz'
    if path.exists():
        return _read_cifar_cache(path)
    train, test = _download_cifar()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(
            file, train_x=train.pixels.reshape(-1, 3072), train_y=train.class_ids,
            test_x=test.pixels.reshape(-1, 3072), test_y=test.class_ids)
    return train, test


def _read_cifar_folder(folder):
    archive = Path(folder, CIFAR_ARCHIVE)
    if archive.exists():
        with open_regular(archive) as file:
            return _read_cifar_archive(archive, file)
    bins = {}
    for name in CIFAR_TRAIN + CIFAR_TEST:
        path = Path(folder, name)
        if not path.exists():
            raise FileNotFoundError(f'{folder}: neither {CIFAR_ARCHIVE} nor {name} in this folder; '
                                    f'CIFAR-10 is at {CIFAR_URL}')
        with open_regular(path) as file:
            bins[name] = file.read(CIFAR_FILE)
    return _read_cifar_bins(folder, bins)


def _read_cifar_cache(path):
    with open_npz(path, IMAGES_RATIO) as npz:
        parts = tuple(Images(npz[f'{part}_x'].reshape(-1, 3, 32, 32), npz[f'{part}_y'])
                      for part in ('train', 'test'))
        if any(images.pixels.dtype != 'u1' or images.class_ids.shape != (len(images.pixels),)
               for images in parts):
            raise ValueError('it contains no images (delete it to download them again)')
    return parts


def _download_cifar():
    def check(url, content):
        _check(content, 'md5', CIFAR_MD5, url)
        return _read_cifar_archive(url, io.BytesIO(content))

    try:
        return fetch([CIFAR_URL], CIFAR_PACKED, check)
    except OSError as error:
        raise OSError(f'cannot download CIFAR-10 ({error}): put {CIFAR_ARCHIVE} into a folder and '
                      'give the folder with --data') from error


def _read_cifar_archive(path, file):
    bins = {}
    try:
        # A stream is read only forwards, and here no further than the archive can be long
        stream = _LimitedStream(gzip.GzipFile(fileobj=file), CIFAR_SIZE)
        with tarfile.open(fileobj=stream, mode='r|') as archive:
            for number, member in enumerate(archive):
                if not _belongs_to_cifar(member) or number > 100:
                    raise ValueError(f'it contains {member.name!r}, which CIFAR-10 does not')
                name = os.path.basename(member.name)
                if member.isreg() and name in CIFAR_TRAIN + CIFAR_TEST:
                    bins[name] = archive.extractfile(member).read()
    except Exception as error:  # a damaged file can raise almost anything
        raise ValueError(f'{path}: damaged or not an archive ({error})') from error
    return _read_cifar_bins(path, bins)


def _belongs_to_cifar(member):
    """Whether a member of a tar archive is harmless and of a size that CIFAR-10's files have."""
    return not member.name.startswith('/') and '..' not in member.name.split('/') \
        and (member.isreg() or member.isdir()) and not member.issparse() \
        and member.size <= CIFAR_FILE


class _LimitedStream:
    """A stream that raises ValueError after `limit` bytes."""

    def __init__(self, stream, limit):
        self.stream = stream
        self.left = limit

    def read(self, size):
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError('it is longer than CIFAR-10')
        return content


def _read_cifar_bins(path, bins):
    """The images in the .bin files, whose records are the class, one byte, and 3 × 32 × 32 values.

    Args:
        path: for messages.
        bins: the contents of the files by their names.
    """
    parts = []
    for names in (CIFAR_TRAIN, CIFAR_TEST):
        for name in names:
            if len(bins.get(name, b'')) % 3073 or not bins.get(name):
                raise ValueError(f'{path}: damaged: {name} is missing or has a wrong length')
        records = np.frombuffer(b''.join(bins[name] for name in names), 'u1').reshape(-1, 3073)
        parts.append(Images(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]))
    return tuple(parts)


def _cache(name):
    """The path of a folder in Chainer's cache of data sets, which may not exist yet."""
    return Path(chainer.dataset.get_dataset_directory(name, create_directory=False))


def _check(content, algorithm, expected, what):
    found = hashlib.new(algorithm, content).hexdigest()
    if found != expected:
        raise ValueError(f'checksum mismatch: the {algorithm} of {what} is {found[:12]}…, not '
                         f'{expected[:12]}…')
