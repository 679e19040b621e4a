"""The masked convolution as a Chainer function, for less work and in less memory.

A mask leaves 24 of the 49 taps of the first layer's kernel in use, and the pixel itself, and 4 of 9
of a block's, and the pixel itself. Only these are gathered, with the maps of a pixel side by side,

    columns (pixels, taps · I)     above left | above | above right | left | the pixel itself

so that a layer is one product of columns and weights (taps · I, O); a 1×1 layer has nothing to
gather. Of the pixel itself a map sees the maps of its own colour and those before, and the weights
for the others are zeros: three products that leave them out, one for each colour, take longer.

Maps are side by side in the result, too: it is a view (B, O, H', W') of an array (B, H', W', O), and
Chainer's functions keep that order of their inputs. A ReLU before the convolution is computed with
it, on pictures that are in the cache, and needs no memory from forward to backward.
"""
import weakref

import chainer
import chainer.functions as F
import numpy as np
from chainer import backend, function_node
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet import parallel

PARTS = 16       # of a batch, at most. Sums are over these, and so the same for any number of cores
CACHE = 2 ** 18  # values of columns at a time: about what a core's own cache holds


def masked_convolution_2d(x, W, b, mask, pad=0, relu=False):
    """`F.convolution_2d(x, W * mask, b, pad=pad)`, for less work.

    Args:
        x: input (B, in_channels, H, W), floating, its memory in any order.
        W: weights (out_channels, in_channels, kh, kw), of the same dtype. Where the mask is 0 their
            gradient is 0.
        b: biases (out_channels,), of the same dtype, or None.
        mask: 0/1 array of W's shape, on the same device, which must not change afterwards.
        pad: rows and columns of zeros around the pictures, one number or two.
        relu: whether x goes through a ReLU first: the convolution is of `F.relu(x)`.

    Returns: Variable (B, out_channels, H + 2 pad - kh + 1, W + 2 pad - kw + 1).

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    pad = pad if isinstance(pad, tuple) else (pad, pad)
    inputs = (x, W) if b is None else (x, W, b)
    return MaskedConvolution2DFunction(mask, pad, relu).apply(inputs)[0]


class MaskedConvolution2DFunction(function_node.FunctionNode):

    def __init__(self, mask, pad, relu):
        self.mask = mask
        self.pad = pad
        self.relu = relu

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
        x, W = _pixels_first(inputs[0]), inputs[1]
        xp = backend.get_array_module(x)
        taps = _taps(self.mask)
        weights = self._live(W, taps).transpose(2, 1, 0).reshape(-1, len(W))     # (taps · I, O)
        size = tuple(x.shape[1 + axis] + 2 * self.pad[axis] - W.shape[2 + axis] + 1
                     for axis in (0, 1))
        y = xp.empty((len(x),) + size + (len(W),), x.dtype)

        def work(parts):
            for _, pictures, columns in _gather(x, parts, taps, self.pad, size, self.relu):
                target = y[pictures].reshape(-1, len(W))
                xp.matmul(columns, weights, out=target)
                if len(inputs) == 3:
                    target += inputs[2]

        _share(work, x)
        return y.transpose(0, 3, 1, 2),

    def backward(self, indexes, grad_outputs):
        x, W = self.get_retained_inputs()
        gy, = grad_outputs
        if chainer.config.enable_backprop:
            return self._differentiable_backward(x, W, gy, indexes)
        compute = self._backward if 0 in indexes else self._backward_of_weights
        gradients = compute(_pixels_first(x.array), W.array, _pixels_first(gy.array))
        return tuple(chainer.as_variable(gradients[i]) for i in indexes)

    def _backward(self, x, W, gy):
        """gx, gW and gb: the pixels that a pixel is seen by, gathered once, give the first two"""
        xp = backend.get_array_module(x)
        out_channels, in_channels, kh, kw = W.shape
        taps = _taps(self.mask)
        weights = self._live(W, taps).transpose(2, 0, 1).reshape(-1, in_channels)  # (taps · O, I)
        turned = np.array([kh - 1, kw - 1]) - taps
        pad = kh - 1 - self.pad[0], kw - 1 - self.pad[1]
        gx = xp.empty(x.shape, x.dtype)
        zeros = xp.zeros(x.shape[1:], x.dtype)
        sums = {}

        def work(parts):
            for part, pictures, columns in _gather(gy, parts, turned, pad, x.shape[1:3]):
                target = gx[pictures].reshape(-1, in_channels)
                xp.matmul(columns, weights, out=target)
                seen = xp.maximum(x[pictures], zeros) if self.relu else x[pictures]
                seen = seen.reshape(-1, in_channels)
                if self.relu:
                    target *= seen > 0
                _add(sums, part, seen.T @ columns, gy[pictures].sum(axis=(0, 1, 2)))

        _share(work, x)
        gW, gb = _sum_up(sums)
        gW = gW.reshape(in_channels, len(taps), out_channels).transpose(2, 0, 1)
        return gx.transpose(0, 3, 1, 2), self._spread(gW, taps), gb

    def _backward_of_weights(self, x, W, gy):
        """The same where no gradient is asked for x, which may have few channels: the first layer"""
        out_channels, in_channels, _, _ = W.shape
        taps = _taps(self.mask)
        sums = {}

        def work(parts):
            for part, pictures, columns in _gather(
                    x, parts, taps, self.pad, gy.shape[1:3], self.relu):
                _add(sums, part, gy[pictures].reshape(-1, out_channels).T @ columns,
                     gy[pictures].sum(axis=(0, 1, 2)))

        _share(work, x)
        gW, gb = _sum_up(sums)
        gW = gW.reshape(out_channels, len(taps), in_channels).transpose(0, 2, 1)
        return None, self._spread(gW, taps), gb

    def _live(self, W, taps):
        """The masked weights of the taps: (O, I, kh, kw) → (O, I, taps)"""
        return (W * self.mask)[(Ellipsis,) + tuple(taps.T)]

    def _spread(self, gW, taps):
        """(O, I, taps) → (O, I, kh, kw), 0 where the mask is 0"""
        spread = backend.get_array_module(gW).zeros(self.mask.shape, gW.dtype)
        spread[(Ellipsis,) + tuple(taps.T)] = gW
        return spread * self.mask

    def _differentiable_backward(self, x, W, gy, indexes):
        """For second derivatives: the gradient as a graph, of Chainer's own functions."""
        xp = backend.get_array_module(gy.array)
        b = chainer.Variable(xp.zeros(W.shape[0], gy.dtype))  # its value does not matter here
        y = F.convolution_2d(F.relu(x) if self.relu else x, W * self.mask, b, pad=self.pad)
        return chainer.grad([y], [(x, W, b)[i] for i in indexes], [gy],
                            enable_double_backprop=True)


