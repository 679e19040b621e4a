"""The compiled inner loop of WaveNet's generation on a CPU. It needs numba.

In NumPy a sample takes some eight hundred calls, 16 for each layer, of next to no work. Here the
whole network of a sample is one loop, over recordings, layers and feature maps. The innermost loops
run over neighbouring values, so that the compiler makes vector instructions of them.
"""
import math

import numba
import numpy as np


def compiled(function):
    """Decorates a function. It is compiled at its first call, and kept on disk for later processes
    where there is a place to write.

    Products may be fused with sums. Nothing else may change: NaN must stay NaN.
    """
    options = dict(nogil=True, error_model='numpy', fastmath={'contract'})
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:      # there is none
        return numba.njit(**options)(function)


LARGEST = np.float32(9)     # tanh of it and of all beyond is 1 in float32
# tanh(x) = x P(x²) / Q(x²), see `tanh`
P0, P1, P2 = 0.9999999794139655, 0.13381027542718468, 0.003495590439201938
P3, P4 = 2.060912152805548e-05, 1.3354716797420148e-08
Q1, Q2 = 0.46714343129090014, 0.025876990875479174
Q3, Q4 = 0.00032856386587520517, 7.776580789578991e-07


@compiled
def add_product(x, W, y):
    """Adds x W to y: (B, I) · (I, O) → (B, O)."""
    batch, inputs = x.shape
    outputs = W.shape[1]
    whole = inputs - inputs % 8
    for b in range(batch):
        for i in range(0, whole, 8):
            x0, x1, x2, x3 = x[b, i], x[b, i + 1], x[b, i + 2], x[b, i + 3]
            x4, x5, x6, x7 = x[b, i + 4], x[b, i + 5], x[b, i + 6], x[b, i + 7]
            for o in range(outputs):
                y[b, o] += (x0 * W[i, o] + x1 * W[i + 1, o] + x2 * W[i + 2, o] + x3 * W[i + 3, o]
                            + x4 * W[i + 4, o] + x5 * W[i + 5, o] + x6 * W[i + 6, o]
                            + x7 * W[i + 7, o])
        for i in range(whole, inputs):
            x0 = x[b, i]
            for o in range(outputs):
                y[b, o] += x0 * W[i, o]


@compiled
def tanh(x):
    """tanh of each value of x, float32 (n,), in place.

    x P(x²) / Q(x²), fitted to tanh on [-9, 9] by weighted least squares, its relative error is
    2.1e-8; rounding in float32 brings up to 4e-7.
    """
    for i in range(len(x)):
        v = min(max(x[i], -LARGEST), LARGEST)
        u = v * v
        p = np.float32(P4) * u + np.float32(P3)
        p = p * u + np.float32(P2)
        p = p * u + np.float32(P1)
        p = p * u + np.float32(P0)
        q = np.float32(Q4) * u + np.float32(Q3)
        q = q * u + np.float32(Q2)
        q = q * u + np.float32(Q1)
        q = q * u + np.float32(1)
        x[i] = v * p / q


@compiled
def draw(logits, uniforms, levels):
    """Draws a level for each row of logits (B, levels), float32, as `Categorical.draw` does: into
    `levels`, int32 (B,). Where a logit is NaN, the number of levels."""
    batch, count = logits.shape
    p = np.empty(count, logits.dtype)
    for b in range(batch):
        largest = logits[b, 0]
        for k in range(count):
            largest = max(largest, logits[b, k])
        total = np.float32(0)
        for k in range(count):
            p[k] = math.exp(logits[b, k] - largest)
            total += p[k]
        whole = 0.0
        for k in range(count):
            p[k] /= total
            whole += p[k]
        cumulative, exceeding = 0.0, 0
        for k in range(count):
            cumulative += p[k]
            exceeding += cumulative / whole > uniforms[b]
        levels[b] = count - exceeding


