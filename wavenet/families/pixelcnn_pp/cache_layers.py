"""The layers of PixelCNN++ in cached generation: of u for a whole row, of ul for a single pixel.

Shapes are as in `cache.py`.
"""
from wavenet.functions.weight_norm import normalized_kernel


def kernel(link):
    """The weights of a layer as the network uses them: (out, in, kh, kw), or (in, out, kh, kw) of a
    transposed one."""
    V = link.V.array
    V = V if V.ndim == 4 else V[None, None]
    return normalized_kernel(V, link.g.array, link.layer.is_transposed).array


class Nonlinearity:
    """What a network applies before its convolutions: writes f(x), `factor` times as many maps."""

    def __init__(self, xp, name):
        self.xp, self.name = xp, name
        self.factor = 2 if name == 'concat_elu' else 1

    def write(self, x, target):
        """f of x (F, …), into (maps, …)."""
        xp = self.xp
        if self.name == 'relu':
            xp.maximum(x, 0, out=target)
            return
        below = abs(x)
        xp.negative(below, out=below)
        xp.exp(below, out=below)
        below -= 1
        xp.maximum(x, below, out=target[:len(x)])
        if self.factor == 2:
            xp.maximum(-x, below, out=target[len(x):])

    def __call__(self, x):
        target = self.xp.empty((self.factor * len(x), *x.shape[1:]), x.dtype)
        self.write(x, target)
        return target


class FirstLayers:
    """The layers that see the values of the pixels, in [-1, 1], and a channel of ones.

    `values` (2, C + 1, 1 + W + 1, B) are those of the two rows above, `row` those of the present
    one, with a border of zeros.
    """

    def __init__(self, model, layers, batch, width, padded):
        xp = model.xp
        links = [model[layer.name] for layer in layers]
        of_u, from_above, from_left = [kernel(link) for link in links]
        self.xp, self.width = xp, width
        self.of_u = [xp.ascontiguousarray(of_u[..., dx].transpose(0, 2, 1)).reshape(len(of_u), -1)
                     for dx in range(3)]
        self.from_above = [xp.ascontiguousarray(from_above[:, :, 0, dx]) for dx in range(3)]
        self.left_above, self.left = [
            xp.ascontiguousarray(from_left[:, :, dy, 0]) for dy in range(2)]
        self.biases = [link.b.array[:, None, None] for link in links]
        self.values = xp.zeros((2, model.in_channels + 1, padded + 2, batch), 'f')
        self.row = xp.zeros_like(self.values[0])

    def start_row(self, number):
        """Returns u of the row, (F, W', B)."""
        xp, values = self.xp, self.values
        if number:
            values[0] = values[1]
            values[1] = self.row
        _, _, columns, batch = values.shape
        columns -= 2
        shape = len(self.of_u[0]), columns, batch
        if not number:                                       # the shift leaves the first row 0
            self.context = xp.zeros(shape, 'f')
            u = xp.zeros(shape, 'f')
        else:
            both = values.reshape(-1, columns + 2, batch)
            u = sum_of_taps(self.of_u, both, columns) + self.biases[0]
            self.context = sum_of_taps(self.from_above, values[1], columns) + self.biases[1]
        above = values[1, :, 1:-2].reshape(len(values[1]), -1)                # of the left column
        self.context[:, 1:] += self.left_above.dot(above).reshape(shape[0], columns - 1, batch)
        self.context[:, 1:] += self.biases[2]
        return u

    def pixel(self, column):
        """The first maps of ul, (F, B)."""
        x = self.context[:, column]
        return x + self.left.dot(self.row[:, column]) if column else x

    def see(self, column, values):
        """values: of the pixel, (C, B), in [0, 1]"""
        own = self.row[:, 1 + column]
        own[:-1] = 2 * values - 1
        own[-1] = 1


def sum_of_taps(weights, rows, columns):
    """A convolution along a row: weights (out, maps) of each of three taps, rows
    (maps, 1 + W + 1, B) with a border → (out, W, B)."""
    batch = rows.shape[2]
    flat = rows.reshape(len(rows), -1)
    views = [flat[:, dx * batch:(dx + columns) * batch] for dx in range(3)]
    total = weights[0].dot(views[0])
    for W, x in zip(weights[1:], views[1:]):
        total += W.dot(x)
    return total.reshape(-1, columns, batch)


class RowConvolution:
    """A down-shifted convolution of 2 × 3 taps, for a whole row at a time.

    `rows` (2 maps, 1 + W + 1, B) are the inputs of the row above and of the row itself, `own`, with
    a border of zeros. Weights and biases are multiplied by `scale`.
    """

    def __init__(self, link, size, scale=1):
        W, width, batch = scale * kernel(link), *size
        maps = W.shape[1]
        self.width = width
        self.weights = [link.xp.ascontiguousarray(W[..., dx].transpose(0, 2, 1)).reshape(
            len(W), -1) for dx in range(3)]
        self.bias = scale * link.b.array[:, None, None]
        self.rows = link.xp.zeros((2 * maps, width + 2, batch), 'f')
        self.above, self.present = self.rows[:maps], self.rows[maps:]
        self.own = self.present[:, 1:-1]

    def __call__(self):
        """Returns the output, (out, W, B). The row itself becomes the row above."""
        y = sum_of_taps(self.weights, self.rows, self.width)
        y += self.bias
        self.above[...] = self.present
        return y


