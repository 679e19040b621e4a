"""The masked convolution as a Chainer function: what the mask zeroes is neither gathered nor
multiplied.

The masks of this model are of a special kind: G maps see all that R maps see, and more, and B maps
all that G maps see. So the input values that count, gathered once and the most seen first, serve
every map by the first so many of them, and each colour is one matrix product:

    columns (K, H·W) of one picture
    ┌──────────────────────────────┐
    │ 1, for the bias              │
    │ the rows above, and the left │
    │ this pixel: R maps           │ K_R     R maps = weights[R, :K_R] @ columns[:K_R]
    │             G maps           │ K_G     G maps = weights[G, :K_G] @ columns[:K_G]
    │             B maps           │ K_B     B maps = weights[B, :K_B] @ columns[:K_B]
    └──────────────────────────────┘

`_Plan` finds this order in a mask. The gradient by the input is a masked convolution, too, of the
output's gradient, with kernel and mask turned around.
"""
import weakref

import chainer
import chainer.functions as F
import numpy as np
from chainer import backend, function_node
from chainer.backends import cuda
from chainer.utils import type_check


def masked_convolution_2d(x, W, b, mask, pad=0):
    """`F.convolution_2d(x, W * mask, b, pad=pad)`, for less work.

    Args:
        x: input (B, in_channels, H, W), floating.
        W: weights (out_channels, in_channels, kh, kw), of the same dtype. Where the mask is 0 their
            gradient is 0.
        b: biases (out_channels,), of the same dtype, or None.
        mask: 0/1 array of W's shape, on the same device, which must not change afterwards.
        pad: rows and columns of zeros around the pictures, one number or two.

    Returns: Variable (B, out_channels, H + 2 pad - kh + 1, W + 2 pad - kw + 1).

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    pad = pad if isinstance(pad, tuple) else (pad, pad)
    inputs = (x, W) if b is None else (x, W, b)
    return MaskedConvolution2DFunction(mask, pad).apply(inputs)[0]


class MaskedConvolution2DFunction(function_node.FunctionNode):

    def __init__(self, mask, pad):
        self.mask = mask
        self.pad = pad

    def check_type_forward(self, in_types):
        n_in = type_check.eval(in_types.size())
        x, W = in_types[0], in_types[1]
        type_check.expect(x.dtype.kind == 'f', W.dtype == x.dtype, x.ndim == 4, W.ndim == 4)
        type_check.expect(W.shape == self.mask.shape, x.shape[1] == W.shape[1])
        for axis in (0, 1):
            type_check.expect(x.shape[2 + axis] + 2 * self.pad[axis] >= W.shape[2 + axis])
        if n_in == 3:
            b = in_types[2]
            type_check.expect(b.dtype == x.dtype, b.ndim == 1, b.shape[0] == W.shape[0])

    def forward(self, inputs):
        self.retain_inputs((0, 1))
        x, W = inputs[:2]
        b = inputs[2] if len(inputs) == 3 else None
        return _convolve(x, W, b, self.mask, self.pad, _plan_of(self.mask)),

    def backward(self, indexes, grad_outputs):
        x, W = self.get_retained_inputs()
        gy, = grad_outputs
        if chainer.config.enable_backprop:
            return self._differentiable_backward(x, W, gy, indexes)
        x, W, gy = x.array, W.array, gy.array
        plan = _plan_of(self.mask)
        gradients = {}
        if 0 in indexes:
            pad = tuple(k - 1 - p for k, p in zip(W.shape[2:], self.pad))
            gradients[0] = _convolve(gy, _turn(W), None, _turn(self.mask), pad, plan.turned)
        if 1 in indexes or 2 in indexes:
            gradients[1], gradients[2] = _gradient_by_weights(
                x, gy, self.mask, self.pad, plan)
        return tuple(chainer.as_variable(gradients[i]) for i in indexes)

    def _differentiable_backward(self, x, W, gy, indexes):
        """For second derivatives: the gradient as a graph, of Chainer's own functions."""
        xp = backend.get_array_module(gy.array)
        b = chainer.Variable(xp.zeros(W.shape[0], gy.dtype))  # its value does not matter here
        y = F.convolution_2d(x, W * self.mask, b, pad=self.pad)
        return chainer.grad([y], [(x, W, b)[i] for i in indexes], [gy],
                            enable_double_backprop=True)


def _convolve(x, W, b, mask, pad, plan):
    """The arithmetic of the function: arrays (B, I, H, W), (O, I, kh, kw), (O,) → (B, O, H', W')"""
    xp = backend.get_array_module(x)
    weights = xp.zeros((len(W), plan.size), x.dtype)                 # (O, K)
    weights[:, 1:] = (W * mask).reshape(len(W), -1)[:, plan.order]
    if b is not None:
        weights[:, 0] = b
    height, width = _output_size(x, W.shape, pad)
    y = xp.empty((len(x), len(W), height * width), x.dtype)
    for part, columns in _gather(x, plan, pad, height, width):
        for maps, k in plan.groups:
            xp.matmul(weights[maps, :k], columns[:, :k], out=y[part, maps])
    return y.reshape(len(x), len(W), height, width)


