"""The figure `architecture`: the layers of a PixelCNN, and those of a residual block.

It follows the post's diagram. Layers, masks and shapes are read from Chainer's graph of the model.
"""
import itertools
from typing import NamedTuple, Optional

import numpy as np
from chainer.utils.conv import get_conv_outsize
from matplotlib.patches import FancyArrowPatch, Rectangle

from wavenet import models, plots
from wavenet.functions.masked_convolution import MaskedChain2DFunction

CONVOLUTION, BLOCK, OTHER = '#d6e4f2', '#f7e3c8', '#ededed'  # fill colours of boxes


class Convolution(NamedTuple):
    """A masked convolution."""
    name: str          # of its link in the model, such as blocks/0/conv2
    relu: bool         # whether a ReLU comes before it
    mask: np.ndarray   # (out_channels, in_channels, kh, kw)
    pad: tuple         # (height, width)
    shape: tuple       # (C, H, W) of its output


class Layer(NamedTuple):
    """A function of Chainer's graph."""
    label: str
    convolutions: list  # a Convolution for each one in it; empty for other functions
    shortcut: bool      # whether its input is added to its output
    shape: tuple        # of its output, without the batch


class Box(NamedTuple):
    """A box of the figure."""
    text: str
    fill: str
    shape: Optional[tuple]  # (C, H, W) or (levels, C, H, W) of its output, if the figure states it


def figure():
    """Draws the PixelCNN of train.py's defaults with 256 levels. Returns: a Matplotlib figure."""
    model = models.PixelCNN(3, 256, 15, 16, 256)
    config = model.config
    h, d, levels = config.hidden_dims // 2, config.out_hidden_dims, config.out_dims
    boxes, block = model_boxes(
        model, 28, 28, {2 * h: '2h', h: 'h', d: 'd', 3 * levels: f'3 · {levels}'})
    shape = next(box.shape for box in boxes if box.fill == BLOCK)

    page = plots.new_figure(9, 7.4)
    page.suptitle(f'h = {h}, d = {d}; weights as [output feature maps, input feature maps, '
                  'height, width]', fontsize=10)
    boxes.append(Box('logits of each value', OTHER, None))
    block = [Box('feature maps', OTHER, shape)] + block + [Box('+', OTHER, shape)]
    left, right = page.subplots(1, 2, sharey=True)
    draw_boxes(left, boxes)
    left.set_title('PixelCNN', fontsize=12)
    draw_boxes(right, block, shortcut=True)
    right.set_title('a residual block', fontsize=12)
    page.tight_layout()
    return page


def layers(model, height, width):
    """Lists the layers of a PixelCNN for images of that size, in the order of computation."""
    names = {id(param): name for name, param in model.namedparams()}
    h = model(np.zeros((1, model.in_channels, height, width), 'f'))
    result = []
    while h.creator is not None:
        function, convolutions = h.creator, []
        if isinstance(function, MaskedChain2DFunction):
            size = function.inputs[0].shape[2:]
            for n, (mask, pad) in enumerate(zip(function.masks, function.pads)):
                size = tuple(map(get_conv_outsize, size, mask.shape[2:], (1, 1), pad))
                name = names[id(function.inputs[1 + 2 * n].get_variable())]
                convolutions.append(Convolution(
                    name[1:-len('/W')], function.relu or n > 0, mask, pad, mask.shape[:1] + size))
        result.append(Layer(function.label, convolutions, getattr(function, 'shortcut', False),
                            h.shape[1:]))
        h = function.inputs[0]
    return result[::-1]


def model_boxes(model, height, width, symbols):
    """Makes the boxes of a PixelCNN, with all residual blocks in one box, and those of one block.

    Args:
        model: a PixelCNN.
        height, width: of the images.
        symbols: {number of feature maps: what to write instead}.

    Returns: two lists of Box.
    """
    boxes = [Box('image', OTHER, (model.in_channels, height, width))]
    block = []
    all_layers = layers(model, height, width)
    for is_block, group in itertools.groupby(all_layers, lambda layer: layer.shortcut):
        group = list(group)
        if is_block:
            boxes.append(Box(f'{len(group)} residual blocks', BLOCK, group[-1].shape))
            block = list(convolution_boxes(group[0], model.in_channels, symbols))
            continue
        for layer in group:
            boxes += convolution_boxes(layer, model.in_channels, symbols)
            if not layer.convolutions:
                boxes.append(Box(layer.label.lower(), OTHER, layer.shape))
    return boxes, block


def convolution_boxes(layer, colors, symbols):
    """Yields the boxes of a layer's convolutions and of their ReLUs; arguments as `model_boxes`."""
    for convolution in layer.convolutions:
        if convolution.relu:
            yield Box('ReLU', OTHER, None)
        name, kind = convolution.name.split('/')[-1], mask_kind(convolution.mask, colors)
        out_channels, in_channels, kh, kw = convolution.mask.shape
        weights = (symbols.get(out_channels, out_channels), symbols.get(in_channels, in_channels),
                   kh, kw)
        yield Box(f'{name}, mask {kind}\n[{", ".join(map(str, weights))}]', CONVOLUTION,
                  convolution.shape)


def mask_kind(mask, colors):
    """Returns 'A' or 'B', the kind of a mask."""
    return next(kind for kind in 'AB'
                if np.array_equal(mask, models.make_mask(mask.shape, kind, colors)))


def draw_boxes(axes, boxes, shortcut=False):
    """Draws boxes from the bottom to the top, with an arrow from each to the next.

    With `shortcut`, another arrow goes from the first box to the last.
    """
    left, middle, right = 0.75, 2, 3.25
    y, centers = 0, []
    for text, fill, shape in boxes:
        height = 0.5 + 0.4 * text.count('\n')
        axes.add_patch(Rectangle((left, y), right - left, height, facecolor=fill, edgecolor='0.4'))
        axes.text(middle, y + height / 2, text, ha='center', va='center', fontsize=10)
        centers.append(y + height / 2)
        y += height
        if shape or len(centers) < len(boxes):
            gap = 0.5 if shape else 0.3
            draw_arrow(axes, (middle, y), (middle, y + gap))
            if shape:
                axes.text(middle + 0.12, y + gap / 2, ' × '.join(map(str, shape)), va='center',
                          fontsize=9)
            y += gap
    if shortcut:
        x = right + 0.4
        axes.plot([right, x, x], [centers[0], centers[0], centers[-1]], color='black', linewidth=1)
        draw_arrow(axes, (x, centers[-1]), (right, centers[-1]))
    axes.set_xlim(left - 0.5, right + 0.5)
    axes.set_ylim(-0.1, max(y + 0.1, *axes.get_ylim()))
    axes.axis('off')


def draw_arrow(axes, start, end):
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle='-|>', mutation_scale=10, color='black',
                                   linewidth=1, shrinkA=0, shrinkB=0))