def rows_of_taps(xp, W):
    """Weights (out, maps, 2, 2) → those of the row above and of the row itself, (out, 2 maps), the
    left tap first."""
    return [xp.ascontiguousarray(W[:, :, dy].transpose(0, 2, 1)).reshape(len(W), -1)
            for dy in range(2)]


class PixelConvolution:
    """A convolution of 2 × 2 taps, which sees above and to the left, pixel by pixel.

    `rows` (1 + W, maps, B) are the inputs of the pixels of the row, after a border of zeros, and of
    the row above where the row has not come yet. `context` (out, W, B) is what the pixels get of
    the row above, with biases.
    """

    def __init__(self, link, size, scale=1, of_class=None, bias=0):
        W, width, batch = scale * kernel(link), *size
        xp, maps = link.xp, W.shape[1]
        self.from_above, self.from_row = rows_of_taps(xp, W)
        self.bias = (scale * link.b.array + bias)[:, None, None]
        self.of_class = of_class
        self.rows = xp.zeros((1 + width, maps, batch), 'f')
        self.xp, self.batch = xp, batch

    def start_row(self):
        rows = self.rows.transpose(1, 0, 2)                  # (maps, 1 + W, B)
        columns = self.xp.concatenate([rows[:, :-1], rows[:, 1:]])           # (2 maps, W, B)
        context = self.from_above.dot(columns.reshape(len(columns), -1))
        self.context = context.reshape(-1, *columns.shape[1:])
        self.context += self.bias
        if self.of_class is not None:
            self.context += self.of_class[:, None]

    def __call__(self, column):
        """The output (out, B) of a pixel whose input is in `rows`."""
        y = self.from_row.dot(self.rows[column:column + 2].reshape(-1, self.batch))
        y += self.context[:, column]
        return y


class RowHalving:
    """The strided convolution of u, of 2 × 3 taps, for a whole row at a time."""

    def __init__(self, link, size):
        W, width, batch = kernel(link), *size
        maps = W.shape[1]
        self.W = link.xp.ascontiguousarray(W.transpose(0, 3, 2, 1)).reshape(len(W), -1)
        self.bias = link.b.array[:, None, None]
        self.rows = link.xp.zeros((2, maps, 1 + width, batch), 'f')   # a border on the left only
        self.columns = link.xp.zeros((3, 2, maps, width // 2, batch), 'f')

    def see(self, u):
        """u of the next row, (F, W, B)"""
        self.rows[0] = self.rows[1]
        self.rows[1, :, 1:] = u

    def __call__(self):
        """The output of an even row, (F, W / 2, B)."""
        for dx, columns in enumerate(self.columns):
            columns[...] = self.rows[:, :, dx::2][:, :, :columns.shape[2]]
        y = self.W.dot(self.columns.reshape(self.W.shape[1], -1))
        return y.reshape(-1, *self.columns.shape[3:]) + self.bias


class PixelHalving:
    """The strided convolution of ul, of 2 × 2 taps, pixel by pixel."""

    def __init__(self, link, size):
        W, width, batch = kernel(link), *size
        xp, maps = link.xp, W.shape[1]
        self.from_above, self.from_row = rows_of_taps(xp, W)
        self.bias = link.b.array[:, None]
        self.rows = xp.zeros((1 + width, maps, batch), 'f')

    def _pair(self, column):
        """The inputs (2 F, B) that an output sees in a row."""
        return self.rows[2 * column:2 * column + 2].reshape(-1, self.rows.shape[2])

    def start_row(self):
        self.context = [self.from_above.dot(self._pair(column)) + self.bias
                        for column in range(len(self.rows) // 2)]

    def see(self, column, ul):
        self.rows[1 + column] = ul

    def __call__(self, column):
        return self.from_row.dot(self._pair(column)) + self.context[column]


class RowDoubling:
    """The transposed convolution of u, of 2 × 3 taps. `rows` (2, F, W, B) are its two rows."""

    def __init__(self, link, size):
        W, (width, batch) = kernel(link), size               # (in, out, 2, 3)
        self.W = link.xp.ascontiguousarray(W.transpose(2, 3, 1, 0)).reshape(-1, len(W))
        self.bias = link.b.array[:, None, None]
        self.rows = link.xp.zeros((2, W.shape[1], width, batch), 'f')

    def see(self, u):
        """u (F, W / 2, B): each pixel writes to the column to the left of its two, and to these."""
        parts = self.W.dot(u.reshape(len(u), -1)).reshape(2, 3, -1, *u.shape[1:])
        for row, (left, own, right) in zip(self.rows, parts):
            row[:, ::2] = own
            row[:, 1::2] = right
            row[:, 1:-1:2] += left[:, 1:]
            row += self.bias


class PixelDoubling:
    """The transposed convolution of ul, of 2 × 2 taps. `rows` (2, W, F, B) are its two rows."""

    def __init__(self, link, size):
        W, (width, batch) = kernel(link), size               # (in, out, 2, 2)
        self.W = link.xp.ascontiguousarray(W.transpose(2, 3, 1, 0)).reshape(-1, len(W))
        self.bias = link.b.array[:, None]
        self.rows = link.xp.zeros((2, width, W.shape[1], batch), 'f')

    def see(self, column, ul):
        """ul (F, B) of a pixel of half the height and width."""
        parts = self.W.dot(ul).reshape(2, 2, -1, ul.shape[1])
        parts += self.bias
        self.rows[:, 2 * column:2 * column + 2] = parts
