"""Cached generation from PixelCNN on a CPU: each feature map of each pixel is computed once.

`cache_gpu.py` does the same on a GPU.

In shapes, B is the number of images, C the number of colours, W the width of an image and n the
number of blocks; `hidden`, `half` and `out_hidden` are numbers of feature maps: of the blocks,
inside of a block, and of conv2.
"""
from typing import NamedTuple

import numpy as np

from wavenet.families.pixelcnn.patch import LabelPatch, Patch
from wavenet.families.pixelcnn.weights import (
    Product,
    layer_orders,
    pixel_products,
    sorted_weights,
)
from wavenet.families.state import PixelState


class Cache(PixelState):
    """The feature maps of earlier pixels, as far as later pixels need them.

    Args:
        model: a `PixelCNN` on the CPU.
        samples: the images to generate, float32 (B, C, H, W).

    The maps of a pixel are sorted by colour and stored as (maps, B). Arrays that weights multiply
    hold the maps after their ReLU, below a row of ones for the bias.

    A 3×3 convolution sees the row above, the pixel to the left and the pixel itself. The products
    with the row above are one batched product for all blocks and pixels of a row (`start_row`),
    those with the pixel to the left are one batched product for all blocks (`end_pixel`), and those
    with the pixel itself are computed colour by colour (`logits`).
    """

    def __init__(self, model, samples):
        super().__init__(model, samples)
        batch, colors, _, width = samples.shape
        orders = layer_orders(model)
        make_patch = LabelPatch if model.config.one_hot else Patch
        self.patch = make_patch(model, orders.hidden, width, batch)
        self.neighbours = Neighbours(list(model.blocks), orders.half, width, batch)
        self.colour_steps = _colour_steps(model, orders, self.neighbours, batch)

    # These are called pixel by pixel, in the order of the pixels and of the colours.

    def start_row(self):
        self.patch.start_row()
        self.neighbours.start_row()

    def start_pixel(self, j):
        self.patch.start_pixel(j)
        self.neighbours.start_pixel(j)

    def logits(self, k):
        """The logits of colour k of the current pixel, (B, out_dims)."""
        dot, maximum = np.dot, np.maximum
        h, blocks, before_conv2, conv2, conv4, zeros = self.colour_steps[k]
        zero_hidden, zero_half, zero_out = zeros
        self.patch.convolve(k, h)
        for before1, (W1, x1, y1), (W2, x2, y2), context, (W3, x3, y3) in blocks:
            maximum(h, zero_hidden, out=before1)
            dot(W1, x1, out=y1)
            maximum(y1, zero_half, out=y1)
            dot(W2, x2, out=y2)
            y2 += context
            maximum(y2, zero_half, out=y2)
            dot(W3, x3, out=y3)
            h += y3
        maximum(h, zero_hidden, out=before_conv2)
        dot(*conv2)
        maximum(conv2.y, zero_out, out=conv2.y)
        dot(*conv4)
        return np.ascontiguousarray(conv4.y.T)

    def set_value(self, j, k, value):
        """Sets the value (B,) of colour k of pixel j, for the colours and pixels after it."""
        self.patch.set_value(j, k, value)

    def end_pixel(self, j):
        self.neighbours.end_pixel(j)


