"""Values of pixels: bytes as intensities in [0, 1], and colours as luminance."""
import numpy as np

from wavenet.utils import quantize

# The intensity of each byte, rounded as by Chainer's get_mnist and get_cifar10, the author's source
INTENSITY = np.arange(256, dtype='f') * np.float32(1 / 255)


def bytes_of_levels(levels):
    """The byte that shows each level, uint8 (levels,): the nearest to level / (levels - 1) · 255
    that `quantize` takes for the same level."""
    targets = quantize(INTENSITY, levels)                       # of each byte
    numbers = np.arange(levels)
    nearest = np.rint(numbers * 255 / (levels - 1))
    first = np.searchsorted(targets, numbers)
    last = np.searchsorted(targets, numbers, side='right') - 1
    return np.clip(nearest, first, last).astype('u1')


def read_levels(pixels, levels):
    """Bytes that show levels, as generate.py writes them, as bytes that `quantize` takes for the
    same levels; of any shape."""
    shown = np.rint(pixels.astype('f') * (levels - 1) / 255).astype(int)
    return bytes_of_levels(levels)[shown]


def luminance(images):
    """Luminance of RGB images, uint8 (N, 3, H, W), as uint8 (N, 1, H, W).

    The weights are those of ITU-R 601, in Pillow's fixed-point arithmetic.
    """
    red, green, blue = np.moveaxis(images.astype('u4'), 1, 0)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype('u1')[:, None]
