"""The cached way to generate on a GPU: a row of all pictures is one launch of a kernel.

Step by step, as on a CPU, a picture's value would be some hundred launches of kernels that have
next to nothing to do. But pictures do not wait for each other: `draw_row.cu` gives each a block of
threads of its own, which draws the whole row, so that only a block's threads wait for each other.
What the row gets of the row above is one batched product, before it.
"""
import os

import numpy as np
from chainer.backends import cuda

from wavenet.families.pixelcnn.weights import patch_weights, pixel_weights, sorted_weights
from wavenet.functions.colour_order import ColourOrder

THREADS = 1024                                   # of a block, 32 for each map that is computed

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'draw_row.cu')) as file:
    SOURCE = file.read()


def draw_rows(model, samples, first_row, uniforms, progress):
    """Fills in `samples` (B, C, H, W) from `first_row` on, with uniforms (H, W, C, B)."""
    xp = model.xp
    batch, colors, height, width = samples.shape
    blocks = list(model.blocks)
    n = len(blocks)
    hidden, half, out_hidden, out = [ColourOrder(count, colors) for count in (
        len(model.conv1.W), len(model.conv1.W) // 2, len(model.conv2.W), len(model.conv4.W))]
    size = half.count

    def of_the_pixel(link, inputs, outputs):
        """A layer's weights and biases, as the kernel takes them"""
        return [xp.ascontiguousarray(array) for array in pixel_weights(link, inputs, outputs)]

    def of_the_blocks(name, inputs, outputs):
        layers = [of_the_pixel(block[name], inputs, outputs) for block in blocks]
        shapes = (n, outputs.count, inputs.count), (n, outputs.count)
        return [_stack(arrays, shape, xp) for arrays, shape in zip(
            zip(*layers) if layers else ((), ()), shapes)]

    around = [sorted_weights(block.conv2, half, half) for block in blocks]   # (size, size, 3, 3)
    left = _stack([W[:, :, 1, 0] for W in around], (n, size, size), xp)
    weights_above = _stack([W[:, :, 0].transpose(2, 1, 0).reshape(3 * size, size) for W in around],
                           (n, 3 * size, size), xp)

    def zeros(*shape):
        return xp.zeros(shape, 'f')

    maps = zeros(n, batch, width + 2, size)
    above = xp.lib.stride_tricks.as_strided(
        maps, (n, batch, width, 3 * size), maps.strides)
    context = zeros(n, batch * width, size)
    sizes = [np.int32(number) for number in (
        height, width, colors, n, hidden.count, size, out_hidden.count, model.out_dims)]
    weights = sum([
        list(patch_weights(model.conv1, hidden)), of_the_pixel(model.conv2, hidden, out_hidden),
        of_the_pixel(model.conv4, out_hidden, out), [left], of_the_blocks('conv1', hidden, half),
        of_the_blocks('conv2', half, half), of_the_blocks('conv3', half, hidden)], [])
    of_one_pixel = [zeros(batch, count) for count in (
        25 * colors - 1, hidden.count, (n + 1) * hidden.count, n * size, out_hidden.count,
        max(model.out_dims, 2))]

    for i in range(height):
        if n:
            xp.matmul(above.reshape(n, batch * width, 3 * size), weights_above, out=context)
        _draw_row(batch, [np.int32(i), np.int32(i < first_row)] + sizes + weights
                  + [uniforms[i], samples, context, maps] + of_one_pixel)
        progress(width)


def _stack(arrays, shape, xp):
    """Arrays below each other; there may be none."""
    stacked = xp.empty(shape, 'f')
    for i, array in enumerate(arrays):
        stacked[i] = array
    return stacked


def _draw_row(batch, args):
    """Launches the kernel, and waits for it, so that the progress that is shown is true."""
    cuda.raw(SOURCE, 'draw_row')((batch,), (THREADS,), tuple(args))
    cuda.cupy.cuda.get_current_stream().synchronize()
