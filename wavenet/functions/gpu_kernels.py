"""What a masked convolution does on a GPU in one launch each, where NumPy copies slice by slice.

A launch takes longer than the work of most of these, so their number decides the time of a step.
"""
from chainer.backends import cuda


def gather(W, bias, places):
    """Weights and biases, each at its place in a matrix of products.

    Args:
        W: floating, any shape.
        bias: floating, any shape.
        places: int32, the place in W of each value of the result; from W.size on, in `bias`; below
            0 for a value that is 0.

    Returns: array of the shape of `places`.
    """
    return cuda.elementwise(
        'raw T W, raw T bias, int32 place, int32 size', 'T y',
        'y = place < 0 ? T(0) : place < size ? W[place] : bias[place - size]',
        'masked_weights')(W, bias, places, W.size)


def gather_columns(maps, offsets, ones, out_size):
    """What each pixel of an output sees of the input: see `wavenet.functions.products.Columns`.

    Args:
        maps: floating (C, B, H, W), contiguous.
        offsets: int32 (taps, 2): how far below and to the right of a pixel each tap is.
        ones: number of rows of ones above the others, 0 or 1.
        out_size: (H', W').

    Returns: (ones + taps · C, B · H' · W').
    """
    channels, batch, height, width = maps.shape
    rows = ones + len(offsets) * channels
    columns = cuda.cupy.empty((rows, batch * out_size[0] * out_size[1]), maps.dtype)
    return cuda.elementwise(
        'raw T maps, raw int32 offsets, int32 ones, int32 channels, int32 batch, int32 height, '
        'int32 width, int32 out_height, int32 out_width', 'T column',
        '''
        ptrdiff_t rest = i;
        const int x = rest % out_width;   rest /= out_width;
        const int y = rest % out_height;  rest /= out_height;
        const int image = rest % batch;
        const int row = rest / batch - ones;
        if (row < 0) {
            column = 1;
        } else {
            const int tap = row / channels;
            const int from_y = y + offsets[2 * tap], from_x = x + offsets[2 * tap + 1];
            const bool inside = 0 <= from_y && from_y < height && 0 <= from_x && from_x < width;
            const ptrdiff_t map = (ptrdiff_t)(row % channels) * batch + image;
            column = inside ? maps[(map * height + from_y) * width + from_x] : T(0);
        }
        ''', 'masked_columns')(
            maps, offsets, ones, channels, batch, height, width, *out_size, columns)


def below_ones(maps, target, relu):
    """Writes maps, or their ReLU, below a row of ones: maps (C, …) to `target` (1 + C, …).

    `maps` may be `target[1:]`.
    """
    cuda.elementwise(
        'raw T maps, int32 pixels, bool relu', 'T y',
        'y = i < pixels ? T(1) : relu && !(maps[i - pixels] > 0) ? T(0) : maps[i - pixels]',
        'below_ones')(maps, target[0].size, relu, target)


def relu_gradient(outputs, gradients):
    """Sets the gradients to 0 where the outputs of a ReLU are; of any shape."""
    cuda.elementwise('T output', 'T gradient', 'if (!(output > 0)) gradient = 0',
                     'relu_gradient')(outputs, gradients)


def gate(summands_t, summands_s, t, s, y):
    """tanh(t) · sigmoid(s) of sums: writes the tanh to t, the sigmoid to s, and their product to y.

    Args:
        summands_t, summands_s: arrays that are added up for t and for s, of shapes that broadcast.
        t, s, y: arrays of one shape.
    """
    count = len(summands_t)
    sum_t, sum_s = [' + '.join(f'{name}{n}' for n in range(count)) for name in 'ts']
    cuda.elementwise(
        ', '.join(f'T {name}{n}' for name in 'ts' for n in range(count)), 'T t, T s, T y',
        f't = tanh({sum_t}); s = tanh(({sum_s}) * T(0.5)) * T(0.5) + T(0.5); y = t * s;',
        f'gate_{count}')(*summands_t, *summands_s, t, s, y)


def gate_gradient(t, s, y, gy, d_t, d_s):
    """The gradients of what a gate adds up, written to d_t and d_s; see `gate`."""
    cuda.elementwise(
        'T t, T s, T y, T gy', 'T d_t, T d_s',
        'd_t = (s - y * t) * gy; d_s = (1 - s) * y * gy', 'gate_gradient')(t, s, y, gy, d_t, d_s)


def lstm_step(gates, product, c_before, c, y):
    """One step of an LSTM: c = f · c_before + i · g and y = o · tanh(c), for (G, h, N) cells.

    Args:
        gates: (G, 4h, N), what the inputs give to o, f, i and g; the gates are written over it.
            For o, f and i, it and the product are already halved: sigmoid(x) =
            (tanh(x / 2) + 1) / 2, so each gate needs one tanh.
        product: (G, 4h, N), what the states give to them, or None for nothing.
        c_before: (G, h, N), the cells before, or None for zeros.
        c, y: (G, h, N), to write.
    """
    h = c.shape[1]
    nothing = gates.dtype.type(0)
    of_states = [nothing] * 4 if product is None else _in_four(product, h)
    cuda.elementwise(
        'T from_o, T from_f, T from_i, T from_g, T c_before', 'T o, T f, T input, T g, T c, T y',
        '''
        o = tanh(o + from_o) * T(0.5) + T(0.5);
        f = tanh(f + from_f) * T(0.5) + T(0.5);
        input = tanh(input + from_i) * T(0.5) + T(0.5);
        g = tanh(g + from_g);
        c = f * c_before + input * g;
        y = o * tanh(c);
        ''', 'lstm_step')(
            *of_states, nothing if c_before is None else c_before, *_in_four(gates, h), c, y)


def _in_four(gates, h):
    return [gates[:, n * h:(n + 1) * h] for n in range(4)]
