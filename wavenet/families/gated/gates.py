"""The gates of a Gated PixelCNN block, as one Chainer function.

They are all that lies between the convolutions of a block: the gate of the vertical stack, the 1×1
convolutions from the vertical stack to the horizontal one, and the gate of the horizontal stack.
Each core computes all of it for a few images at a time, while their feature maps are in its cache.
"""
import chainer
import numpy as np
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import gpu_kernels, threads
from wavenet.functions.masked_convolution import as_matrix, channel_major


def gates(v, h, W_t, W_s, b_t, b_s, class_h, class_v=None):
    """Both gates of a block (van den Oord et al., 2016, figure 2 and equation 4).

        y_v = tanh(v_t + class_v_t) · sigmoid(v_s + class_v_s)
        y_h = tanh(h_t + W_t v_t + b_t + class_h_t) · sigmoid(h_s + W_s v_s + b_s + class_h_s)

    Args:
        v, h: outputs of the convolutions of the two stacks, floating (B, 2p, H, W), in any order of
            memory. The first p maps are v_t and h_t, the others v_s and h_s. B may be 0.
        W_t, W_s, b_t, b_s: weights (p, p, 1, 1) and biases (p,).
        class_h, class_v: what the class of each image adds to h and v, (B, 2p), divided in the same
            way. Without class_v, y_v is not computed.

    Returns: Variables y_v (or None) and y_h, each (B, p, H, W). They cannot be differentiated
    twice.

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    classes = (class_h,) if class_v is None else (class_h, class_v)
    y_h, *y_v = Gates().apply((v, h, W_t, W_s, b_t, b_s) + classes)
    return y_v[0] if y_v else None, y_h


class Gates(function_node.FunctionNode):
    """See `gates`. Outputs: y_h and, with class_v, y_v."""

    def check_type_forward(self, in_types):
        v, h, W_t, W_s, b_t, b_s = in_types[:6]
        type_check.expect(v.dtype.kind == 'f', v.ndim == 4, v.shape == h.shape,
                          v.shape[1] == 2 * W_t.shape[0])
        for x in in_types[1:]:
            type_check.expect(x.dtype == v.dtype)
        for W, b in ((W_t, b_t), (W_s, b_s)):
            type_check.expect(W.ndim == 4, W.shape == W_t.shape,
                              W.shape[1:] == W.shape[:1] + (1, 1),
                              b.ndim == 1, b.shape[0] == W.shape[0])
        for bias in in_types[6:]:
            type_check.expect(bias.ndim == 2, bias.shape[0] == v.shape[0],
                              bias.shape[1] == v.shape[1])

    def forward(self, inputs):
        v, h = _flat(inputs[0]), _flat(inputs[1])            # (2p, B, pixels)
        weights, biases, classes = [W[:, :, 0, 0] for W in inputs[2:4]], inputs[4:6], inputs[6:]
        xp = backend.get_array_module(v)
        maps = len(biases[0])
        halves = slice(maps), slice(maps, None)
        # tanh and sigmoid of the horizontal stack and, with class_v, of the vertical one
        self.gates = [xp.empty((2, maps) + v.shape[1:], v.dtype) for _ in classes]
        ys = [xp.empty_like(gate[0]) for gate in self.gates]

        def work(parts):
            for part in parts:
                summands = []                                # of the tanh, of the sigmoid
                for n, half in enumerate(halves):
                    gate = self.gates[0][n, :, part]
                    xp.matmul(weights[n], as_matrix(v[half, part]), out=as_matrix(gate))
                    offsets = (biases[n] + classes[0][part, half]).T[:, :, None]
                    summands.append([gate, h[half, part], offsets])
                _gate(*summands, *self.gates[0][:, :, part], ys[0][:, part])
                if len(classes) == 2:
                    summands = [[v[half, part], classes[1][part, half].T[:, :, None]]
                                for half in halves]
                    _gate(*summands, *self.gates[1][:, :, part], ys[1][:, part])

        _share(work, v)
        self.retain_inputs((0, 2, 3))
        self.retain_outputs(range(len(ys)))
        return tuple(_batch_first(y, inputs[0].shape[2:]) for y in ys)

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
        gclasses = [xp.empty((v.shape[1], 2 * maps), v.dtype) for _ in ys]
        gweights = {}

        def work(parts):
            for part in parts:
                before = gh[:, part]                         # (2p, images, pixels)
                if xp is np:                                 # a GPU takes the whole batch
                    before = xp.empty_like(before)
                self._before_gate(0, part, ys, gys, before)
                if xp is np:
                    gh[:, part] = before
                gclasses[0][part] = before.sum(axis=2).T
                for n, (half, W) in enumerate(zip(halves, weights)):
                    d = as_matrix(before[half])
                    xp.matmul(W.T, d, out=as_matrix(gv[half, part]))
                    gweights[part.start, n] = d @ as_matrix(v[half, part]).T
                if len(ys) == 2:
                    before = xp.empty_like(before)
                    self._before_gate(1, part, ys, gys, before)
                    gv[:, part] += before
                    gclasses[1][part] = before.sum(axis=2).T

        _share(work, v)
        # In the order of the parts, so that the sum is the same for any number of cores
        gWs = []
        for n, W in enumerate(weights):
            first, *others = [gweights[key] for key in sorted(gweights) if key[1] == n] or [
                xp.zeros_like(W)]
            gWs.append(sum(others, first)[:, :, None, None])
        gb = gclasses[0].sum(axis=0)
        gbs = [gb[half] for half in halves]
        gradients = [_batch_first(gv, size), _batch_first(gh, size)] + gWs + gbs + gclasses
        return tuple(chainer.as_variable(gradients[i]) for i in indexes)

    def _before_gate(self, stack, part, ys, gys, gradients):
        """Writes the gradients of the inputs of the tanh, and below them of the sigmoid, into an
        array (2p, images, pixels)."""
        (t, s), y, gy = self.gates[stack][:, :, part], ys[stack][:, part], gys[stack][:, part]
        d_t, d_s = gradients[:len(t)], gradients[len(t):]
        if backend.get_array_module(t) is not np:
            gpu_kernels.gate_gradient(t, s, y, gy, d_t, d_s)
            return
        np.multiply(y, t, out=d_t)                      # s (1 - t²) = s - y t
        np.subtract(s, d_t, out=d_t)
        d_t *= gy
        np.subtract(1, s, out=d_s)                      # t s (1 - s) = y (1 - s)
        d_s *= y
        d_s *= gy


def _gate(summands_t, summands_s, t, s, y):
    """Writes the tanh, the sigmoid, and their product: see `gpu_kernels.gate`."""
    if backend.get_array_module(t) is not np:
        gpu_kernels.gate(summands_t, summands_s, t, s, y)
        return
    for target, (first, second, *others) in ((t, summands_t), (s, summands_s)):
        np.add(first, second, out=target)
        for summand in others:
            target += summand
    np.tanh(t, out=t)
    s *= 0.5                                            # sigmoid(s) = (1 + tanh(s / 2)) / 2
    np.tanh(s, out=s)
    s *= 0.5
    s += 0.5
    np.multiply(t, s, out=y)


def _flat(x):
    """(B, C, H, W) → (C, B, H · W), contiguous."""
    batch, channels, height, width = x.shape
    return channel_major(x).reshape(channels, batch, height * width)


def _batch_first(x, size):
    """(C, B, H · W) → (B, C, H, W), a view."""
    return x.reshape(x.shape[:2] + size).transpose(1, 0, 2, 3)


def _share(work, v):
    """Calls work(parts) on all cores at once. The parts are slices of the batch of v."""
    maps, batch, pixels = v.shape                            # v and h have as many values each
    step = threads.images_at_a_time(backend.get_array_module(v), batch, 2 * maps * pixels)
    threads.share(work, threads.parts_of(batch, step))
