"""The figures `two_layers` and `receptive_fields`: what a pixel sees, as the post draws it.

The more a value counts, the more opaque it is. The hatched area is the blind spot: values that come
before the framed pixel, and that the model does not see.
"""
from functools import partial

import chainer
import chainer.functions as F
import numpy as np
from matplotlib.patches import Rectangle

from wavenet import models, plots
from wavenet.families.gated.model import GatedPixelCNN
from wavenet.families.pixelcnn_pp.model import PixelCNNPP
from wavenet.families.pixelrnn.model import DiagonalBiLSTMNet, RowLSTMNet

MODELS = 8   # with random weights, to average over: in a single one, inactive ReLUs hide paths
IMAGES = 4   # random images for each model
COLORS = {1: [(0, 0, 0)], 3: [(0.85, 0, 0), (0, 0.6, 0), (0, 0.2, 0.9)]}


def receptive_field(make_model, channels, height, width, pixel, color=0):
    """Measures how much each value of an image changes the logits of one value.

    Args:
        make_model: a function that returns a model with new random weights, on the CPU.
        channels, height, width: of the image.
        pixel: (row, column) of the predicted value.
        color: its colour; of a model whose outputs are of whole pixels, it does not matter.

    Returns: float32 (C, H, W), the mean absolute derivative over MODELS models and IMAGES random
        images, divided by its maximum. It is 0 where there is no connection.
    """
    random = np.random.RandomState(0)
    total = np.zeros((channels, height, width), 'f')
    for _ in range(MODELS):
        model = make_model()
        x = chainer.Variable(random.rand(IMAGES, channels, height, width).astype('f'))
        place = pixel if model.distribution.of_pixels else (color, *pixel)
        logits = model(x, np.zeros(IMAGES, 'i'))[(slice(None), slice(None), *place)]
        F.sum(logits * random.normal(size=logits.shape).astype('f')).backward()
        total += abs(x.grad).sum(axis=0)
    return total / total.max()


def count_paths(links, height, width, pixel):
    """Counts the paths from each pixel of a grayscale image to one pixel of the last layer.

    Args:
        links: masked convolutions with one feature map, one after the other. Their weights are set
            to 1, so that the derivative is the number of paths.
        height, width: of the image.
        pixel: (row, column) in the last layer.

    Returns: int (H, W).
    """
    x = h = chainer.Variable(np.ones((1, 1, height, width), 'f'))
    for link in links:
        link.W.array[...] = 1
        h = link(h)
    h[0, 0, pixel[0], pixel[1]].backward()
    return x.grad[0, 0].astype(int)


def blind_spot(field, pixel, color=0):
    """Finds the values before a pixel that its receptive field leaves out.

    Only values in the rows and columns that the field reaches are considered: as far up as it goes,
    and as far to both sides.

    Args:
        field: receptive field (C, H, W), 0 where there is no connection.
        pixel, color: as in `receptive_field`.

    Returns: bool (C, H, W).
    """
    channels, height, width = field.shape
    k, i, j = np.ogrid[:channels, :height, :width]
    order = (i * width + j) * channels + k
    before = order < (pixel[0] * width + pixel[1]) * channels + color
    _, rows, columns = np.nonzero(field)
    reach = abs(columns - pixel[1]).max()
    return before & (i >= rows.min()) & (abs(j - pixel[1]) <= reach) & (field == 0)


def draw_field(axes, field, pixel, color=0, power=0.3):
    """Draws a receptive field (C, H, W), with the colours of a pixel side by side.

    The opacity grows with the value to that power.
    """
    channels, height, width = field.shape
    blind = blind_spot(field, pixel, color)
    for k, i, j in np.ndindex(*field.shape):
        place = (j + k / channels, i), 1 / channels, 1
        if field[k, i, j]:
            axes.add_patch(Rectangle(*place, color=COLORS[channels][k], linewidth=0,
                                     alpha=0.15 + 0.75 * float(field[k, i, j]) ** power))
        elif blind[k, i, j]:
            axes.add_patch(Rectangle(*place, facecolor='white', edgecolor='0.6', hatch='/////',
                                     linewidth=0))
    for i, j in np.ndindex(height, width):
        axes.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor='0.8', linewidth=0.5))
    axes.add_patch(Rectangle(pixel[::-1], 1, 1, fill=False, edgecolor='black', linewidth=2))
    axes.set(xlim=(-0.05, width + 0.05), ylim=(height + 0.05, -0.05), aspect='equal')
    axes.axis('off')


def two_layers():
    """Draws what a pixel sees through two masked 3×3 layers. Returns: a Matplotlib figure."""
    size, pixel = 5, (2, 2)
    page = plots.new_figure(9, 3.3)
    first, second = [models.MaskedConvolution2D(1, 1, 3, pad=1, mask=kind, colors=1)
                     for kind in 'AB']
    for number, (title, links) in enumerate([
            ('the first layer, 3×3, mask A', [first]), ('the second layer, 3×3, mask B', [second]),
            ('both layers: 5×5', [first, second])], 1):
        paths = count_paths(links, size, size, pixel)
        axes = page.add_subplot(1, 3, number)
        draw_field(axes, paths[None] / 4, pixel, power=1)    # at most 3 paths, so below 1
        for (i, j), count in np.ndenumerate(paths):
            if count:
                axes.text(j + 0.5, i + 0.5, count, ha='center', va='center', fontsize=12,
                          color='white' if count > 1 else 'black')
        axes.set_title(title, fontsize=11)
    page.tight_layout()
    return page


def receptive_fields(blocks=2):
    """Draws what a pixel sees in six models with so many blocks. Returns: a Matplotlib figure.

    They are the post's PixelCNN, the two forms of Gated PixelCNN, PixelCNN++, and PixelRNN of two
    kinds of layers; grayscale above, RGB below.
    """
    height, width, pixel = 10, 2 * (blocks + 3) + 3, (8, blocks + 4)
    page = plots.new_figure(9.2, 11.9)
    np.random.seed(0)
    for half, channels in enumerate((1, 3)):
        makers = {
            "the post's PixelCNN": partial(models.PixelCNN, channels, 24, blocks, 12, 4),
            "Gated PixelCNN, the author's form": partial(
                GatedPixelCNN, channels, 12, blocks, 12, 4, form='author'),
            "Gated PixelCNN, the paper's form": partial(
                GatedPixelCNN, channels, 12, blocks, 12, 4, form='paper'),
            'PixelCNN++': partial(PixelCNNPP, channels, blocks, 12, 2),
            'PixelRNN, Row LSTM': partial(RowLSTMNet, channels, 12, blocks, 12, 4),
            'PixelRNN, Diagonal BiLSTM': partial(DiagonalBiLSTMNet, channels, 12, blocks, 12, 4)}
        for number, (title, make_model) in enumerate(makers.items(), 1):
            axes = page.add_subplot(4, 3, 6 * half + number)
            draw_field(axes, receptive_field(make_model, channels, height, width, pixel), pixel)
            what = 'what R sees, in RGB' if channels == 3 else 'grayscale'
            axes.set_title(f'{title}\n{what}', fontsize=10)
    page.tight_layout()
    return page
