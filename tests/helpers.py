"""What tests of several files share. Fixtures are in conftest.py."""
import gzip
import os

import numpy as np

from wavenet.data import downloads

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


# Data sets

def bytes_of(shape, seed=0):
    """Random intensities."""
    return np.random.RandomState(seed).randint(0, 256, shape).astype('u1')


def idx(array):
    """The bytes of a file of MNIST."""
    return downloads._idx_header(array) + array.tobytes()


def write_mnist(folder, zipped=True, train=6, test=4):
    """Writes the four files of a small MNIST. Returns: {name: array}."""
    arrays = {'train-images-idx3-ubyte': bytes_of((train, 28, 28), 1),
              'train-labels-idx1-ubyte': (np.arange(train) % 10).astype('u1'),
              't10k-images-idx3-ubyte': bytes_of((test, 28, 28), 2),
              't10k-labels-idx1-ubyte': (np.arange(test) % 10).astype('u1')}
    for name, array in arrays.items():
        content = gzip.compress(idx(array)) if zipped else idx(array)
        (folder / (name + '.gz' * zipped)).write_bytes(content)
    return arrays
