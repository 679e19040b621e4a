"""The masked convolution of labels: one input channel for each kind of label, and the values are 0
and 1 ("one-hot").

The input (B, K · C, H, W) is never made. A value has one channel that is 1, so its product with a
kernel is one column of the weights, and the convolution is a sum of columns that are looked up. The
work and the memory do not depend on the number of kinds K, apart from the weights themselves.
"""
import chainer
import numpy as np
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import threads
from wavenet.functions.products import products_of

MOST_PARTS = 16  # of a batch, which the cores share


def to_labels(x, levels):
    """Values in [0, 1], floating → the labels x · (levels - 1), int32 of the same shape.

    Exact for float32 values label / (levels - 1) and up to 65,536 levels.
    """
    xp = backend.get_array_module(x)
    return xp.rint(chainer.as_array(x) * (levels - 1)).astype('i')


def label_tables(weights, colors):
    """Weights (O, K · C, …), whose input channel k · C + c is for label k of colour c, as tables to
    look labels up: (…, C, K + 1, O). The last row of a table is 0, for what has no label.
    """
    xp = backend.get_array_module(weights)
    outputs, channels, *places = weights.shape
    kinds = channels // colors
    tables = xp.zeros((*places, colors, kinds + 1, outputs), weights.dtype)
    by_kind = weights.reshape(outputs, kinds, colors, *places)
    tables[..., :-1, :] = xp.moveaxis(by_kind, (0, 1, 2), (-1, -2, -3))
    return tables


def look_up(tables, labels):
    """Sums the rows of labels: tables (n, K + 1, O), labels (n, P) in {0, …, K} → (P, O)."""
    xp = backend.get_array_module(tables)
    total = xp.zeros((labels.shape[1], tables.shape[2]), tables.dtype)
    for table, seen in zip(tables, labels):
        total += table[seen]
    return total


def label_convolution_2d(labels, W, b, mask, pad):
    """`masked_convolution_2d` of the one-hot channels of labels.

    Args:
        labels: int32 (B, C, H, W). What is not in {0, …, K - 1} has no channel.
        W: weights (O, K · C, kh, kw), floating; channel k · C + c is for label k of colour c.
        b: biases (O,), of the same dtype, or None.
        mask: 0/1 array of W's shape, on the same device. It must not change afterwards.
        pad: rows and columns without labels around the images, two numbers.

    Returns: Variable (B, O, H + 2 pad - kh + 1, W + 2 pad - kw + 1). It cannot be differentiated
        twice.
    """
    if b is None:
        b = backend.get_array_module(mask).zeros(len(mask), W.dtype)
    return LabelConvolution2DFunction(mask, pad).apply((labels, W, b))[0]


class LabelConvolution2DFunction(function_node.FunctionNode):
    """See `label_convolution_2d`."""

    def __init__(self, mask, pad):
        self.mask = mask
        self.pad = pad
        (products, _), = products_of((mask,), (pad,))
        self.taps = products.taps              # the places of the kernel that the mask leaves

    def check_type_forward(self, in_types):
        labels, W, b = in_types
        type_check.expect(
            labels.dtype.kind == 'i', labels.ndim == 4, W.dtype.kind == 'f',
            W.shape == self.mask.shape, W.shape[1] % labels.shape[1] == 0,
            b.dtype == W.dtype, b.ndim == 1, b.shape[0] == W.shape[0])

    def forward(self, inputs):
        labels, W, b = inputs
        xp = backend.get_array_module(W)
        self.retain_inputs((0, 1))
        batch, colors, height, width = labels.shape
        (up, left), (kh, kw) = self.pad, W.shape[2:]
        size = height + 2 * up - kh + 1, width + 2 * left - kw + 1
        tables = [label_tables(W[:, :, i, j] * self.mask[:, :, i, j], colors) for i, j in self.taps]
        padded = xp.full((colors, batch, height + 2 * up, width + 2 * left),
                         W.shape[1] // colors, 'i')
        padded[..., up:up + height, left:left + width] = _known(labels, W).transpose(1, 0, 2, 3)
        y = xp.empty((batch, *size, len(W)), W.dtype)
        y[...] = b

        def work(parts):
            for part in parts:
                for table, (i, j) in zip(tables, self.taps):
                    seen = padded[:, part, i:i + size[0], j:j + size[1]]
                    y[part] += look_up(table, seen.reshape(colors, -1)).reshape(y[part].shape)

        step = batch if xp is not np else -(-batch // MOST_PARTS)
        threads.share(work, threads.parts_of(batch, step))
        return y.transpose(0, 3, 1, 2),

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('the convolution of labels cannot be differentiated twice')
        labels, W = [x.array for x in self.get_retained_inputs()]
        gy = grad_outputs[0].array
        gW = backend.get_array_module(W).zeros_like(W)
        if gy.size:
            self._add_gradient(labels, gy, gW)
        gradients = None, chainer.as_variable(gW), chainer.as_variable(gy.sum(axis=(0, 2, 3)))
        return tuple(gradients[i] for i in indexes)

    def _add_gradient(self, labels, gy, gW):
        """Writes the gradient of the weights: for each label the sum of gy where it was seen."""
        xp = backend.get_array_module(gW)
        _, colors, height, width = labels.shape
        (up, left), (kh, kw) = self.pad, gW.shape[2:]
        border = [(0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1), (0, 0)]
        gy = xp.pad(gy.transpose(0, 2, 3, 1), border, 'constant')
        orders = [_by_label(of_color, gW.shape[1] // colors)
                  for of_color in _known(labels, gW).transpose(1, 0, 2, 3)]

        def work(taps):
            for i, j in taps:
                row, column = up - i + kh - 1, left - j + kw - 1
                seen_by = gy[:, row:row + height, column:column + width].reshape(-1, gy.shape[3])
                for color, (order, starts) in enumerate(orders):
                    sums = xp.add.reduceat(seen_by[order], starts, axis=0)[:-1]
                    sums *= (starts[1:] > starts[:-1])[:, None]
                    gW[:, color::colors, i, j] = sums.T

        threads.share(work, self.taps)
        gW *= self.mask


def _known(labels, W):
    """Labels as they are; those for which W (O, K · C, kh, kw) has no channel become K."""
    kinds = W.shape[1] // labels.shape[1]
    xp = backend.get_array_module(labels)
    return xp.where((0 <= labels) & (labels < kinds), labels, kinds)


def _by_label(labels, kinds):
    """The numbers of the values, sorted by label, and where each label begins, 0 to `kinds`."""
    xp = backend.get_array_module(labels)
    # One value more, which has no label, so that no beginning is behind the last value
    labels = xp.append(labels.ravel(), xp.full(1, kinds, labels.dtype))
    order = xp.argsort(labels, kind='stable')
    starts = xp.searchsorted(labels[order], xp.arange(kinds + 1, dtype=labels.dtype))
    return xp.minimum(order, len(labels) - 2), starts
