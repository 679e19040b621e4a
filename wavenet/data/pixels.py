"""Values of pixels: bytes as intensities in [0, 1], and colours as luminance."""
import math

import numpy as np
from PIL import Image, ImageOps

from wavenet.utils import quantize

# The intensity of each byte, rounded as by Chainer's get_mnist and get_cifar10, the author's source
INTENSITY = np.arange(256, dtype='f') * np.float32(1 / 255)
PART = 2 ** 20  # values that are converted at once


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
    return in_parts(_luminance, images, 1)


def _luminance(images):
    red, green, blue = np.moveaxis(images.astype('u4'), 1, 0)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16)[:, None]


def look_up(table, images):
    """The byte of a table, uint8 (256,), for each value of uint8 images (N, C, H, W)."""
    return in_parts(lambda part: table[part], images, images.shape[1])


def is_gray(images):
    """Whether all channels of images (N, C, H, W) are equal."""
    return all((images[part] == images[part, :1]).all() for part in _parts(images))


def in_parts(convert, images, channels):
    """Converts images (N, C, H, W) to uint8 (N, channels, H, W), some at a time, since NumPy needs
    up to eight bytes for each value on the way."""
    result = np.empty((len(images), channels, *images.shape[2:]), 'u1')
    for part in _parts(images):
        result[part] = convert(images[part])
    return result


def _parts(images):
    """Slices of images that have about `PART` values each."""
    step = max(1, PART // max(1, math.prod(images.shape[1:])))
    return [slice(start, start + step) for start in range(0, len(images), step)]


def resize(image, size):
    """Makes an image size × size pixels: scales its shorter side to that and keeps its middle.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        size: number of pixels.
    """
    height, width = image.shape[:2]
    if height == width == size:
        return image
    square = ImageOps.fit(Image.fromarray(image), (size, size), Image.Resampling.LANCZOS)
    return np.asarray(square)
