"""Cached generation from PixelCNN on a GPU, row by row: see `wavenet/families/gpu_state.py`.

The kernel is draw_row.cu. One batched product before each launch computes what the row gets of the
row above.

In shapes, B is the number of images, C the number of colours, H and W the height and width of an
image, and n the number of blocks; `hidden`, `half` and `out_hidden` are numbers of feature maps: of
the blocks, inside of a block, and of conv2.
"""
import os

import numpy as np

from wavenet.families import gpu_state
from wavenet.families.pixelcnn.weights import (
    label_patch_tables,
    layer_orders,
    patch_weights,
    pixel_weights,
    sorted_weights,
)

KERNEL = gpu_state.read_kernel(os.path.dirname(os.path.abspath(__file__)), 'draw_row')


class RowCache(gpu_state.RowState):
    """Generation row by row."""

    def draw_rows(self, given, uniforms, progress):
        model, samples, xp = self.model, self.samples, self.model.xp
        batch, colors, height, width = samples.shape
        orders = layer_orders(model)
        for order in orders:
            order.order = xp.asarray(order.order)    # copied to the GPU once, not at each use
        n, hidden, half, out_hidden = len(model.blocks), *[order.count for order in orders[:3]]

        # What the 3×3 convolutions see of the last row, with a column of zeros on either side.
        # Three columns at a time are what a pixel of the next row sees.
        maps = xp.zeros((n, batch, width + 2, half), 'f')
        above = xp.lib.stride_tricks.as_strided(maps, (n, batch, width, 3 * half), maps.strides)
        context = xp.zeros((n, batch * width, half), 'f')
        weights_above = _weights_above(model, orders.half)

        sizes = [np.int32(size) for size in (
            height, width, colors, n, hidden, half, out_hidden, model.out_dims,
            model.distribution.levels if model.config.one_hot else 0)]
        weights = _kernel_weights(model, orders, self.temperature)
        given = xp.asarray(given.astype('u1'))
        of_one_pixel = [xp.zeros((batch, count), 'f') for count in (
            25 * colors - 1, hidden, (n + 1) * hidden, n * half, out_hidden,
            model.distribution.levels)]

        for i in range(height):
            if n:
                xp.matmul(above.reshape(n, batch * width, 3 * half), weights_above, out=context)
            gpu_state.launch(KERNEL, batch, [np.int32(i)] + sizes + weights
                             + [given, uniforms[i], samples, context, maps] + of_one_pixel)
            progress(width)


def _weights_above(model, half):
    """The weights of the blocks' 3×3 convolutions for the row above, (n, 3 half, half)."""
    stacked = model.xp.empty((len(model.blocks), 3 * half.count, half.count), 'f')
    for block, above in zip(model.blocks, stacked):
        W = sorted_weights(block.conv2, half, half)          # (half, half, 3, 3)
        above[...] = W[:, :, 0].transpose(2, 1, 0).reshape(above.shape)
    return stacked


def _kernel_weights(model, orders, temperature):
    """The weights and biases that the kernel takes, in the order of its arguments; those of the
    last layer are divided by the temperature."""
    xp, blocks = model.xp, model.blocks
    hidden, half, out_hidden, out = orders
    left = xp.empty((len(blocks), half.count, half.count), 'f')
    for block, W in zip(blocks, left):
        W[...] = sorted_weights(block.conv2, half, half)[:, :, 1, 0]

    def of_the_blocks(name, inputs, outputs):
        W = xp.empty((len(blocks), outputs.count, inputs.count), 'f')
        b = xp.empty((len(blocks), outputs.count), 'f')
        for number, block in enumerate(blocks):
            W[number], b[number] = pixel_weights(block[name], inputs, outputs)
        return [W, b]

    arrays = [
        *_conv1_weights(model, hidden), *pixel_weights(model.conv2, hidden, out_hidden),
        *[array / np.float32(temperature)
          for array in pixel_weights(model.conv4, out_hidden, out)], left,
        *of_the_blocks('conv1', hidden, half), *of_the_blocks('conv2', half, half),
        *of_the_blocks('conv3', half, hidden)]
    return [xp.ascontiguousarray(array, 'f') for array in arrays]


def _conv1_weights(model, hidden):
    """The weights and biases of conv1; of labels, (25 C, K, hidden), to look them up."""
    if not model.config.one_hot:
        return patch_weights(model.conv1, hidden)
    tables = model.xp.concatenate(label_patch_tables(model.conv1, hidden, model.in_channels))
    return tables[:, :-1], model.conv1.b.array[hidden.order]
