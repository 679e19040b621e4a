"""The cached way to generate: each feature map of each pixel is computed once, when its turn comes.

This is for CPUs, where NumPy's products are fast; `cached_gpu.py` is for GPUs.
"""
import math

import numpy as np
from chainer import backend

from wavenet.functions.colour_order import ColourOrder


class Cache:
    """The feature maps that are done, as far as later pixels need them.

    Inside, maps are sorted by colour: those that a colour's maps depend on are then one slice, from
    the first on. The maps of a pixel are (maps, B) arrays; where weights multiply them they are
    stored after the ReLU that comes before the weights, and below a row of ones, for the bias.

    What a 3×3 convolution gets of the row above is one batched product for the whole row, over all
    layers and pixels (`start_row`); what it gets of the pixel to the left, one over all layers
    (`end_pixel`); and what comes of the pixel itself is computed colour by colour (`logits`).
    """

    def __init__(self, model, batch, width):
        colors = model.in_channels
        blocks = list(model.blocks)
        n = len(blocks)
        hidden, half, out_hidden, out = [ColourOrder(count, colors) for count in (
            len(model.conv1.W), len(model.conv1.W) // 2, len(model.conv2.W), len(model.conv4.W))]
        size = half.count

        def zeros(*shape):
            return np.zeros(shape + (batch,), 'f')

        def below_ones(*shape):
            array = zeros(*shape[:-1] + (1 + shape[-1],))
            array[..., 0, :] = 1
            return array

        # What conv1 sees: 1, three rows above, three pixels to the left, the colours before
        self.values = zeros(colors, 4, 3 + width + 3)        # three rows, this row, and the border
        self.patch = zeros(1 + 24 * colors + colors - 1)
        self.patch[0] = 1
        self.patch_above, self.patch_left, self.patch_center = [
            self.patch[start:start + length] for start, length in (
                (1, 21 * colors), (1 + 21 * colors, 3 * colors), (1 + 24 * colors, colors - 1))]

        # What the 3×3 convolution of each block sees: the pixel, and for the next row all of this
        # one's, with a column of zeros on either side. Three columns at a time are one's taps above.
        pixel = below_ones(n, size)
        self.maps = pixel[:, 1:]                             # (n, size, B)
        self.done = zeros(n, width + 2, size)
        self.above = np.lib.stride_tricks.as_strided(
            self.done, (n, width, 3 * size, batch), self.done.strides)
        self.from_above = zeros(n, width, size)
        self.from_left = zeros(n, size)
        self.from_both = zeros(n, size)
        self.weights_above = np.zeros((n, 1, size, 3 * size), 'f')
        self.weights_left = np.zeros((n, size, size), 'f')
        for block, above, left in zip(blocks, self.weights_above[:, 0], self.weights_left):
            W = sorted_weights(block.conv2, half, half)     # (size, size, 3, 3)
            above[...] = W[:, :, 0].transpose(0, 2, 1).reshape(size, 3 * size)
            left[...] = W[:, :, 1, 0]

        # The work of each colour: products of slices of arrays that are made once
        h, residual = zeros(hidden.count), zeros(hidden.count)
        before1, before3 = below_ones(n, hidden.count), below_ones(n, size)
        before_conv2, before_conv4 = below_ones(hidden.count), below_ones(out_hidden.count)
        logits = zeros(out.count)

        def products(link, inputs, outputs, x, result):
            ends = [1 + inputs.until(k) for k in range(colors)]
            return color_products(pixel_weights(link, inputs, outputs), outputs, ends, x, result)

        conv1 = color_products(patch_weights(model.conv1, hidden), hidden,
                               [1 + 24 * colors + k for k in range(colors)], self.patch, h)
        conv2 = products(model.conv2, hidden, out_hidden, before_conv2, before_conv4[1:])
        conv4 = products(model.conv4, out_hidden, out, before_conv4, logits)
        chains = [list(zip(
            (one[1:][hidden.of(k)] for k in range(colors)),
            products(block.conv1, hidden, half, one, two[1:]),
            products(block.conv2, half, half, two, three[1:]),
            (context[half.of(k)] for k in range(colors)),
            products(block.conv3, half, hidden, three, residual)))
            for block, one, two, three, context in zip(
                blocks, before1, pixel, before3, self.from_both)]
        self.steps = [
            (conv1[k], [chain[k] for chain in chains], before_conv2[1:][hidden.of(k)],
             conv2[k], conv4[k]) for k in range(colors)]
        # NumPy's maximum of two arrays is faster than that of an array and a number
        self.zeros = [[zeros(maps.of(k).stop - maps.of(k).start) for maps in (
            hidden, half, out_hidden)] for k in range(colors)]

    # These are called pixel by pixel, in the order of the pixels and of the colours.

    def start_row(self):
        """What the row gets of the row above"""
        np.matmul(self.weights_above, self.above, out=self.from_above)
        self.from_left[...] = 0
        self.values[:, :3] = self.values[:, 1:].copy()  # a copy, since they overlap

    def start_pixel(self, j):
        """What the pixel gets of the row above and of the pixel to the left"""
        colors, _, _, batch = self.values.shape
        self.patch_above.reshape(colors, 3, 7, batch)[...] = self.values[:, :3, j:j + 7]
        self.patch_left.reshape(colors, 3, batch)[...] = self.values[:, 3, j:j + 3]
        np.add(self.from_above[:, j], self.from_left, out=self.from_both)

    def logits(self, k):
        """The logits of this pixel's colour k, (B, out_dims)"""
        dot, maximum = np.dot, np.maximum
        (W, x, h), chains, last, (W_conv2, x_conv2, output), (W_conv4, x_conv4, logits) = \
            self.steps[k]
        zero_hidden, zero_half, zero_output = self.zeros[k]
        dot(W, x, out=h)
        for one, (W1, x1, two), (W2, x2, three), context, (W3, x3, residual) in chains:
            maximum(h, zero_hidden, out=one)
            dot(W1, x1, out=two)
            maximum(two, zero_half, out=two)
            dot(W2, x2, out=three)
            three += context
            maximum(three, zero_half, out=three)
            dot(W3, x3, out=residual)
            h += residual
        maximum(h, zero_hidden, out=last)
        dot(W_conv2, x_conv2, out=output)
        maximum(output, zero_output, out=output)
        dot(W_conv4, x_conv4, out=logits)
        return np.ascontiguousarray(logits.T)

    def set_value(self, j, k, value):
        """The value (B,) of colour k, for the colours and the pixels after it"""
        self.values[k, 3, 3 + j] = value
        self.patch_center[k:k + 1] = value

    def end_pixel(self, j):
        """Keeps the pixel's maps, and what the next one gets of them"""
        np.matmul(self.weights_left, self.maps, out=self.from_left)
        self.done[:, 1 + j] = self.maps


def sorted_weights(link, inputs, outputs):
    """The masked weights of a convolution, (O, I, kh, kw), with its maps sorted by colour"""
    return (link.W.array * link.mask)[outputs.order][:, inputs.order]


def pixel_weights(link, inputs, outputs):
    """Those of the pixel itself, (O, I), and the biases (O,)"""
    _, _, kh, kw = link.W.shape
    W = sorted_weights(link, inputs, outputs)[:, :, kh // 2, kw // 2]
    return W, link.b.array[outputs.order]


def patch_weights(conv1, outputs):
    """Those of conv1, which sees pixels above and to the left, and of the pixel the colours before:
    (O, 24 · colors + colors - 1), and the biases (O,)"""
    xp = conv1.xp
    W = (conv1.W.array * conv1.mask)[outputs.order]                          # (O, colors, 7, 7)
    seen = [W[:, :, :3], W[:, :, 3, :3], W[:, :-1, 3, 3]]
    W = xp.concatenate([part.reshape(len(W), math.prod(part.shape[1:])) for part in seen], axis=1)
    return W, conv1.b.array[outputs.order]


def color_products(weights, outputs, ends, x, result):
    """What each colour gets of the pixel itself: a list of weights, what they multiply, the result

    weights: W (O, I) and biases (O,). x: (1 + I, B), below a row of ones, of which colour k sees the
    first ends[k].
    """
    W, b = weights
    xp = backend.get_array_module(W)
    W = xp.concatenate([b[:, None], W], axis=1)                              # (O, 1 + I)
    return [(xp.ascontiguousarray(W[outputs.of(k), :end]), x[:end], result[outputs.of(k)])
            for k, end in enumerate(ends)]
