"""Samples as image files and as animations."""
import math
import os

import numpy as np
from chainer.backends import cuda
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wavenet.storage.files import atomic_write

# File name endings and Pillow's names of the formats
IMAGE_FORMATS = {'.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg'}
ANIMATION_FORMATS = {'.gif': 'gif'}

# Texts in a PNG file, from which its levels can be read again
LEVELS = 'wavenet:levels'  # how many levels its values show
SCALE = 'wavenet:scale'    # each pixel is a square of so many pixels
LEAST_WIDTH = 56           # of an image on the screen, where nobody says the scale

GRAY = 0.5            # lines between images, and pixels without a value
MAX_STEPS = 60        # of an animation: it shows several pixels at once if an image has more
FRAME_DURATION = 80   # milliseconds


def file_format(path, formats):
    """Returns the format of a path, from IMAGE_FORMATS or ANIMATION_FORMATS.

    Raises: ValueError if the path has another ending.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in formats:
        raise ValueError(f'{path}: the ending must be {" or ".join(formats)}')
    return formats[ending]


def square(samples):
    """Arranges n² samples (n², C, H, W) as cells (n, n, C, H, W); see `grid`.

    Another number of samples leaves the last cells gray.
    """
    side = math.isqrt(len(samples) - 1) + 1
    cells = np.full((side * -(-len(samples) // side), *samples.shape[1:]), GRAY, 'f')
    cells[:len(samples)] = cuda.to_cpu(samples)
    return grid(cells, side)


def grid(samples, rows):
    """Arranges samples (rows · columns, C, H, W) as cells (rows, columns, C, H, W).

    The samples fill one column after the other, as in the author's generate.py.
    """
    return samples.reshape((-1, rows) + samples.shape[1:]).swapaxes(0, 1)


def completions(originals, samples, kept):
    """Arranges completed images: each row shows an original, what was kept of it, its completions.

    Args:
        originals: array (N, C, H, W) on the CPU.
        samples: array (N * count, C, H, W) on any device: `count` completions of the first
            original, then those of the second one, and so on.
        kept: the pixels that were kept, bool (H, W).

    Returns: cells, a NumPy array (N, 2 + count, C, H, W).
    """
    samples = cuda.to_cpu(samples).reshape((len(originals), -1) + originals.shape[1:])
    kept = np.where(kept, originals, np.float32(GRAY))
    return np.concatenate([originals[:, None], kept[:, None], samples], axis=1)


def save(path, cells, scale=1, levels=None, lines=None, durable=True):
    """Writes cells as one image file. The same arguments give the same bytes.

    Args:
        path: ends in .png or .jpg.
        cells, scale, levels, lines: as of `write`.
        durable: wait until the file is on the disk.

    Raises: ValueError for another ending, OSError if the file cannot be written.
    """
    kind = file_format(path, IMAGE_FORMATS)
    with atomic_write(path, durable) as file:
        write(file, kind, cells, scale, levels, lines)


def write(file, kind, cells, scale=1, levels=None, lines=None):
    """Writes cells as one image into an open file.

    Args:
        file: a binary file.
        kind: 'png' or 'jpeg'.
        cells: floating-point array (rows, columns, C, H, W) in [0, 1] on any device; C is 1 or 3.
        scale: each pixel becomes a square of scale × scale.
        levels: number of levels that the values show. A PNG file without lines says it in a text,
            so that the levels of each pixel can be read again. Of more than 256 levels it has 16
            bits, if C is 1; RGB files have 8 bits, from which so many levels cannot be read.
        lines: whether gray lines of the width of a pixel separate the cells; by default, those of
            several cells above scale 1.
    """
    several = cells.shape[0] * cells.shape[1] > 1
    lines = scale > 1 and several if lines is None else lines
    deep = bool(levels) and levels > 256 and not lines and cells.shape[2] == 1 and kind == 'png'
    text = PngInfo()
    if levels and not lines:
        text.add_text(LEVELS, str(levels))
        if scale > 1:
            text.add_text(SCALE, str(scale))
    image = Image.fromarray(_tile(cuda.to_cpu(cells), scale, lines, deep))
    image.save(file, format=kind, pnginfo=text)


def read(path):
    """Reads an image file as RGB, uint8 (height, width, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert('RGB'))


def save_animation(path, cells, scale=1, kept=None, lines=None):
    """Writes a GIF that shows how the images were generated, pixel by pixel, starting from gray.

    Args:
        path: ends in .gif.
        cells, scale, lines: as of `write`.
        kept: None, or the pixels that were kept, bool (H, W), if the cells come from `completions`.
            The animation then shows the first two columns and these pixels from the start.

    Raises: ValueError for another ending, OSError if the file cannot be written.
    """
    kind = file_format(path, ANIMATION_FORMATS)
    lines = scale > 1 and cells.shape[0] * cells.shape[1] > 1 if lines is None else lines
    first, *others = _frames(cuda.to_cpu(cells), scale, kept, lines)
    with atomic_write(path) as file:
        first.save(file, format=kind, save_all=True, append_images=others,
                   duration=FRAME_DURATION, loop=0)


def _frames(cells, scale, kept, lines):
    """Yields the frames of an animation as Pillow images."""
    columns, height, width = cells.shape[1], *cells.shape[3:]
    given = np.zeros((height, width), bool) if kept is None else kept
    order = np.cumsum(~given).reshape(height, width)            # 1 for the first to be generated
    count = order[-1, -1]
    if kept is not None:
        is_sample = np.arange(columns) >= 2
        given = given | ~is_sample[:, None, None, None]         # (columns, 1, H, W)
    for pixels in np.linspace(0, count, min(count, MAX_STEPS) + 1).astype(int):
        shown = given | (order <= pixels)
        yield Image.fromarray(_tile(np.where(shown, cells, GRAY), scale, lines))


def _tile(cells, scale, lines, deep=False):
    """Joins cells (rows, columns, C, H, W) in [0, 1] to one image: RGB, uint8 (height, width, 3),
    or a deep one, which is gray, uint16 (height, width).
    """
    if lines:
        cells = np.pad(cells, [(0, 0)] * 3 + [(0, 1)] * 2, constant_values=GRAY)
    rows, columns, channels, height, width = cells.shape
    image = cells.transpose(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels)
    if deep:
        image = np.rint(image[..., 0].astype('d') * 65535).astype('u2')
    else:
        image = (image * 255 + 0.5).astype('u1')
        image = np.broadcast_to(image, image.shape[:2] + (3,))  # grayscale becomes R = G = B
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
