"""Pictures of samples, in files."""
import os
import tempfile

import matplotlib.animation
import matplotlib.figure
import matplotlib.image
import numpy as np
from chainer.backends import cuda
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from wavenet.storage.files import atomic_write

PICTURES = {'.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg'}
ANIMATIONS = {'.gif': 'gif'}
GIF_FRAMES = 60


def file_format(path, formats):
    """The one of PICTURES or ANIMATIONS that the path's ending names. Raises: ValueError."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in formats:
        raise ValueError('{}: the ending must be {}'.format(path, ' or '.join(formats)))
    return formats[ending]


def square(samples):
    """count² samples (B, C, H, W) as cells (count, count, C, H, W): see `grid`."""
    return grid(samples, int(len(samples) ** 0.5))


def grid(samples, rows):
    """Samples (rows · columns, C, H, W) as cells (rows, columns, C, H, W), the author's way: down the
    columns."""
    return samples.reshape((-1, rows) + samples.shape[1:]).swapaxes(0, 1)


def completions(originals, samples, rows):
    """Cells of completions, a line for each original: itself, what was kept, what was drawn.

    Args:
        originals: (N, C, H, W).
        samples: (N * count, C, H, W), `count` completions of each, one after the other.
        rows: that were kept.

    Returns: floating (N, 2 + count, C, H, W).
    """
    samples = cuda.to_cpu(samples).reshape((len(originals), -1) + originals.shape[1:])
    kept = originals.copy()
    kept[:, :, rows:] = 0.5                                  # gray where nothing is known
    return np.concatenate([originals[:, None], kept[:, None], samples], axis=1)


def save(path, cells, scale=1):
    """Writes pictures side by side as one.

    Args:
        path: of the file, .png or .jpg.
        cells: floating (rows, columns, C, H, W) in [0, 1], NumPy or CuPy; C is 1 or 3.
        scale: side of the square that stands for a pixel; above 1, a gray line of that width sets
            the pictures apart.

    Raises: ValueError for another ending, OSError where the file cannot be written.
    """
    kind = file_format(path, PICTURES)
    with atomic_write(path) as file:
        matplotlib.image.imsave(file, _side_by_side(cuda.to_cpu(cells), scale), format=kind)


def save_drawing(path, cells, scale=1, rows=None):
    """Writes an animated GIF of how the pictures were drawn, pixel by pixel, from gray.

    Args: as for `save`; the path ends in .gif. With `rows`, the cells are those of `completions`:
        drawn is from the third column on, below these rows.

    Raises: ValueError for another ending, OSError where the file cannot be written.
    """
    file_format(path, ANIMATIONS)
    cells = cuda.to_cpu(cells)
    pixels = cells.shape[3] * cells.shape[4]
    number = np.arange(pixels).reshape(cells.shape[3:])      # in the order of drawing
    first = 0 if rows is None else rows * cells.shape[4]
    given = number < first
    if rows is not None:
        given = given | (np.arange(cells.shape[1]) < 2)[:, None, None, None]
    height, width, _ = _side_by_side(cells, scale).shape
    dpi = 100
    figure = matplotlib.figure.Figure((width / dpi, height / dpi), dpi)
    FigureCanvasAgg(figure)
    image = figure.figimage(np.zeros((height, width, 3), 'u1'))
    writer = matplotlib.animation.PillowWriter(fps=12)
    with tempfile.TemporaryDirectory() as folder:
        temporary = os.path.join(folder, 'drawing.gif')
        with writer.saving(figure, temporary, dpi):
            for done in np.linspace(first, pixels, min(pixels - first, GIF_FRAMES) + 1).astype(int):
                shown = np.where(given | (number < done), cells, 0.5)
                image.set_data(_side_by_side(shown, scale))
                writer.grab_frame()
        with open(temporary, 'rb') as drawing, atomic_write(path) as file:
            file.write(drawing.read())


def page(width, height):
    """An empty white Matplotlib figure of so many inches, which needs no display."""
    figure = matplotlib.figure.Figure((width, height), facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def round_numbers(axis):
    """Labels the axis of a Matplotlib plot, whose scale is logarithmic, with few and round numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter('{x:,g}'))
    axis.set_minor_formatter(NullFormatter())


def _side_by_side(cells, scale):
    """(rows, columns, C, H, W) in [0, 1] → uint8 (height, width, 3)"""
    if scale > 1:
        cells = np.pad(cells, [(0, 0)] * 3 + [(0, 1)] * 2, constant_values=0.5)
    rows, columns, channels, height, width = cells.shape
    grid = cells.transpose(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels)
    grid = (grid * 255 + 0.5).astype('u1')
    grid = np.broadcast_to(grid, grid.shape[:2] + (3,))      # gray becomes R = G = B
    return grid.repeat(scale, axis=0).repeat(scale, axis=1)