@compiled
def add_skip(x, W, bias, W_out, b_out, queue, t, dilation, gates, h, out, skips):
    """One layer: x (B, C) becomes its output for sample t, and its skip connection is added to
    `skips` (B, C). The queue holds the inputs of the last (k - 1) · dilation samples.

    The other arguments are of this layer, as those of `generate`; `gates` (B, 2 C), `h` (B, C) and
    `out` (B, C or 2 C) are written over.
    """
    batch, maps = x.shape
    past = len(W) - 1
    gates[:] = bias
    add_product(x, W[past], gates)
    for tap in range(past):                   # sees the sample t - (past - tap) · dilation
        add_product(queue[(t + tap * dilation) % len(queue)], W[tap], gates)
    queue[t % len(queue)] = x
    tanh(gates.reshape(-1))
    for b in range(batch):
        for c in range(maps):
            h[b, c] = gates[b, c] * (gates[b, maps + c] + np.float32(1))
    out[:] = b_out
    add_product(h, W_out, out)
    first = out.shape[1] - maps               # of the skip connection
    for b in range(batch):
        for c in range(maps):
            x[b, c] += out[b, c]
            skips[b, c] += out[b, first + c]


@compiled
def relu_product(x, W, bias, y):
    """y = relu(x) W + bias, (B, I) → (B, O). x becomes its ReLU."""
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[b, i] = max(x[b, i], np.float32(0))
    y[:] = bias
    add_product(x, W, y)


@compiled
def generate(begin, end, samples, given, uniforms, before, tables, b1, W, bias, W_out, b_out,
             dilations, starts, queues, W2, b2, W3, b3, adds_last):
    """Generates the samples from `begin` to `end`, one after the other.

    Args:
        samples: levels of all recordings, int32 (T, B). Those that are given are read, the others
            are written.
        given: bool (T,).
        uniforms: float64 (T, B).
        before: the levels of the last samples before `begin`, int32 (2, B); they are kept for the
            next call. The number of levels where there is none.
        tables: (2, levels + 1, C), the columns of the first layer; the last row is 0.
        b1: (C,).
        W: (layers, k, C, 2 C), the taps of the gates, the last one for the present; the second half
            of the outputs is halved.
        bias: (layers, B, 2 C), likewise.
        W_out, b_out: (layers, C, C or 2 C) and (layers, C or 2 C), of the output and, in the
            author's form, of the skip connection; the weights are halved.
        dilations: (layers,).
        starts: (layers,), where the queue of a layer begins in `queues`.
        queues: (sum of (k - 1) · dilation, B, C), the last inputs of the layers.
        W2, b2, W3, b3: the output layers, (C, D), (D,), (D, levels), (levels,).
        adds_last: whether the output of the last layer is added to the skip connections.
    """
    batch = samples.shape[1]
    layers, width, maps, _ = W.shape
    x, h = np.empty((batch, maps), W.dtype), np.empty((batch, maps), W.dtype)
    skips = np.empty((batch, maps), W.dtype)
    gates = np.empty((batch, 2 * maps), W.dtype)
    out = np.empty((batch, W_out.shape[2]), W.dtype)
    hidden = np.empty((batch, W2.shape[1]), W.dtype)
    logits = np.empty((batch, W3.shape[1]), W.dtype)
    for t in range(begin, end):
        for b in range(batch):
            for c in range(maps):
                x[b, c] = b1[c] + tables[0, before[0, b], c] + tables[1, before[1, b], c]
        skips[:] = 0
        for n in range(layers):
            queue = queues[starts[n]:starts[n] + (width - 1) * dilations[n]]
            add_skip(x, W[n], bias[n], W_out[n], b_out[n], queue, t, dilations[n], gates, h, out,
                     skips)
        if not given[t]:
            if adds_last:
                skips += x
            relu_product(skips, W2, b2, hidden)
            relu_product(hidden, W3, b3, logits)
            draw(logits, uniforms[t], samples[t])
        before[0] = before[1]
        before[1] = samples[t]
