"""Weight normalization (Salimans and Kingma, 2016, arXiv 1602.07868) of convolution kernels.

Kernels V have the layout of TensorFlow, (kh, kw, in, out), and that of a transposed convolution
(kh, kw, out, in). The normalized kernel has that of Chainer, where the first two axes are the last
two of V, exchanged.
"""
import chainer
from chainer import backend, function_node
from chainer.utils import type_check

LEAST_SQUARE = 1e-12    # of a norm, as tf.nn.l2_normalize has it


def normalized_kernel(V, g, transposed=False, size=None):
    """W = g V / |V|, with one g and one norm for each output map.

    Args:
        V: floating (kh, kw, in, out), or (kh, kw, out, in) with `transposed`.
        g: of the same dtype, (out,).
        size: (height, width) of the result, at least that of V; rows below and columns to the right
            are 0. By default, that of V.

    Returns: Variable (out, in, height, width), or (in, out, height, width) with `transposed`. It
        cannot be differentiated twice.

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    return NormalizedKernel(transposed, size).apply((V, g))[0]


class NormalizedKernel(function_node.FunctionNode):
    """See `normalized_kernel`."""

    def __init__(self, transposed, size):
        self.out_axis = 1 if transposed else 0
        self.size = size

    def check_type_forward(self, in_types):
        V, g = in_types
        type_check.expect(V.dtype.kind == 'f', V.dtype == g.dtype, V.ndim == 4, g.ndim == 1,
                          V.shape[3 - self.out_axis] == g.shape[0])

    def _of_maps(self, array):
        """(out,) → to broadcast with the result."""
        return array[:, None, None, None] if self.out_axis == 0 else array[None, :, None, None]

    def _sum(self, kernel):
        """The sum of each output map's weights, (out,)."""
        return kernel.sum(axis=tuple(axis for axis in range(4) if axis != self.out_axis))

    def forward(self, inputs):
        V, g = inputs
        xp = backend.get_array_module(V)
        V = V.transpose(3, 2, 0, 1)
        self.inverse = 1 / xp.sqrt(xp.maximum(self._sum(V * V), V.dtype.type(LEAST_SQUARE)))
        self.retain_inputs((0, 1))
        height, width = V.shape[2:]
        W = xp.zeros((*V.shape[:2], *(self.size or (height, width))), V.dtype)
        W[:, :, :height, :width] = V * self._of_maps(g * self.inverse)
        return W,

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('weight normalization cannot be differentiated twice')
        V, g = [x.array for x in self.get_retained_inputs()]
        V = V.transpose(3, 2, 0, 1)
        gW = grad_outputs[0].array[:, :, :V.shape[2], :V.shape[3]]
        direction = V * self._of_maps(self.inverse)
        gg = self._sum(gW * direction)
        gV = gW - direction * self._of_maps(gg)
        gV *= self._of_maps(g * self.inverse)
        return chainer.as_variable(gV.transpose(2, 3, 1, 0)), chainer.as_variable(gg)
