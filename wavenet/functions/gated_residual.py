"""What lies between the convolutions of PixelCNN++, as Chainer functions.

Feature maps (B, C, H, W) are (C, B, H, W) in memory, as the masked convolutions have them.
"""
import chainer
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import threads
from wavenet.functions.masked_convolution import channel_major


def concat_elu(x):
    """elu([x, -x]), the nonlinearity of PixelCNN++: twice as many feature maps.

    Args:
        x: floating (B, C, H, W).

    Returns: Variable (B, 2 C, H, W). It cannot be differentiated twice.
    """
    return ConcatElu().apply((x,))[0]


class ConcatElu(function_node.FunctionNode):
    """See `concat_elu`."""

    def check_type_forward(self, in_types):
        type_check.expect(in_types[0].dtype.kind == 'f', in_types[0].ndim == 4)

    def forward(self, inputs):
        x = channel_major(inputs[0])
        xp = backend.get_array_module(x)
        y = xp.empty((2 * len(x), *x.shape[1:]), x.dtype)

        def work(parts):
            for part in parts:
                values, plus, minus = x[:, part], y[:len(x), part], y[len(x):, part]
                xp.negative(values, out=minus)
                below = xp.minimum(values, minus)            # -|x|
                xp.exp(below, out=below)
                below -= 1                                   # the elu of -|x|, at least -|x| itself
                xp.maximum(values, below, out=plus)
                xp.maximum(minus, below, out=minus)

        _share(work, x)
        self.y = y
        return y.transpose(1, 0, 2, 3),

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('concat_elu cannot be differentiated twice')
        y, gy = self.y, channel_major(grad_outputs[0].array)
        xp = backend.get_array_module(y)
        count = len(y) // 2
        gx = xp.empty((count, *y.shape[1:]), y.dtype)

        def work(parts):
            for part in parts:
                # The slope of an elu is 1 above 0, and its value + 1 below
                slope = xp.minimum(y[:, part], 0)
                slope += 1
                slope *= gy[:, part]
                xp.subtract(slope[:count], slope[count:], out=gx[:, part])

        _share(work, gx)
        return chainer.as_variable(gx.transpose(1, 0, 2, 3)),


def gated_residual(x, d):
    """x + p · sigmoid(q), for the halves p and q of the maps of d.

    Args:
        x: floating (B, C, H, W).
        d: of the same dtype, (B, 2 C, H, W).

    Returns: Variable (B, C, H, W). It cannot be differentiated twice.
    """
    return GatedResidual().apply((x, d))[0]


class GatedResidual(function_node.FunctionNode):
    """See `gated_residual`."""

    def check_type_forward(self, in_types):
        x, d = in_types
        type_check.expect(x.dtype.kind == 'f', x.dtype == d.dtype, x.ndim == 4, d.ndim == 4,
                          d.shape[0] == x.shape[0], d.shape[1] == 2 * x.shape[1],
                          d.shape[2:] == x.shape[2:])

    def forward(self, inputs):
        x, d = map(channel_major, inputs)
        xp = backend.get_array_module(x)
        count = len(x)
        y, gate = xp.empty_like(x), xp.empty_like(x)

        def work(parts):
            for part in parts:
                s = gate[:, part]
                xp.multiply(d[count:, part], 0.5, out=s)     # sigmoid(q) = (1 + tanh(q / 2)) / 2
                xp.tanh(s, out=s)
                s *= 0.5
                s += 0.5
                xp.multiply(d[:count, part], s, out=y[:, part])
                y[:, part] += x[:, part]

        _share(work, x)
        self.p, self.gate = d[:count], gate
        return y.transpose(1, 0, 2, 3),

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('gated_residual cannot be differentiated twice')
        gy = channel_major(grad_outputs[0].array)
        xp = backend.get_array_module(gy)
        count = len(gy)
        gd = xp.empty((2 * count, *gy.shape[1:]), gy.dtype)

        def work(parts):
            for part in parts:
                s, g = self.gate[:, part], gy[:, part]
                of_p, of_q = gd[:count, part], gd[count:, part]
                xp.multiply(g, s, out=of_p)
                xp.subtract(1, s, out=of_q)
                of_q *= self.p[:, part]
                of_q *= of_p

        _share(work, gy)
        return grad_outputs[0], chainer.as_variable(gd.transpose(1, 0, 2, 3))


def _share(work, x):
    """Calls work(parts) on all cores at once. The parts are slices of the batch of x (C, B, …)."""
    maps, batch, height, width = x.shape
    step = threads.images_at_a_time(backend.get_array_module(x), batch,
                                    max(1, 4 * maps * height * width))
    threads.share(work, threads.parts_of(batch, step))
