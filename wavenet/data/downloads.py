"""MNIST, Fashion-MNIST and CIFAR-10: from a folder, from Chainer's cache, or downloaded.

Downloads are checked and kept in Chainer's cache in Chainer's own format, so that
`chainer.datasets.get_mnist` finds them too. Nothing is unpickled, no archive is unpacked to disk,
and no file is unpacked beyond the length that the data sets' files can have.
"""
import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import NamedTuple

import chainer
import numpy as np

from wavenet.data import idx
from wavenet.data.fetch import fetch
from wavenet.data.image_files import read_npz
from wavenet.data.images import Images
from wavenet.data.split import Parts
from wavenet.storage.files import atomic_write, open_regular
from wavenet.storage.npz import IMAGES_RATIO, open_npz


class IdxDataset(NamedTuple):
    """A data set in four files of MNIST's format."""

    title: str
    mirrors: list           # addresses of folders with the gzipped files
    algorithm: str          # of the checksums
    files: dict             # names → checksums of the files, which are not gzipped for 'sha256'
    cache: str              # the folder in Chainer's cache
    class_names: tuple


MNIST = IdxDataset(
    'MNIST', ['https://storage.googleapis.com/cvdf-datasets/mnist/',
              'https://ossci-datasets.s3.amazonaws.com/mnist/'],
    'sha256', dict(zip(idx.NAMES, [
        'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
        '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
        '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
        'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'])),
    'pfnet/chainer/mnist', tuple('0123456789'))
# The checksums are those of the gzipped files, from the data set's README,
# github.com/zalandoresearch/fashion-mnist
FASHION_MNIST = IdxDataset(
    'Fashion-MNIST',
    ['https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
     'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'],
    'md5', dict(zip(idx.NAMES, [
        '8d4fb7e6c68d591d4c3dfef9ec88bf0d', '25c81989df183df01b3e8a0aad5dffbe',
        'bef4ecab320f06d8554ea6380940ec79', 'bb300cfdad3c16e7a12a480ee83cd310'])),
    'wavenet/fashion-mnist',
    ('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag',
     'Ankle boot'))
CIFAR_CLASSES = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship',
                 'truck')
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
        folder: with the four idx files, see `wavenet.data.idx.find`, which may hold any number and
            size of images; or with Keras' mnist.npz. By default, the files come from Chainer's
            cache, or are downloaded.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    return _read_dataset(MNIST, folder)


def fashion_mnist(folder=None):
    """Reads Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv 1708.07747). As `mnist`."""
    return _read_dataset(FASHION_MNIST, folder)


def _read_dataset(dataset, folder):
    if folder is not None:
        keras = Path(folder, 'mnist.npz')
        if keras.exists():
            return _named(read_npz(keras), dataset.class_names)
        return _named(idx.read_folder(folder, dataset), dataset.class_names)
    parts = [_read_part(dataset, prefix, cached)
             for prefix, cached in (('train', 'train.npz'), ('t10k', 'test.npz'))]
    return _named(parts, dataset.class_names)


def _named(parts, class_names):
    """The parts of a data set, whose classes get these names."""
    return Parts(*(part._replace(class_names=class_names) for part in parts))


def _read_part(dataset, prefix, cached):
    """The training or the test images, from Chainer's cache or downloaded."""
    names = [name for name in dataset.files if name.startswith(prefix)]  # of images, of classes
    path = _cache(dataset.cache) / cached
    if path.exists():
        with open_npz(path, IMAGES_RATIO) as npz:
            images, class_ids = npz['x'], npz['y']
        images = images.reshape(-1, 28, 28) if images.size % 784 == 0 else images
        if dataset.algorithm == 'sha256':
            for array, name in zip((images, class_ids), names):
                _check(idx.header(array) + array.tobytes(), 'sha256', dataset.files[name],
                       f'{path} (delete it to download it again)')
        elif images.dtype != 'u1' or images.ndim != 3 or class_ids.shape != (len(images),):
            raise ValueError(f'{path}: it contains no images (delete it to download them again)')
        return Images(images[:, None], class_ids)

    images, class_ids = [_download_idx(dataset, name) for name in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, x=images.reshape(len(images), -1), y=class_ids)
    return Images(images[:, None], class_ids)


def _download_idx(dataset, name):
    def check(url, content):
        try:
            unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MNIST_SIZE)
        except Exception as error:  # a damaged file can raise almost anything
            raise ValueError(f'damaged or not a gzip file ({error})') from error
        _check(unpacked if dataset.algorithm == 'sha256' else content, dataset.algorithm,
               dataset.files[name], url)
        return idx.read(url, io.BytesIO(unpacked), len(unpacked), 1)

    try:
        return fetch([f'{mirror}{name}.gz' for mirror in dataset.mirrors], MNIST_PACKED, check)
    except OSError as error:
        files = ', '.join(f'{name}.gz' for name in dataset.files)
        raise OSError(f'cannot download {dataset.title} ({error}): put {files} into a folder and '
                      'give the folder with --data') from error


def cifar10(folder=None):
    """Reads CIFAR-10: 50,000 training and 10,000 test images of 3 × 32 × 32, each `Images`.

    Args:
        folder: with cifar-10-binary.tar.gz, or with the .bin files in it. By default, they come
            from Chainer's cache, or are downloaded.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    return _named(_read_cifar(folder), CIFAR_CLASSES)


def _read_cifar(folder):
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


def check_not_pickled(folder):
    """Raises: ValueError for a folder that holds CIFAR-10 for Python, which is pickled."""
    for name in ('data_batch_1', 'cifar-10-python.tar.gz', 'cifar-10-batches-py'):
        if Path(folder, name).exists():
            raise ValueError(f"{folder}: {name} is CIFAR-10's pickled version, which could run "
                             f'code and is not read; the binary version is at {CIFAR_URL}')


def _read_cifar_folder(folder):
    archive = Path(folder, CIFAR_ARCHIVE)
    unpacked = Path(folder, 'cifar-10-batches-bin')  # as the archive unpacks
    if not archive.exists() and Path(unpacked, CIFAR_TEST[0]).exists():
        folder = unpacked
    if archive.exists():
        with open_regular(archive) as file:
            return _read_cifar_archive(archive, file)
    bins = {}
    for name in CIFAR_TRAIN + CIFAR_TEST:
        path = Path(folder, name)
        if not path.exists():
            check_not_pickled(folder)
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
