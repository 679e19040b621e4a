"""The layers of WaveNet as one Chainer function, with less work and in less memory.

Chainer's dilated convolution gathers its inputs for the whole batch, computes positions that are
cropped, and keeps every array between its functions. Here each core takes a few recordings through
all layers while their feature maps are in its cache (`threads.py`), a tile of positions at a time:
it puts the inputs of the taps under each other, so that a dilated convolution is one product.

Memory: for each layer, recording and position, the input of the layer and tanh of both gates are
kept for backward, 3 C values; where there is no backward, nothing. All other arrays are as large as
a tile.
"""
import chainer
import numpy as np
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import threads

TILE = 2 ** 20     # values of the gates that are computed at once on a CPU. Smaller tiles would fit
                   # into a core's own cache, but NumPy's calls would then cost more than they save
LEAST_PARTS = 16   # of a batch, which the cores share


def causal_layers(x, layers, begun, length):
    """Gated, dilated, causal convolutions with residual and skip connections.

    A layer computes, from its input x: h = tanh(a) · sigmoid(b), where a and b are the first and
    the second half of the dilated convolution; y = W_out h + b_out; its output, x plus the first C
    maps of y; and its skip connection, the last C maps of y.

    Args:
        x: feature maps (B, C, N), floating.
        layers: (W, b, W_out, b_out, dilation, size) of each layer: weights (2 C, C, k), whose last
            tap sees the present; biases (2 C,), or (B, 2 C) for other ones of each recording;
            weights (C, C), or (2 C, C) where the skip connection has weights of its own; biases;
            the dilation; and how many of the last positions the layer computes, at least `length`
            and at most those of its input. Inputs before the first position are 0.
        begun: bool (B, T), T ≥ N, at whose last positions the outputs of layers are 0 where it is
            False.
        length: number of positions of the result.

    Returns: two Variables (B, C, length): the output of the last layer, and the sum of all skip
        connections, at the last positions. They cannot be differentiated twice.
    """
    arrays = [array for layer in layers for array in layer[:4]]
    places = [layer[4:] for layer in layers]
    return CausalLayersFunction(places, begun, length).apply((x, *arrays))


class CausalLayersFunction(function_node.FunctionNode):
    """See `causal_layers`."""

    def __init__(self, places, begun, length):
        self.places = places                  # (dilation, size) of each layer
        self.begun = begun
        self.length = length

    def check_type_forward(self, in_types):
        x, *arrays = in_types
        type_check.expect(x.dtype.kind == 'f', x.ndim == 3)
        for W, b, W_out, b_out in zip(*[iter(arrays)] * 4):
            type_check.expect(
                W.dtype == x.dtype, W.ndim == 3, W.shape[0] == 2 * x.shape[1],
                W.shape[1] == x.shape[1], b.dtype == x.dtype, b.shape[-1] == W.shape[0],
                W_out.dtype == x.dtype, W_out.shape[1] == x.shape[1],
                b_out.dtype == x.dtype, b_out.shape[0] == W_out.shape[0])

    def forward(self, inputs):
        x, *arrays = inputs
        xp = backend.get_array_module(x)
        self.retain_inputs((0,))
        batch, maps, size = x.shape
        self.kept = {}                        # (input, gates) of each layer, by the part's start
        self.layers = [Layer(*four, *place)
                       for four, place in zip(zip(*[iter(arrays)] * 4), self.places)]
        has_backward = chainer.config.enable_backprop       # here: other threads have their own
        last = xp.empty((batch, maps, self.length), x.dtype)
        skips = xp.zeros_like(last)

        def work(parts):
            for part in parts:
                kept = self.kept[part.start] = []
                h = x[part]                                           # (b, C, N)
                for layer in self.layers:
                    y, gates = layer.forward(h, part, skips[part], self._begun(part, layer.size))
                    if has_backward:
                        kept.append((h, gates))
                    h = y                                             # (b, C, layer.size)
                last[part] = h[:, :, h.shape[2] - self.length:]

        threads.share(work, self._parts(xp, x))
        return last, skips

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('the layers of WaveNet cannot be differentiated twice')
        x = self.get_retained_inputs()[0].array
        xp = backend.get_array_module(x)
        batch, maps, _ = x.shape
        g_last, g_skips = [xp.zeros((batch, maps, self.length), x.dtype) if g is None else g.array
                           for g in grad_outputs]
        gx = xp.empty_like(x)
        gradients = {}                                                # of each part

        def work(parts):
            for part in parts:
                of_part = []
                g = g_last[part]
                for layer, (h, gates) in zip(self.layers[::-1], self.kept[part.start][::-1]):
                    g, of_layer = layer.backward(h, gates, g, g_skips[part],
                                                 self._begun(part, layer.size))
                    of_part.append(of_layer)
                gx[part] = g
                gradients[part.start] = of_part[::-1]

        parts = self._parts(xp, x)
        threads.share(work, parts)
        result = [gx]
        for number, layer in enumerate(self.layers):
            result += layer.join([gradients[part.start][number] for part in parts])
        self.kept.clear()
        return tuple(chainer.as_variable(result[i]) for i in indexes)

    def _parts(self, xp, x):
        """The recordings that are computed together."""
        batch, maps, size = x.shape
        return threads.parts_of(batch, threads.images_at_a_time(
            xp, batch, 6 * maps * size, LEAST_PARTS))

    def _begun(self, part, size):
        """Where recordings have begun, bool (b, 1, size); None where all have. A GPU would have to
        be waited for to know that."""
        begun = self.begun[part, self.begun.shape[1] - size:]
        if isinstance(begun, np.ndarray) and begun.all():
            return None
        return begun[:, None]