class Neighbours:
    """What the 3×3 convolution of each block gets of the row above and of the pixel to the left."""

    def __init__(self, blocks, half, width, batch):
        n, size = len(blocks), half.count
        # The input of the convolutions: of the current pixel, below a row of ones …
        self.pixel = _below_ones(n, size, batch)             # (n, 1 + half, B)
        self.maps = self.pixel[:, 1:]
        # … and of the row, with a column of zeros on either side
        self.row = _zeros(n, width + 2, size, batch)
        # Three columns at a time are what a pixel of the next row sees
        self.above = np.lib.stride_tricks.as_strided(
            self.row, (n, width, 3 * size, batch), self.row.strides)

        self.weights_above = _zeros(n, 1, size, 3 * size)
        self.weights_left = _zeros(n, size, size)
        for block, above, left in zip(blocks, self.weights_above[:, 0], self.weights_left):
            W = sorted_weights(block.conv2, half, half)      # (half, half, 3, 3)
            above[...] = W[:, :, 0].transpose(0, 2, 1).reshape(size, 3 * size)
            left[...] = W[:, :, 1, 0]

        self.from_above = _zeros(n, width, size, batch)
        self.from_left = _zeros(n, size, batch)
        self.from_both = _zeros(n, size, batch)

    def start_row(self):
        np.matmul(self.weights_above, self.above, out=self.from_above)
        self.from_left[...] = 0

    def start_pixel(self, j):
        np.add(self.from_above[:, j], self.from_left, out=self.from_both)

    def end_pixel(self, j):
        np.matmul(self.weights_left, self.maps, out=self.from_left)
        self.row[:, 1 + j] = self.maps


class BlockStep(NamedTuple):
    """The arrays with which one colour goes through one block."""
    before1: np.ndarray  # the colour's maps before conv1, after their ReLU
    conv1: Product
    conv2: Product       # of the pixel itself
    context: np.ndarray  # what conv2 gets of the neighbours, for the maps of the colour
    conv3: Product


class ColourStep(NamedTuple):
    """The arrays with which one colour goes through the network."""
    h: np.ndarray             # the colour's maps between the blocks
    blocks: list              # of BlockStep
    before_conv2: np.ndarray  # the colour's maps before conv2, after their ReLU
    conv2: Product
    conv4: Product
    # Zeros for the ReLUs: (maps of the colour, B) for hidden, half and out_hidden. NumPy's maximum
    # of two arrays is faster than that of an array and a number.
    zeros: tuple


def _colour_steps(model, orders, neighbours, batch):
    """A list of `ColourStep`, one for each colour."""
    hidden, half, out_hidden, out = orders
    colors = model.in_channels
    h = _zeros(hidden.count, batch)
    before_conv2, before_conv4 = [_below_ones(order.count, batch) for order in (hidden, out_hidden)]
    conv2 = pixel_products(model.conv2, hidden, out_hidden, before_conv2, before_conv4[1:])
    conv4 = pixel_products(model.conv4, out_hidden, out, before_conv4, _zeros(out.count, batch))
    blocks = _block_steps(model.blocks, orders, neighbours, batch)
    return [ColourStep(
        h[hidden.of(k)], [steps[k] for steps in blocks], before_conv2[1:][hidden.of(k)], conv2[k],
        conv4[k], tuple(_zeros(len(order.order[order.of(k)]), batch)
                        for order in (hidden, half, out_hidden)))
        for k in range(colors)]


def _block_steps(blocks, orders, neighbours, batch):
    """For each block, a list of `BlockStep`, one for each colour."""
    hidden, half, _, _ = orders
    residual = _zeros(hidden.count, batch)
    steps = []
    for block, before2, context in zip(blocks, neighbours.pixel, neighbours.from_both):
        before1, before3 = _below_ones(hidden.count, batch), _below_ones(half.count, batch)
        conv1 = pixel_products(block.conv1, hidden, half, before1, before2[1:])
        conv2 = pixel_products(block.conv2, half, half, before2, before3[1:])
        conv3 = pixel_products(block.conv3, half, hidden, before3, residual)
        steps.append([
            BlockStep(before1[1:][hidden.of(k)], conv1[k], conv2[k], context[half.of(k)], conv3[k])
            for k in range(len(conv1))])
    return steps


def _zeros(*shape):
    return np.zeros(shape, 'f')


def _below_ones(*shape):
    """Zeros (…, 1 + maps, B) below a row of ones, for the shape (…, maps, B)."""
    *others, maps, batch = shape
    array = _zeros(*others, 1 + maps, batch)
    array[..., 0, :] = 1
    return array
