"""A picture of the nats of each pixel: `python -m wavenet.evaluate --map FILE.png`."""
import numpy as np
from chainer.backends import cuda

from wavenet.likelihood import pixel_nats
from wavenet.plots import new_figure
from wavenet.storage.files import atomic_write

MOST_IMAGES = 10   # that are shown, the first ones of the test set


def write(path, model, test, classes=None):
    """Shows the first test images, and below each of them the nats of its pixels.

    A bright pixel is one that the model did not expect, given the pixels before it.

    Args:
        path: of a .png file.
        model, test, classes: as of `wavenet.likelihood.image_nats`.
    """
    numbers = np.arange(min(MOST_IMAGES, len(test)))
    nats = pixel_nats(model, test, numbers, classes)                  # (n, H, W)
    x = cuda.to_cpu(test.batch(numbers).x).transpose(0, 2, 3, 1)      # (n, H, W, C)
    figure = new_figure(1.2 * max(3, len(numbers)) + 1, 3.2)
    grid = figure.add_gridspec(2, len(numbers), right=0.88, left=0.02, wspace=0.05, hspace=0.25)
    for n in numbers:
        image, below = figure.add_subplot(grid[0, n]), figure.add_subplot(grid[1, n])
        image.imshow(x[n, ..., 0] if x.shape[3] == 1 else x[n], cmap='gray', vmin=0, vmax=1)
        shown = below.imshow(nats[n], cmap='viridis', vmin=0, vmax=nats.max() or 1)
        below.set_title(f'{nats[n].sum():.1f}', fontsize=8)
        for axes in (image, below):
            axes.set_axis_off()
    bar = figure.colorbar(shown, cax=figure.add_axes([0.9, 0.11, 0.015, 0.35]))
    bar.set_label('nats of a pixel', fontsize=8)
    bar.ax.tick_params(labelsize=8)
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=120)