class Layer:
    """One layer for some of the recordings, b of them.

    The second half of the convolution is halved: sigmoid(b) = (1 + tanh(b / 2)) / 2, so both gates
    are tanh. The factor 1 / 2 is in the weights of the output.
    """

    def __init__(self, W, bias, W_out, b_out, dilation, size):
        xp = backend.get_array_module(W)
        gates, self.maps, self.width = W.shape
        self.halves = xp.ones(gates, W.dtype)
        self.halves[self.maps:] = 0.5
        # Inputs of the first tap, the second, …: (2 C, k C)
        self.W = W.transpose(0, 2, 1).reshape(gates, -1) * self.halves[:, None]
        self.W_out = W_out * 0.5
        self.bias = bias * self.halves                                # (2 C,) or (B, 2 C)
        self.b_out = b_out[:, None]
        self.dilation, self.size = dilation, size

    def forward(self, x, part, skips, begun):
        """Feature maps (b, C, N) → (b, C, size), and tanh of both gates, (b, 2 C, size). Adds the
        skip connection to `skips`, (b, C, length)."""
        xp = backend.get_array_module(x)
        maps, size, past = self.maps, self.size, x.shape[2] - self.size
        gates = xp.empty((len(x), 2 * maps, size), x.dtype)
        y = xp.empty((len(x), maps, size), x.dtype)
        bias = self.bias[..., None] if self.bias.ndim == 1 else self.bias[part, :, None]
        for tile in tiles(xp, size, maps):
            of_tile = gates[:, :, tile]
            xp.matmul(self.W, self._inputs(x, tile), out=of_tile)
            of_tile += bias
            xp.tanh(of_tile, out=of_tile)
            out = xp.matmul(self.W_out, gated(of_tile))               # (b, C or 2 C, m)
            out += self.b_out
            xp.add(x[:, :, past + tile.start:past + tile.stop], out[:, :maps], out=y[:, :, tile])
            to, of = self._overlap(tile, skips)
            skips[:, :, to] += out[:, -maps:, of]
        if begun is not None:
            y *= begun
        return y, gates

    def backward(self, x, gates, gy, g_skips, begun):
        """Gradients of the layer's output (b, C, size) and of the skip connections (b, C, length) →
        of its input, (b, C, N), and of its parameters."""
        xp = backend.get_array_module(x)
        maps, size, past = self.maps, self.size, x.shape[2] - self.size
        if gy.shape[2] < size:         # of the last layer: only these positions have a gradient
            gy = xp.pad(gy, ((0, 0), (0, 0), (size - gy.shape[2], 0)), 'constant')
        if begun is not None:
            gy = gy * begun
        gx = xp.empty_like(x)
        gx[:, :, :past] = 0
        gx[:, :, past:] = gy
        gW, gW_out = xp.zeros_like(self.W), xp.zeros_like(self.W_out)
        g_bias = xp.zeros((len(x), 2 * maps), x.dtype)
        g_out_bias = xp.zeros(len(self.W_out), x.dtype)
        for tile in tiles(xp, size, maps):
            of_tile, inputs = gates[:, :, tile], self._inputs(x, tile)
            g_out = self._of_outputs(gy, g_skips, tile)               # (b, C or 2 C, m)
            gW_out += product(g_out, gated(of_tile))
            g_out_bias += g_out.sum(axis=(0, 2))
            gh = xp.matmul(self.W_out.T, g_out)                       # (b, C, m)
            g_gates = slope(of_tile)
            g_gates[:, :maps] *= gh
            gh *= of_tile[:, :maps]
            g_gates[:, maps:] *= gh
            gW += product(g_gates, inputs)
            g_bias += g_gates.sum(axis=2)
            g_inputs = xp.matmul(self.W.T, g_gates)                   # (b, k C, m)
            for tap in range(self.width):
                to, of = self._place(tap, tile, past)
                gx[:, :, to] += g_inputs[:, tap * maps:(tap + 1) * maps, of]
        return gx, (gW, g_bias, gW_out, g_out_bias)

    def join(self, gradients):
        """The gradients of W, b, W_out and b_out from those of all parts, in their order."""
        gW, g_bias, gW_out, g_out_bias = zip(*gradients)
        xp = backend.get_array_module(self.W)
        gW = sum(gW) * self.halves[:, None]
        g_bias = xp.concatenate(g_bias) * self.halves                 # (B, 2 C)
        return [gW.reshape(len(gW), self.width, self.maps).transpose(0, 2, 1),
                g_bias.sum(axis=0) if self.bias.ndim == 1 else g_bias,
                sum(gW_out) * 0.5, sum(g_out_bias)]

    def _place(self, tap, tile, past):
        """Where a tap sees the inputs of a tile: the positions of x, and those of the tile."""
        shift = past - (self.width - 1 - tap) * self.dilation
        first = max(tile.start, -shift)                               # before it, there is no input
        if first >= tile.stop:
            return slice(0, 0), slice(0, 0)
        return (slice(first + shift, tile.stop + shift),
                slice(first - tile.start, tile.stop - tile.start))

    def _inputs(self, x, tile):
        """What the taps see, one under the other: (b, k C, m)."""
        xp = backend.get_array_module(x)
        maps, past = self.maps, x.shape[2] - self.size
        inputs = xp.empty((len(x), self.width * maps, tile.stop - tile.start), x.dtype)
        for tap in range(self.width):
            seen, at = self._place(tap, tile, past)
            rows = inputs[:, tap * maps:(tap + 1) * maps]
            rows[:, :, :at.start] = 0
            if at.stop > at.start:
                rows[:, :, at] = x[:, :, seen]
            else:
                rows[...] = 0
        return inputs

    def _overlap(self, tile, skips):
        """Where the positions of a tile are in the last ones: the places in `skips`, and those in
        the tile."""
        before = self.size - skips.shape[2]
        first = max(tile.start, before)
        if first >= tile.stop:
            return slice(0, 0), slice(0, 0)
        return (slice(first - before, tile.stop - before),
                slice(first - tile.start, tile.stop - tile.start))

    def _of_outputs(self, gy, g_skips, tile):
        """The gradient of W_out h + b_out: that of the output and of the skip connection, which are
        the same maps or maps of their own."""
        xp = backend.get_array_module(gy)
        maps = self.maps
        g_out = xp.zeros((len(gy), len(self.W_out), tile.stop - tile.start), gy.dtype)
        g_out[:, :maps] = gy[:, :, tile]
        of, to = self._overlap(tile, g_skips)
        g_out[:, -maps:, to] += g_skips[:, :, of]
        return g_out


def gated(gates):
    """tanh of both gates, (b, 2 C, m) → twice tanh · sigmoid, (b, C, m)."""
    maps = gates.shape[1] // 2
    h = gates[:, maps:] + 1
    h *= gates[:, :maps]
    return h


def slope(gates):
    """tanh of both gates → the derivatives that do not depend on the other half: of tanh · (1 +
    tanh) with respect to the first half, and of 1 + tanh with respect to the second."""
    maps = gates.shape[1] // 2
    result = gates * gates
    result -= 1
    result *= -1                                                      # 1 - tanh²
    result[:, :maps] *= gates[:, maps:] + 1
    return result


def product(a, b):
    """Products (b, M, m) · (b, C, m)ᵀ of all recordings, summed: (M, C)."""
    return backend.get_array_module(a).matmul(a, b.transpose(0, 2, 1)).sum(axis=0)


def tiles(xp, size, maps):
    """Slices of the positions of a layer with so many maps; a GPU takes all at once."""
    return threads.parts_of(size, max(1, TILE // (2 * maps)) if xp is np else size)
