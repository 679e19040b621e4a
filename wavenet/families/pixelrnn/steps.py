"""An LSTM over whole rows or diagonals of an image, as one Chainer function.

PixelRNN (arXiv 1601.06759, 3.1 to 3.3) goes through an image step by step: a step is a row, or a
diagonal. All positions of a step are computed at once, in one product, from the states of the step
before. What the inputs give to the gates is there already, for the whole image.

Arrays are (T, G, maps, N, B): T steps, G directions that run side by side with weights of their
own, N positions of a step, B images. A shift by one position is a shift by B values of memory, and
positions that follow each other are a slice of the columns of a matrix.
"""
import chainer
import numpy as np
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import gpu_kernels

ROW, DIAGONAL = (-1, 0, 1), (-1, 0)     # the positions of the step before that a position sees


def lstm_steps(z, W, taps, spans=None, h_start=None, c_start=None):
    """The maps h of an LSTM whose state is convolved: for each step t,

    [o, f, i, g] = z(t) + W * h(t - 1), then a sigmoid for o, f and i, and tanh for g;
    c(t) = f c(t - 1) + i g;  h(t) = o tanh(c(t)).

    Args:
        z: what the gates get of the inputs, with biases, floating (T, G, 4h, N, B), each gate a
            block of h maps.
        W: weights, of the same dtype, (G, 4h, h, taps).
        taps: for each tap, the place of what it sees: -1 for the position before.
        spans: for each step, (start, stop) of the positions that exist; h and c are 0 elsewhere.
            None for all positions.
        h_start, c_start: the state before the first step, (G, h, N, B); None for zeros.

    Returns: Variable (T, G, h, N, B). It has no second derivatives.

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    return _apply(z, W, taps, spans, h_start, c_start)[0]


def cells(z, W, taps, spans=None):
    """The cells c of the same LSTM, an array (T, G, h, N, B)."""
    function = LSTMSteps(taps, spans)
    function.apply([z, W])
    return function.c


def _apply(z, W, taps, spans, h_start, c_start):
    start = [] if h_start is None else [h_start, c_start]
    return LSTMSteps(taps, spans).apply([z, W, *start])


class LSTMSteps(function_node.FunctionNode):
    """See `lstm_steps`. Inputs: z, W and, where there is a start, h and c."""

    def __init__(self, taps, spans):
        self.taps, self.spans = taps, spans

    def check_type_forward(self, in_types):
        z, W, *start = in_types
        type_check.expect(z.dtype.kind == 'f', z.ndim == 5, W.dtype == z.dtype, W.ndim == 4,
                          W.shape[0] == z.shape[1], W.shape[1] == z.shape[2],
                          W.shape[1] == 4 * W.shape[2], W.shape[3] == len(self.taps))
        for of_start in start:
            type_check.expect(of_start.dtype == z.dtype, of_start.shape[0] == z.shape[1],
                              of_start.shape[1] == W.shape[2], of_start.shape[2] == z.shape[3],
                              of_start.shape[3] == z.shape[4])

    def forward(self, inputs):
        self.retain_inputs((1,))
        z, W, *start = inputs
        xp = backend.get_array_module(z)
        steps, directions, gates, positions, batch = z.shape
        h = gates // 4
        rows = len(self.taps) * h
        matrix = _scaled(W, h)
        # The gates, with z in them at first, (T, G, 4h, N B), and the states
        columns = positions * batch
        self.gates = xp.array(z, order='C').reshape(steps, directions, gates, columns)
        self.gates[:, :, :3 * h] *= 0.5
        self.c = xp.zeros((steps, directions, h, positions, batch), z.dtype)
        # What each step sees of the states before: its taps' maps, one below the other. The tap of
        # the same position holds the states themselves.
        self.seen = xp.zeros((steps + 1, directions, rows, columns), z.dtype)
        c = self.c.reshape(steps, directions, h, columns)
        itself = h * self.taps.index(0)
        y = self.seen[1:, :, itself:itself + h]
        self.c_start = None
        if start:
            self.seen[0, :, itself:itself + h] = start[0].reshape(directions, h, columns)
            self._see(0, start[0])
            self.c_start = start[1].reshape(directions, h, columns)
        for t, span in enumerate(self._spans(steps, positions, batch)):
            product = before = None
            if t or start:
                product = xp.matmul(matrix, self.seen[t, :, :, span])
                before = (c[t - 1] if t else self.c_start)[:, :, span]
            take_step = _take_step if xp is np else gpu_kernels.lstm_step
            take_step(self.gates[t, :, :, span], product, before, c[t, :, :, span],
                      y[t, :, :, span])
            if t + 1 < steps:
                self._see(t + 1, y[t].reshape(directions, h, positions, batch))
        return xp.ascontiguousarray(y).reshape(self.c.shape),

    def backward(self, indexes, grad_outputs):
        W, = self.get_retained_inputs()
        gradients = self._backward(W.array, grad_outputs[0].array)
        return tuple(chainer.as_variable(gradients[index]) for index in indexes)

    def _backward(self, W, gy):
        xp = backend.get_array_module(gy)
        steps, directions, h, positions, batch = gy.shape
        turned = W.transpose(0, 3, 2, 1).reshape(directions, -1, 4 * h)   # (G, taps h, 4h)
        c = self.c.reshape(steps, directions, h, positions * batch)
        gz = xp.zeros(self.gates.shape, gy.dtype)
        gh = xp.zeros((directions, h, positions, batch), gy.dtype)    # from the step after
        gc = xp.zeros((directions, h, positions * batch), gy.dtype)
        for t, span in reversed(list(enumerate(self._spans(steps, positions, batch)))):
            gh += gy[t]
            dh = gh.reshape(gc.shape)[:, :, span]
            o, f, i, g = [self.gates[t, :, n * h:(n + 1) * h, span] for n in range(4)]
            to_o, to_f, to_i, to_g = [gz[t, :, n * h:(n + 1) * h, span] for n in range(4)]
            tanh_c = xp.tanh(c[t, :, :, span])
            dc = gc[:, :, span]                              # views: gc becomes that of t - 1
            dc += dh * o * (1 - tanh_c * tanh_c)
            to_o[...] = dh * tanh_c * o * (1 - o)
            if t:
                to_f[...] = dc * c[t - 1, :, :, span] * f * (1 - f)
            elif self.c_start is not None:
                to_f[...] = dc * self.c_start[:, :, span] * f * (1 - f)
            to_i[...] = dc * g * i * (1 - i)
            to_g[...] = dc * i * (1 - g * g)
            dc *= f
            gh[...] = 0
            if t or self.c_start is not None:
                of_taps = xp.matmul(turned, gz[t])
                self._unsee(of_taps.reshape(directions, len(self.taps), *gh.shape[1:]), gh)
        # All steps in one product: (T, G, 4h, N B) · (T, G, N B, taps h) → (G, 4h, taps h)
        gW = xp.matmul(gz, self.seen[:-1].swapaxes(2, 3)).sum(axis=0)
        gW = gW.reshape(directions, 4 * h, len(self.taps), h).swapaxes(2, 3)
        return gz.reshape(*gz.shape[:3], positions, batch), gW, gh, gc.reshape(gh.shape)

    def _spans(self, steps, positions, batch):
        """The columns of each step's matrices, those of the positions that exist."""
        spans = self.spans or [(0, positions)] * steps
        return [slice(start * batch, stop * batch) for start, stop in spans]

    def _see(self, t, h):
        """Writes the states h (G, h, N, B) as the other taps of step t see them."""
        of_taps = self.seen[t].reshape(len(h), len(self.taps), *h.shape[1:])
        for tap, shift in enumerate(self.taps):
            if shift:
                to, source = _overlap(shift, h.shape[2])
                of_taps[:, tap, :, to] = h[:, :, source]

    def _unsee(self, of_taps, gh):
        """Adds the gradients of what the taps see, (G, taps, h, N, B), to that of the states."""
        for tap, shift in enumerate(self.taps):
            to, source = _overlap(shift, gh.shape[2])
            gh[:, :, source] += of_taps[:, tap, :, to]


def _take_step(gates, product, c_before, c, y):
    """One step of the LSTM: see `gpu_kernels.lstm_step`, which is the same in one launch."""
    h = c.shape[1]
    if product is not None:
        gates += product
    np.tanh(gates, out=gates)
    sigmoids = gates[:, :3 * h]
    sigmoids *= 0.5
    sigmoids += 0.5
    o, f, i, g = [gates[:, n * h:(n + 1) * h] for n in range(4)]
    np.multiply(i, g, out=c)
    if c_before is not None:
        c += f * c_before
    np.tanh(c, out=y)
    y *= o


def _overlap(shift, positions):
    """The positions n for which n + shift exists, and the n + shift, as slices."""
    start, stop = max(0, -shift), positions - max(0, shift)
    return slice(start, stop), slice(start + shift, stop + shift)


def _scaled(W, h):
    """The weights as matrices (G, 4h, taps h), half of them for the gates of a sigmoid."""
    matrix = W.transpose(0, 1, 3, 2).reshape(*W.shape[:2], -1)
    matrix = matrix.copy()
    matrix[:, :3 * h] *= 0.5
    return matrix
