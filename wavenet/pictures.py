"""Pictures of samples, in files."""
import os

import matplotlib.image
import numpy as np
from chainer.backends import cuda

from wavenet.files import atomic_write

FORMATS = {'.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg'}


def picture_format(path):
    """'png' or 'jpeg', by the path's ending. Raises: ValueError for other endings."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        raise ValueError('{}: pictures are written as .png, .jpg or .jpeg'.format(path))
    return FORMATS[ending]


def save_grid(path, samples, scale=1):
    """Writes count² samples as one square picture, in the author's order: down the columns.

    Args:
        path: of the file, .png or .jpg.
        samples: floating (count², C, H, W) in [0, 1], NumPy or CuPy; C is 1 or 3.
        scale: side of the square that stands for a pixel; above 1, a gray line of that width sets
            the pictures apart.

    Raises: ValueError for another ending, OSError where the file cannot be written.
    """
    samples = cuda.to_cpu(samples)
    batch, channels, height, width = samples.shape
    count = int(batch ** 0.5)
    if scale > 1:
        samples = np.pad(samples, [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=0.5)
        height, width = height + 1, width + 1
    grid = samples.reshape(count, count, channels, height, width)
    grid = grid.transpose(1, 3, 0, 4, 2).reshape(count * height, count * width, channels)
    grid = (grid * 255 + 0.5).astype('u1')
    grid = np.broadcast_to(grid, grid.shape[:2] + (3,))   # gray becomes R = G = B
    grid = grid.repeat(scale, axis=0).repeat(scale, axis=1)
    with atomic_write(path) as file:
        matplotlib.image.imsave(file, grid, format=picture_format(path))
