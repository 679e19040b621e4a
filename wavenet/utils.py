"""The post's helpers: binarize, quantize, convert_to_rgb, sample_from.

Each function uses the array module (NumPy or CuPy) of the array it receives. Random numbers always
come from NumPy on the host, so the same seed gives the same images on a CPU and on a GPU.
"""
import numpy as np
from chainer import backend

from wavenet.functions.distributions import draw

MAX_LEVELS = 256        # of intensities: inputs have 8 bits per channel
MAX_LABELS = 1 << 16    # of labels, which may have 16 bits


def binarize(images, xp=None, random=None):
    """Samples 0 or 1 for each value, which is the probability of 1 (the post's first stage).

    Args:
        images: floating array of any shape, values in [0, 1].
        xp: array module of the result; by default that of `images`.
        random: `numpy.random.RandomState` or equivalent; by default NumPy's global state, which the
            author's wavenet/utils.py uses.

    Returns: int32 array of the same shape, values in {0, 1}.

    Raises: ValueError for values that are NaN or outside [0, 1].
    """
    xp = xp or backend.get_array_module(images)
    images = xp.asarray(images)
    _check_unit_interval(images, 'binarize')
    random = random or np.random
    return (xp.asarray(random.uniform(size=images.shape)) < images).astype('i')


def quantize(images, levels):
    """Turns intensities into targets: [0, 1] is split into `levels` equal bins, numbered from 0.

    Bins begin at arange(levels) / levels; 1.0 belongs to the last bin (the post, Data
    preprocessing).

    Args:
        images: floating array of any shape, values in [0, 1].
        levels: number of bins, 2 to 256.

    Returns: int32 array of the same shape, the number of each value's bin, in
        {0, …, levels - 1}.

    Raises: ValueError for values that are NaN or outside [0, 1], and for `levels` out of range.
    """
    check_levels(levels)
    xp = backend.get_array_module(images)
    images = xp.asarray(images)
    _check_unit_interval(images, 'quantize')
    # The author's edges are float64. Rounding decides the bin of a value that lies on an edge.
    return (xp.digitize(images, xp.arange(levels) / levels) - 1).astype('i')


quantisize = quantize  # the author's spelling


def check_levels(levels):
    """Raises ValueError unless `levels` is a whole number from 2 to 256."""
    if not 2 <= levels <= MAX_LEVELS or levels != int(levels):
        raise ValueError(f'levels must be a whole number from 2 to {MAX_LEVELS}, got {levels}')


def convert_to_rgb(images, xp=None):
    """Repeats the single channel of grayscale images three times (the author's wavenet/utils.py).

    Args:
        images: array (B, 1, H, W) of any dtype.
        xp: array module; by default that of `images`.

    Returns: array (B, 3, H, W) of the same dtype.

    Raises: ValueError for images of another shape.
    """
    xp = xp or backend.get_array_module(images)
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f'convert_to_rgb takes (B, 1, H, W) images, got shape {images.shape}')
    return xp.tile(images, [1, 3, 1, 1])


def sample_from(distribution, random=None):
    """Samples one category for each row of probabilities.

    Each row uses one uniform number, which inverts the row's cumulative sum in float64. From the
    same random state, the results equal those of `numpy.random.choice(bins, p=row)` called row by
    row, as the author does, and the state afterwards is the same too.

    Args:
        distribution: array (B, bins), NumPy or CuPy; each row sums to 1.
        random: `numpy.random.RandomState` or equivalent; by default NumPy's global state.

    Returns: integer array (B,) of the same array module, values in {0, …, bins - 1}.

    Raises: ValueError for probabilities that are NaN or negative, and for a row whose sum differs
        from 1 by more than NumPy's own tolerance, √eps of the dtype.
    """
    xp = backend.get_array_module(distribution)
    if distribution.ndim != 2:
        raise ValueError(
            f'sample_from takes (B, bins) probabilities, got shape {distribution.shape}')
    floating = distribution.dtype if distribution.dtype.kind == 'f' else np.dtype('d')
    tolerance = np.sqrt(np.finfo(floating).eps)
    p = distribution.astype('d')
    _check_probabilities(p, tolerance, xp)

    return draw(p, xp.asarray((random or np.random).random_sample(len(p))))


def _check_unit_interval(images, function):
    """Raises ValueError with the first value that is NaN or outside [0, 1]."""
    outside = ~((images >= 0) & (images <= 1))
    if outside.any():
        first = float(images[outside].ravel()[0])
        raise ValueError(f'{function} takes values in [0, 1], got {first}')


def _check_probabilities(p, tolerance, xp):
    """Raises ValueError with the first probability or sum of a row that is wrong."""
    bad = ~(p >= 0)
    if bad.any():
        first = float(p[bad].ravel()[0])
        raise ValueError(f'probabilities must not be negative or NaN, got {first}')
    sums = p.sum(axis=1)
    bad = ~(xp.abs(sums - 1) <= tolerance)
    if bad.any():
        first = float(sums[bad].ravel()[0])
        raise ValueError(f'probabilities must sum to 1, got a row that sums to {first}')
