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
        self.transposed = transposed
        self.size = size

    def check_type_forward(self, in_types):
        V, g = in_types
        type_check.expect(V.dtype.kind == 'f', V.dtype == g.dtype, V.ndim == 4, g.ndim == 1,
                          V.shape[2 if self.transposed else 3] == g.shape[0])

    # All is computed in V's layout, in which the weights lie one after the other

    def _of_maps(self, array):
        """(out,) → to broadcast with V."""
        return array[:, None] if self.transposed else array

    def _sum(self, weights):
        """The sum of each output map's weights, of V's shape → (out,)."""
        return weights.sum(axis=(0, 1, 3) if self.transposed else (0, 1, 2))

    def forward(self, inputs):
        V, g = inputs
        xp = backend.get_array_module(V)
        self.inverse = 1 / xp.sqrt(xp.maximum(self._sum(V * V), V.dtype.type(LEAST_SQUARE)))
        self.retain_inputs((0, 1))
        height, width = V.shape[:2]
        W = xp.zeros((*V.shape[:1:-1], *(self.size or (height, width))), V.dtype)
        W[:, :, :height, :width] = (V * self._of_maps(g * self.inverse)).transpose(3, 2, 0, 1)
        return W,

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('weight normalization cannot be differentiated twice')
        V, g = [x.array for x in self.get_retained_inputs()]
        xp = backend.get_array_module(V)
        gW = grad_outputs[0].array[:, :, :V.shape[0], :V.shape[1]]
        gV = xp.ascontiguousarray(gW.transpose(2, 3, 1, 0))
        direction = V * self._of_maps(self.inverse)
        gg = self._sum(gV * direction)
        direction *= self._of_maps(gg)
        gV = gV - direction
        gV *= self._of_maps(g * self.inverse)
        return chainer.as_variable(gV), chainer.as_variable(gg)
