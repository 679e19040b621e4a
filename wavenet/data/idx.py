"""Files of MNIST's format, idx: found under the names that their copies have, and read."""
import gzip
import math
import os
from pathlib import Path

import numpy as np

from wavenet.data.images import Images
from wavenet.storage.files import open_regular
from wavenet.storage.npz import IMAGES_RATIO, check_ratio

NAMES = ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte',
         't10k-labels-idx1-ubyte')
# Where the files lie below a folder: torchvision puts them into MNIST/raw
BELOW = ('', 'raw', 'MNIST/raw', 'FashionMNIST/raw')


def find(folder, name):
    """The path of one of `NAMES` in a folder, or None.

    The file may be gzipped; its name may have a dot before `idx`; it may lie in a folder of its own
    name, as unpacked by some programs, or where torchvision puts it.
    """
    for below in BELOW:
        for variant in (name, name.replace('-idx', '.idx')):
            for path in (Path(folder, below, f'{variant}.gz'), Path(folder, below, variant)):
                if path.is_file():
                    return path
                if (path / path.name).is_file():
                    return path / path.name
                if path.exists() and not path.is_dir():
                    return path  # no regular file: `open_regular` says so
    return None


def read_folder(folder, dataset=None):
    """The training and the test images of the four files in a folder, each `Images`.

    Args:
        folder: see `find`.
        dataset: a `wavenet.data.downloads.IdxDataset`, for the message.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    parts = []
    for prefix in ('train', 't10k'):
        names = [name for name in NAMES if name.startswith(prefix)]  # of images, of classes
        images, class_ids = [_read_file(folder, name, dataset) for name in names]
        if len(images) != len(class_ids) or images.ndim != 3 or class_ids.ndim != 1:
            raise ValueError(f'{folder}: {names[0]} and {names[1]} do not belong together')
        parts.append(Images(images[:, None], class_ids))
    return tuple(parts)


def _read_file(folder, name, dataset):
    """The array in one of the files in a folder, uint8 (N, H, W) or (N,)."""
    path = find(folder, name)
    if path is None:
        title, source = (dataset.title, dataset.mirrors[0]) if dataset else ('MNIST', 'its website')
        raise FileNotFoundError(
            f'{folder}: no {name} in this folder, gzipped or not; {title} consists of the files '
            f'{", ".join(NAMES)}, from {source}')
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if path.suffix == '.gz':
            return read(path, gzip.GzipFile(fileobj=file), size, IMAGES_RATIO)
        return read(path, file, size, 1)


def header(array):
    """The first bytes of the idx file of a uint8 array."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes()


def read(path, stream, size, ratio):
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
