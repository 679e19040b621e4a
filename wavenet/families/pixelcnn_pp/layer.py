"""The convolutions of PixelCNN++: shifted, strided and transposed, with weight normalization.

A shifted convolution sees no pixel below its own, and, where it is shifted to the right, none to
the right. Only the taps that a kernel has are multiplied (`masked_convolution.py`), and no row or
column is computed that is cropped.
"""
import chainer
import chainer.functions as F
import numpy as np

from wavenet.functions.masked_convolution import masked_convolution_2d
from wavenet.functions.weight_norm import normalized_kernel


class NormalizedConvolution(chainer.Link):
    """A layer with weight normalization, W = g V / |V|.

    Args:
        layer: a `wavenet.families.pixelcnn_pp.config.Layer`.
    """

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        V, g, b = layer.shapes.values()
        with self.init_scope():
            self.V = chainer.Parameter(chainer.initializers.Normal(0.05), V)
            self.g = chainer.Parameter(1, g)
            self.b = chainer.Parameter(0, b)
        kh, kw = layer.kernel
        # A kernel is the upper, or upper left, part of one whose centre is the pixel itself
        self.size = 2 * kh - 1, kw if layer.kind in ('down', 'dense') else 2 * kw - 1
        self.pad = self.size[0] // 2, self.size[1] // 2
        self.mask = np.zeros((layer.outputs, layer.inputs, *self.size), 'f')
        self.mask[:, :, :kh, :kw] = 1
        self.half_mask = self.mask[:, :layer.inputs // 2].copy()             # of one of two inputs

    def forward(self, x, other=None):
        """Feature maps (B, inputs, H, W) → (B, outputs, H, W), or half or twice of H and W.

        The input of a dense layer may be in two parts; see `_dense`.
        """
        layer = self.layer
        if other is not None:
            return self._dense(x, other, self.g, self.b)
        if layer.shift == 'down':                            # the last row is shifted away
            return F.pad(self._convolve(x[:, :, :-1], self.g, self.b),
                         ((0, 0), (0, 0), (1, 0), (0, 0)), 'constant')
        if layer.shift == 'right':
            return F.pad(self._convolve(x[:, :, :, :-1], self.g, self.b),
                         ((0, 0), (0, 0), (0, 0), (1, 0)), 'constant')
        return self._convolve(x, self.g, self.b)

    def initialize(self, x, other=None):
        """Sets g and b so that every output map has mean 0 and standard deviation `layer.scale`,
        and returns the output: as `forward`."""
        g, b = self.xp.ones_like(self.g.array), self.xp.zeros_like(self.b.array)
        y = self._convolve(x, g, b, cropped=False).array if other is None else \
            self._dense(x, other, g, b).array
        mean, variance = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3))
        self.g.array[...] = self.layer.scale / self.xp.sqrt(variance + 1e-10)
        self.b.array[...] = -mean * self.g.array
        return self(x, other)

    def _dense(self, x, other, g, b):
        """The dense layer of a nonlinearity of two joined arrays of maps, given that of each.

        A nonlinearity gives several maps for each one: [p(x), q(x)] of x and [p(z), q(z)] of the
        other, and of both joined [p(x), p(z), q(x), q(z)], which nobody has to join.
        """
        W = normalized_kernel(self.V[None, None], g)         # (outputs, inputs, 1, 1)
        maps = self.layer.outputs
        parts = F.reshape(W, (maps, -1, 2, maps, 1, 1))
        ones = self.half_mask
        y = masked_convolution_2d(x, F.reshape(parts[:, :, 0], ones.shape), b, ones)
        return y + masked_convolution_2d(other, F.reshape(parts[:, :, 1], ones.shape), None, ones)

    def _convolve(self, x, g, b, cropped=True):
        """The convolution without the shift. With `cropped` False, a transposed one is as
        TensorFlow computes it before it is cropped, with a border."""
        layer = self.layer
        V = self.V if layer.kind != 'dense' else self.V[None, None]
        if layer.is_transposed:
            return self._transposed(x, normalized_kernel(V, g, transposed=True), b, cropped)
        if layer.stride == 1:
            W = normalized_kernel(V, g, size=self.size)
            return masked_convolution_2d(x, W, b, self.mask, self.pad)
        # Only rows above are padded, and, of a kernel that is shifted to the right, columns left
        kh, kw = layer.kernel
        x = F.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (self.pad[1], 0)), 'constant')
        return F.convolution_2d(x, normalized_kernel(V, g), b, stride=layer.stride)

    def _transposed(self, x, W, b, cropped):
        """Every pixel writes kh × kw pixels at twice its place; of a kernel of odd width, one of
        them is to the left."""
        height, width = 2 * x.shape[2], 2 * x.shape[3]
        kh, kw = self.layer.kernel
        if not cropped:
            return F.deconvolution_2d(x, W, b, stride=2, outsize=(height + kh - 1, width + kw - 1))
        return F.deconvolution_2d(x, W, b, stride=2, pad=(0, (kw - 1) // 2 if kw % 2 else 0),
                                  outsize=(height, width))

    def device_resident_accept(self, visitor):
        super().device_resident_accept(visitor)
        self.mask, self.half_mask = [
            visitor.visit_array(mask) for mask in (self.mask, self.half_mask)]


class ClassWeights(chainer.Link):
    """What the class adds before the gate of a block: rows of `hw` (classes, 2 maps)."""

    def __init__(self, num_classes, maps):
        super().__init__()
        with self.init_scope():
            self.hw = chainer.Parameter(chainer.initializers.Normal(0.05), (num_classes, 2 * maps))

    def forward(self, class_ids):
        """int32 (B,) → (B, 2 maps, 1, 1)"""
        return F.embed_id(class_ids, self.hw)[:, :, None, None]
