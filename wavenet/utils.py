"""The post's helpers: binarize, quantize, convert_to_rgb, sample_from.

Each takes the array module (NumPy or CuPy) from the array it is given. Random numbers always come
from NumPy on the host, so that a seed means the same pictures on a CPU and on a GPU.
"""
import numpy as np
from chainer import backend

MAX_LEVELS = 256  # inputs are 8 bits a channel


def binarize(images, xp=None, random=None):
    """Draws 0 or 1 for each value, which is taken as the probability of a 1 (the post's first stage).

    Args:
        images: floating array of any shape, values in [0, 1].
        xp: array module of the result; by default that of `images`.
        random: `numpy.random.RandomState` or the like; by default NumPy's global state, as in the
            author's wavenet/utils.py.

    Returns: int32 array of the same shape, values in {0, 1}.

    Raises: ValueError for values outside [0, 1] or NaN.
    """
    xp = xp or backend.get_array_module(images)
    images = xp.asarray(images)
    _check_unit_interval(images, 'binarize')
    random = random or np.random
    return (xp.asarray(random.uniform(size=images.shape)) < images).astype('i')


def quantize(images, levels):
    """Labels of values: the number of the bin, of `levels` equal bins of [0, 1], that holds each.

    Bins begin at arange(levels) / levels; 1.0 falls in the last one (the post, Data preprocessing).

    Args:
        images: floating array of any shape, values in [0, 1].
        levels: number of bins, 2 to 256.

    Returns: int32 array of the same shape, values in {0, …, levels - 1}.

    Raises: ValueError for values outside [0, 1] or NaN, and for levels out of range.
    """
    check_levels(levels)
    xp = backend.get_array_module(images)
    images = xp.asarray(images)
    _check_unit_interval(images, 'quantize')
    # Edges in float64, as the author has them: where a value meets an edge, rounding decides.
    return (xp.digitize(images, xp.arange(levels) / levels) - 1).astype('i')


quantisize = quantize  # the author's spelling


def check_levels(levels):
    """Raises ValueError unless `levels` is a whole number from 2 to 256."""
    if not 2 <= levels <= MAX_LEVELS or levels != int(levels):
        raise ValueError('levels must be a whole number from 2 to {}, got {}'.format(
            MAX_LEVELS, levels))


def convert_to_rgb(images, xp=None):
    """Copies the channel of grayscale images three times (the author's wavenet/utils.py).

    Args:
        images: array (B, 1, H, W) of any dtype.
        xp: array module; by default that of `images`.

    Returns: array (B, 3, H, W) of the same dtype.

    Raises: ValueError for images of another shape.
    """
    xp = xp or backend.get_array_module(images)
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError('convert_to_rgb takes (B, 1, H, W) images, got shape {}'.format(
            images.shape))
    return xp.tile(images, [1, 3, 1, 1])


def sample_from(distribution, random=None):
    """Draws one category for each row of probabilities.

    One uniform number a row inverts the row's cumulative sum, in float64: from the same random
    state these are the draws of `numpy.random.choice(bins, p=row)` called row by row, which is
    what the author does, and they leave the state as it leaves it.

    Args:
        distribution: array (B, bins), NumPy or CuPy, each row summing to 1.
        random: `numpy.random.RandomState` or the like; by default NumPy's global state.

    Returns: integer array (B,) of the same array module, values in {0, …, bins - 1}.

    Raises: ValueError for NaN or negative probabilities, and for a row whose sum differs from 1 by
        more than NumPy's own tolerance, √eps of the dtype.
    """
    xp = backend.get_array_module(distribution)
    if distribution.ndim != 2:
        raise ValueError('sample_from takes (B, bins) probabilities, got shape {}'.format(
            distribution.shape))
    floating = distribution.dtype if distribution.dtype.kind == 'f' else np.dtype('d')
    tolerance = np.sqrt(np.finfo(floating).eps)
    p = distribution.astype('d')
    _check_probabilities(p, tolerance, xp)

    return draw(p, xp.asarray((random or np.random).random_sample(len(p))))


def draw(p, uniform):
    """`sample_from` with the uniform numbers (B,) given, and probabilities (B, bins) unchecked.

    A row with NaN gives `bins`, which is no category.
    """
    cumulative = p.astype('d').cumsum(axis=1)             # (B, bins)
    cumulative /= cumulative[:, -1:]
    # The first bin that ends after the number
    return p.shape[1] - (cumulative > uniform[:, None]).sum(axis=1)


def _check_unit_interval(images, function):
    """Raises ValueError naming the first value that is not in [0, 1] (NaN is not)."""
    outside = ~((images >= 0) & (images <= 1))
    if outside.any():
        raise ValueError('{} takes values in [0, 1], got {}'.format(
            function, float(images[outside].ravel()[0])))


def _check_probabilities(p, tolerance, xp):
    bad = ~(p >= 0)
    if bad.any():
        raise ValueError('probabilities must not be negative or NaN, got {}'.format(
            float(p[bad].ravel()[0])))
    sums = p.sum(axis=1)
    bad = ~(xp.abs(sums - 1) <= tolerance)
    if bad.any():
        raise ValueError('probabilities must sum to 1, got a row that sums to {}'.format(
            float(sums[bad].ravel()[0])))