def _gradient_by_weights(x, gy, mask, pad, plan):
    """gW of the mask's shape, and gb"""
    xp = backend.get_array_module(x)
    gy = gy.reshape(gy.shape[:2] + (-1,))                            # (B, O, H'·W')
    gradient = xp.zeros((len(mask), plan.size), x.dtype)             # (O, K)
    for part, columns in _gather(x, plan, pad, *_output_size(x, mask.shape, pad)):
        for maps, k in plan.groups:
            gradient[maps, :k] += xp.matmul(
                gy[part, maps], columns[:, :k].transpose(0, 2, 1)).sum(axis=0)
    gW = xp.zeros((len(mask), mask[0].size), x.dtype)
    gW[:, plan.order] = gradient[:, 1:]
    return gW.reshape(mask.shape) * mask, gradient[:, 0].copy()


def _output_size(x, shape, pad):
    return tuple(x.shape[2 + axis] + 2 * pad[axis] - shape[2 + axis] + 1 for axis in (0, 1))


def _turn(W):
    """Kernel or mask of the gradient by the input: (O, I, kh, kw) → (I, O, kh, kw), turned around"""
    return W.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]


def _gather(x, plan, pad, height, width):
    """For each part of the batch: its slice, and the input values that count, (part, K, H'·W').

    On a CPU a part is one picture, whose columns stay in the cache until they are multiplied.
    """
    xp = backend.get_array_module(x)
    size = 1 if xp is np else len(x)
    columns = xp.zeros((size, plan.size, height, width), x.dtype)
    columns[:, 0] = 1
    # What lies outside of the picture stays 0: every part writes the same places.
    copies = []
    for rows, channels, tap in plan.pieces:
        spans = [_inside(offset - p, n_in, n_out) for offset, p, n_in, n_out in zip(
            tap, pad, x.shape[2:], (height, width))]
        copies.append((columns[(slice(None), rows) + tuple(to for to, _ in spans)],
                       (slice(None), channels) + tuple(of for _, of in spans)))
    for start in range(0, len(x), size):
        part = slice(start, start + size)
        for target, source in copies:
            target[...] = x[part][source]
        yield part, columns.reshape(size, plan.size, height * width)


def _inside(shift, n_in, n_out):
    """Where output positions i, and inputs i + shift, are both inside: two slices of one length"""
    start, stop = max(0, -shift), max(0, -shift, min(n_out, n_in - shift))
    return slice(start, stop), slice(start + shift, stop + shift)


class _Plan:
    """What a mask says of the work.

    order: (K - 1,) numbers of the weights of an output map that count, as columns have them.
    size: K, which counts the bias.
    pieces: of the columns, as (rows of columns, input channels, (dy, dx)).
    groups: of output maps, as (maps, k): these maps see the first k columns.
    turned: the plan of the turned mask.
    """

    def __init__(self, mask):
        live = cuda.to_cpu(mask) != 0                                # (O, I, kh, kw)
        seen, group_of = np.unique(live.reshape(len(live), -1), axis=0, return_inverse=True)
        group_of = group_of.ravel()
        by_size = np.argsort(seen.sum(axis=1), kind='stable')
        groups = [np.flatnonzero(group_of == g) for g in by_size]
        nested = all((seen[a] <= seen[b]).all() for a, b in zip(by_size, by_size[1:]))
        if not nested or not all(isinstance(_selection(maps), slice) for maps in groups):
            # A mask of no such order: one product of all that any map sees, with zeros in it
            groups, by_size, seen = [np.arange(len(live))], [0], seen.any(axis=0)[None]

        # The rank of a weight: the first group that sees it
        rank = np.full(live.shape[1:], len(groups))
        for r, g in reversed(list(enumerate(by_size))):
            rank[seen[g].reshape(rank.shape)] = r
        order, self.pieces, self.groups = [], [], []
        numbers = np.arange(rank.size).reshape(rank.shape)
        for r, maps in enumerate(groups):
            for dy, dx in np.ndindex(rank.shape[1:]):
                channels = np.flatnonzero(rank[:, dy, dx] == r)
                if len(channels):
                    rows = slice(1 + len(order), 1 + len(order) + len(channels))
                    self.pieces.append((rows, _selection(channels), (dy, dx)))
                    order.extend(numbers[channels, dy, dx])
            self.groups.append((_selection(maps), 1 + len(order)))
        self.size = 1 + len(order)
        self.order = backend.get_array_module(mask).asarray(np.array(order, 'i8'))
        self._mask, self._turned = weakref.ref(mask), None

    @property
    def turned(self):
        if self._turned is None:
            self._turned = _Plan(_turn(self._mask()))
        return self._turned


def _selection(numbers):
    """Increasing numbers as a slice where they are evenly spaced, else as they are"""
    steps = np.diff(numbers)
    if len(numbers) > 1 and (steps != steps[0]).any():
        return numbers
    return slice(int(numbers[0]), int(numbers[-1]) + 1, int(steps[0]) if len(steps) else 1)


_plans = {}  # by the id of the mask, as long as the mask lives


def _plan_of(mask):
    key = id(mask)
    if key not in _plans:
        _plans[key] = _Plan(mask)
        weakref.finalize(mask, _plans.pop, key, None)
    return _plans[key]