def _pixels_first(x):
    """(B, C, H, W) → (B, H, W, C), the maps of a pixel side by side in memory"""
    return backend.get_array_module(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def _share(work, x):
    """Calls work(parts) with the parts of the batch x, slices of it, on all cores at once."""
    if backend.get_array_module(x) is not np:
        return work([slice(0, len(x))])
    size = -(-len(x) // PARTS)
    parallel.share(work, [slice(start, start + size) for start in range(0, len(x), size)])


def _gather(x, parts, taps, pad, size, relu=False):
    """What each pixel of an output of this size sees of x (B, H, W, I), or of its ReLU, by the taps.

    Goes through the parts, some pictures at a time, and yields the part, the slice of its pictures,
    and their columns (pixels, taps · I), good until the next ones.
    """
    xp = backend.get_array_module(x)
    channels = x.shape[3]
    values = size[0] * size[1] * len(taps) * channels
    step = max(1, CACHE // values) if xp is np else len(x)
    # NumPy's maximum of two arrays is faster than that of an array and a number
    zeros = xp.zeros(x.shape[1:], x.dtype)
    copies = []
    for number, tap in enumerate(taps.tolist()):
        (to_y, of_y), (to_x, of_x) = [_inside(offset - p, n_in, n_out) for offset, p, n_in, n_out
                                      in zip(tap, pad, x.shape[1:3], size)]
        copies.append(((slice(None), to_y, to_x, number), (slice(None), of_y, of_x)))
    is_pixel_itself = len(taps) == 1 and x.shape[1:3] == size and pad == tuple(taps[0])
    # What lies outside of the picture stays 0: all write the same places.
    gathered = None if is_pixel_itself else xp.zeros(
        (min(step, len(x)),) + size + (len(taps), channels), x.dtype)
    for part in parts:
        for start in range(part.start, part.stop, step):
            pictures = slice(start, min(start + step, part.stop))
            seen = xp.maximum(x[pictures], zeros) if relu else x[pictures]
            columns = seen
            if not is_pixel_itself:
                columns = gathered[:len(seen)]
                for target, source in copies:
                    columns[target] = seen[source]
            yield part, pictures, columns.reshape(-1, len(taps) * channels)


def _inside(shift, n_in, n_out):
    """Where output positions i, and inputs i + shift, are both inside: two slices of one length"""
    start, stop = max(0, -shift), max(0, -shift, min(n_out, n_in - shift))
    return slice(start, stop), slice(start + shift, stop + shift)


def _add(sums, part, *arrays):
    """Adds arrays to those of the part"""
    sums[part.start] = [a + b for a, b in zip(sums[part.start], arrays)] \
        if part.start in sums else arrays


def _sum_up(sums):
    """The sums of all parts, added in their order, whichever was done first"""
    return [sum(arrays) for arrays in zip(*[sums[start] for start in sorted(sums)])]


_known_taps = {}  # by the id of the mask, as long as the mask lives


def _taps(mask):
    """(taps, 2) the positions (y, x) in the kernel at which any map sees any other"""
    key = id(mask)
    if key not in _known_taps:
        taps = np.argwhere(cuda.to_cpu(mask).any(axis=(0, 1)))
        _known_taps[key] = taps if len(taps) else np.array([[0, 0]])     # of a mask of nothing, one
        weakref.finalize(mask, _known_taps.pop, key, None)
    return _known_taps[key]
