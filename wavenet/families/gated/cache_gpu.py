"""Cached generation from Gated PixelCNN on a GPU, row by row: see `wavenet/families/gpu_state.py`.

The kernel is draw_row.cu, which computes both stacks. In shapes, B is the number of images, C the
number of colours, W the width of an image, n the number of blocks, conv1 included, and `hidden` the
number of feature maps.
"""
import os

import chainer
import numpy as np

from wavenet.families import gpu_state
from wavenet.families.gated.model import embeddings
from wavenet.functions.label_convolution import label_tables

KERNEL = gpu_state.read_kernel(os.path.dirname(os.path.abspath(__file__)), 'draw_row')


class GatedRowCache(gpu_state.RowState):
    """Generation row by row, from the classes of the images, int32 (B,). Rows that are given need
    the vertical stack only."""

    def __init__(self, model, samples, class_ids):
        super().__init__(model, samples)
        self.class_ids = class_ids

    def draw_rows(self, given, uniforms, progress):
        model, samples, xp = self.model, self.samples, self.model.xp
        batch, colors, height, width = samples.shape
        blocks = [model.conv1, *model.blocks]
        n, hidden, out_hidden = len(blocks), len(model.conv2.W.array[0]), len(model.conv2.W)
        sizes = [np.int32(size) for size in (
            height, width, colors, n, hidden, out_hidden, model.out_dims,
            model.distribution.levels if model.config.one_hot else 0,
            2 if blocks[0].form == 'author' else 1)]
        weights = [xp.ascontiguousarray(array, 'f') for array in (
            *_first_weights(model), *_block_weights(blocks),
            *_output_weights(model, self.temperature), *_of_classes(blocks, self.class_ids))]
        memory = [xp.zeros(shape, 'f') for shape in (
            (n - 1, batch, 3, width + 2, hidden), (batch, width, 2 * hidden),
            (n, batch, width, 2 * hidden), (n, batch, width + 1, hidden), (n, batch, hidden),
            (batch, hidden), (batch, out_hidden), (batch, model.distribution.levels))]
        is_given = xp.asarray(given.astype('u1'))
        for i in range(height):
            gpu_state.launch(KERNEL, batch, [np.int32(i), np.int32(given[:, i].all()), *sizes]
                             + weights + [is_given, uniforms[i], samples, *memory])
            progress(width)


def _joined(links):
    """The weights and the biases of links, each stacked along a new first axis."""
    xp = links[0].xp
    return xp.stack([link.W.array for link in links]), xp.stack([link.b.array for link in links])


def _of_gates(blocks, name):
    """The weights and biases of a layer before the gates, (n, 2 hidden, inputs, …) and
    (n, 2 hidden)."""
    W, b = _joined([link for block in blocks for link in (block[name + '_t'], block[name + '_s'])])
    return W.reshape(len(blocks), -1, *W.shape[2:]), b.reshape(len(blocks), -1)


def _first_weights(model):
    """conv1 as the kernel takes it, the vertical and the horizontal stack: (2 hidden, places), or
    for labels (places, kinds, 2 hidden)."""
    (vertical,), _ = _of_gates([model.conv1], 'vertical_conv')           # (2 hidden, inputs, 4, 7)
    (horizontal,), _ = _of_gates([model.conv1], 'horizontal_conv')       # (2 hidden, inputs, 1, 7)
    horizontal = (horizontal * model.conv1.horizontal_mask)[..., :4]     # the others are 0
    for W in vertical, horizontal:
        if model.config.one_hot:
            tables = label_tables(W, model.in_channels)      # (rows, columns, C, K + 1, 2 hidden)
            yield tables.reshape(-1, *tables.shape[3:])[:, :-1]
        else:
            yield W.transpose(0, 2, 3, 1).reshape(len(W), -1)


def _block_weights(blocks):
    """The weights and biases of all blocks, in the order of the kernel's arguments."""
    xp, hidden = blocks[0].xp, len(blocks[0].horizontal_output.W)
    _, first_v_b = _of_gates(blocks[:1], 'vertical_conv')
    _, first_h_b = _of_gates(blocks[:1], 'horizontal_conv')
    vertical, horizontal = xp.zeros((0, 2 * hidden), 'f'), xp.zeros((0, 2 * hidden), 'f')
    vertical_b, horizontal_b = vertical, horizontal
    if blocks[1:]:
        vertical, vertical_b = _of_gates(blocks[1:], 'vertical_conv')    # (…, hidden, 2, 3)
        vertical = vertical.transpose(0, 1, 3, 4, 2)
        horizontal, horizontal_b = _of_gates(blocks[1:], 'horizontal_conv')
        horizontal = (horizontal * blocks[1].horizontal_mask)[..., 0, :2].transpose(0, 1, 3, 2)
    to_h, to_h_b = _of_gates(blocks, 'v_to_h_conv')
    output, output_b = _joined([block.horizontal_output for block in blocks])
    output = output[..., 0, 0]
    output[1:] *= blocks[-1].horizontal_output.mask[..., 0, 0]
    output[0] *= blocks[0].horizontal_output.mask[..., 0, 0]             # A in the author's form
    return (vertical, horizontal, xp.concatenate([first_v_b, vertical_b]), to_h[..., 0, 0],
            xp.concatenate([first_h_b, horizontal_b]) + to_h_b, output, output_b)


def _output_weights(model, temperature):
    """The weights and biases of conv2 and conv4; the latter are divided by the temperature, and
    their channels are sorted by colour."""
    colors = model.in_channels
    conv2, conv4 = [(link.W.array * link.mask)[..., 0, 0] for link in (model.conv2, model.conv4)]
    by_color = [array.reshape(-1, colors, *array.shape[1:]).swapaxes(0, 1) / np.float32(temperature)
                for array in (conv4, model.conv4.b.array)]
    return conv2, model.conv2.b.array, *by_color


def _of_classes(blocks, class_ids):
    """What the classes add to the vertical and to the horizontal gates, (n, B, 2 hidden) each; 0
    for the vertical gates of the last block, which are not computed."""
    xp = blocks[0].xp
    with chainer.no_backprop_mode():
        vertical, horizontal = zip(*embeddings(blocks, class_ids))
    horizontal = xp.stack([x.array for x in horizontal])
    vertical = [xp.zeros_like(horizontal[0]) if x is None else x.array for x in vertical]
    return xp.stack(vertical), horizontal
