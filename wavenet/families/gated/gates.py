"""What a block of Gated PixelCNN does between its convolutions, as one Chainer function.

The vertical stack is gated, and it goes on to the horizontal one, through 1×1 convolutions, which is
gated then. All of that is done with a few pictures at a time, while their maps are in the cache, and
on all cores.
"""
import chainer
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import threads
from wavenet.functions.masked_convolution import channel_major, as_matrix


def gates(v, h, W_t, W_s, b_t, b_s, label_h, label_v=None):
    """Both gates of a block (van den Oord et al., 2016, figure 2 and equation 4).

        y_v = tanh(v_t + label_v_t) · sigmoid(v_s + label_v_s)
        y_h = tanh(h_t + W_t v_t + b_t + label_h_t) · sigmoid(h_s + W_s v_s + b_s + label_h_s)

    Args:
        v, h: what the convolutions of the two stacks give, floating (B, 2p, H, W), their memory in any
            order; the first p maps are …_t, the others …_s.
        W_t, W_s, b_t, b_s: weights (p, p, 1, 1) and biases (p,).
        label_h, label_v: for each picture, (B, 2p), divided like the maps. Without label_v, y_v is not
            computed.

    Returns: Variables y_v (or None) and y_h, each (B, p, H, W). They cannot be differentiated twice.

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    labels = (label_h,) if label_v is None else (label_h, label_v)
    y_h, *y_v = Gates().apply((v, h, W_t, W_s, b_t, b_s) + labels)
    return y_v[0] if y_v else None, y_h


class Gates(function_node.FunctionNode):

    def check_type_forward(self, in_types):
        v, h, W_t, W_s, b_t, b_s = in_types[:6]
        type_check.expect(v.dtype.kind == 'f', v.ndim == 4, v.shape == h.shape,
                          v.shape[1] == 2 * W_t.shape[0])
        for x in in_types[1:]:
            type_check.expect(x.dtype == v.dtype)
        for W, b in ((W_t, b_t), (W_s, b_s)):
            type_check.expect(W.ndim == 4, W.shape == W_t.shape, W.shape[1:] == W.shape[:1] + (1, 1),
                              b.ndim == 1, b.shape[0] == W.shape[0])
        for label in in_types[6:]:
            type_check.expect(label.ndim == 2, label.shape[0] == v.shape[0],
                              label.shape[1] == v.shape[1])

    def forward(self, inputs):
        v, h = _flat(inputs[0]), _flat(inputs[1])                            # (2p, B, pixels)
        weights, biases, labels = [W[:, :, 0, 0] for W in inputs[2:4]], inputs[4:6], inputs[6:]
        xp = backend.get_array_module(v)
        maps = len(biases[0])
        halves = slice(maps), slice(maps, None)
        # Of the horizontal stack and, if it is asked for, of the vertical one
        self.gates = [xp.empty((2, maps) + v.shape[1:], v.dtype) for _ in labels]
        ys = [xp.empty_like(gate[0]) for gate in self.gates]

        def work(parts):
            for part in parts:
                for n, half in enumerate(halves):
                    gate = self.gates[0][n, :, part]
                    xp.matmul(weights[n], as_matrix(v[half, part]), out=as_matrix(gate))
                    gate += h[half, part]
                    gate += (biases[n] + labels[0][part, half]).T[:, :, None]
                    if len(labels) == 2:
                        xp.add(v[half, part], labels[1][part, half].T[:, :, None],
                               out=self.gates[1][n, :, part])
                for gate, y in zip(self.gates, ys):
                    t, s = gate[:, :, part]
                    xp.tanh(t, out=t)
                    s *= 0.5                                                 # the sigmoid
                    xp.tanh(s, out=s)
                    s *= 0.5
                    s += 0.5
                    xp.multiply(t, s, out=y[:, part])

        _share(work, v)
        self.retain_inputs((0, 2, 3))
        self.retain_outputs(range(len(ys)))
        return tuple(_pictures_first(y, inputs[0].shape[2:]) for y in ys)

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('gates cannot be differentiated twice')
        v, *weights = [x.array for x in self.get_retained_inputs()]
        size, v = v.shape[2:], _flat(v)
        weights = [W[:, :, 0, 0] for W in weights]
        xp = backend.get_array_module(v)
        maps = len(weights[0])
        halves = slice(maps), slice(maps, None)
        ys = [_flat(y.array) for y in self.get_retained_outputs()]
        gys = [xp.zeros_like(y) if gy is None else _flat(gy.array)
               for y, gy in zip(ys, grad_outputs)]
        gv, gh = xp.empty_like(v), xp.empty_like(v)
        glabels = [xp.empty((v.shape[1], 2 * maps), v.dtype) for _ in ys]
        gweights = {}

        def work(parts):
            for part in parts:
                for n, (d, half, W) in enumerate(zip(self._closed(0, part, ys, gys), halves, weights)):
                    gh[half, part] = d
                    glabels[0][part, half] = d.sum(axis=2).T
                    xp.matmul(W.T, as_matrix(d), out=as_matrix(gv[half, part]))
                    gweights[part.start, n] = as_matrix(d) @ as_matrix(v[half, part]).T
                if len(ys) == 2:
                    for d, half in zip(self._closed(1, part, ys, gys), halves):
                        gv[half, part] += d
                        glabels[1][part, half] = d.sum(axis=2).T

        _share(work, v)
        # Added in one order, whichever was done first
        gWs = [sum((gweights[key] for key in sorted(gweights) if key[1] == n),
                   xp.zeros_like(W))[:, :, None, None] for n, W in enumerate(weights)]
        gbs = [glabels[0][:, half].sum(axis=0) for half in halves]
        gradients = [_pictures_first(gv, size), _pictures_first(gh, size)] + gWs + gbs + glabels
        return tuple(chainer.as_variable(gradients[i]) for i in indexes)

    def _closed(self, stack, part, ys, gys):
        """The gradients of what went into the tanh and into the sigmoid, (p, pictures, pixels)"""
        (t, s), y, gy = self.gates[stack][:, :, part], ys[stack][:, part], gys[stack][:, part]
        d_t = y * t                                     # s (1 - t²) = s - y t
        backend.get_array_module(t).subtract(s, d_t, out=d_t)
        d_t *= gy
        d_s = 1 - s                                     # t s (1 - s) = y (1 - s)
        d_s *= y
        d_s *= gy
        return d_t, d_s


def _flat(x):
    """(B, C, H, W) → (C, B, H · W), a map of all pictures in one piece of memory"""
    batch, channels, height, width = x.shape
    return channel_major(x).reshape(channels, batch, height * width)


def _pictures_first(x, size):
    """(C, B, H · W) → (B, C, H, W), a view"""
    return x.reshape(x.shape[:2] + size).transpose(1, 0, 2, 3)


def _share(work, v):
    """Calls work(parts) with slices of the batch of v (C, B, pixels), on all cores at once."""
    maps, batch, pixels = v.shape
    step = threads.images_at_a_time(backend.get_array_module(v), batch, 2 * maps * pixels)
    threads.share(work, threads.parts_of(batch, step))
