"""Cached generation from PixelCNN++: each feature map of each pixel is computed once.

The stream u of a row sees the rows above only, so it is computed for the whole row when the row
begins, in products for all pixels of the row. The stream ul is computed pixel by pixel, but what it
gets of u and of its own row above is computed for the whole row, too. A pixel of half the height
and width, (I, J), sees the pixels up to (2 I, 2 J), so its turn comes when row and column are even,
just before the way back of pixel (2 I, 2 J).

Where the height and width are no multiples of 4, u is computed for the columns that the network
appends. ul is not, since no pixel sees it there; nor are appended rows.

A gate is p · sigmoid(q) = p / 2 · (1 + tanh(q / 2)). The halves are in the weights, which is exact.

Memory: for each convolution of u two rows of its input; for each one of ul one row, and a row of
what it gets of the row above. For R blocks of F maps and concat_elu this is about (52 R + 40) F
values for each column of each image: a pair of blocks holds 15 F, and there are 2 R + 1 pairs in
the first resolution, as many in the second one, of half the columns, and 2 R in the third one.

In shapes, B is the number of images, W the width of a resolution, F of feature maps, and `maps` F,
or 2 F with concat_elu.
"""
from wavenet.families.pixelcnn_pp.config import LEAST_SIZE, plan
from wavenet.families.state import State
from wavenet.functions import threads
from wavenet.functions.weight_norm import normalized_kernel


class PixelCNNPPCache(State):
    """The feature maps of earlier pixels, as far as later pixels need them.

    Args:
        model: a `PixelCNNPP`.
        samples: the images to generate, float32 (B, C, H, W), on the model's device.
        class_ids: classes of the images, int32 (B,), on the model's device, or None.
    """

    def __init__(self, model, samples, class_ids):
        super().__init__(model, samples)
        of_model = plan(model.config)
        batch, _, _, width = samples.shape
        padded = width + -width % LEAST_SIZE
        class_ids = class_ids if model.num_classes else None
        self.first = FirstLayers(model, of_model.first, batch, width, padded)
        self.level = None
        last = len(of_model.up) - 1
        for number in reversed(range(last + 1)):             # the way back begins with the last one
            up, down = of_model.up[number], of_model.down[last - number]
            back = of_model.down[last - number - 1].resize if self.level else None
            self.level = Resolution(model, up, down, back, padded // 2 ** number, class_ids, batch,
                                    self.level)
        output = model[of_model.output.name]
        self.output = kernel(output)[:, :, 0, 0]
        self.output_bias = output.b.array

    def run(self, uniforms, given, progress):
        # Most products are small
        with threads.one_thread_a_product():
            super().run(uniforms, given, progress)

    def outputs(self, step):
        xp = self.model.xp
        row, column = step
        if column == 0:
            u = self.first.start_row(row)
            self.level.start_row(row, u)
        ul = self.level.pixel(row, column, self.first.pixel(column))          # (F, B)
        y = self.output.dot(_elu(xp, ul)).T
        return y + self.output_bias

    def put(self, step, values):
        self.first.see(step[1], values.T)


def kernel(link):
    """The weights of a layer as the network uses them: (out, in, kh, kw), or (in, out, kh, kw) of a
    transposed one."""
    V = link.V.array
    V = V if V.ndim == 4 else V[None, None]
    return normalized_kernel(V, link.g.array, link.layer.is_transposed).array


def _elu(xp, x):
    """exp(x) - 1 is at least x, also where x is below 0."""
    below = xp.exp(-abs(x))
    below -= 1
    return xp.maximum(x, below, out=below)


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
            u = _sum_of_taps(self.of_u, both, columns) + self.biases[0]
            self.context = _sum_of_taps(self.from_above, values[1], columns) + self.biases[1]
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


def _sum_of_taps(weights, rows, columns):
    """A convolution along a row: weights (out, maps) of each of three taps, rows
    (maps, 1 + W + 1, B) with a border → (out, W, B)."""
    batch = rows.shape[2]
    flat = rows.reshape(len(rows), -1)
    views = [flat[:, dx * batch:(dx + columns) * batch] for dx in range(3)]
    total = weights[0].dot(views[0])
    for W, x in zip(weights[1:], views[1:]):
        total += W.dot(x)
    return total.reshape(-1, columns, batch)


class Resolution:
    """The blocks of one resolution, there and back, and, between them, the next resolution.

    Args:
        model, class_ids: as of `PixelCNNPPCache`.
        up, down: the `Level`s of the way there and back.
        back: the transposed layers from the next resolution, of u and of ul; None at the last one.
        width: number of columns.
        next_one: the next `Resolution`, of half the height and width, or None.
    """

    def __init__(self, model, up, down, back, width, class_ids, batch, next_one):
        f = Nonlinearity(model.xp, model.config.resnet_nonlinearity)
        size = width, batch
        self.f, self.next = f, next_one
        self.up, self.down = [
            [(RowBlock(model, of_u, f, class_ids, size),
              PixelBlock(model, of_ul, f, class_ids, size)) for of_u, of_ul in way.blocks]
            for way in (up, down)]
        if next_one:
            links = [model[layer.name] for layer in (*up.resize, *back)]
            self.to_next = RowHalving(links[0], size), PixelHalving(links[1], size)
            self.from_next = RowDoubling(links[2], size), PixelDoubling(links[3], size)

    def start_row(self, number, u):
        """Computes u of a row, from its first maps (F, W, B), and what ul gets of whole rows.
        Returns u after the way back."""
        seen = [u]
        for block, of_ul in self.up:
            u = block(u)
            of_ul.start_row(self.f(u))
            seen.append(u)
        if self.next:
            to_next, from_next = self.to_next[0], self.from_next[0]
            to_next.see(u)
            if number % 2 == 0:
                self.to_next[1].start_row()
                from_next.see(self.next.start_row(number // 2, to_next()))
            u = from_next.rows[number % 2]
        else:
            u = seen.pop()
        for block, of_ul in self.down:
            u = block(u, self.f(seen.pop()))
            of_ul.start_row(self.f(u))
        return u

    def pixel(self, row, column, ul):
        """Computes ul of a pixel from its first maps (F, B). Returns ul after the way back."""
        seen = [ul]
        for _, block in self.up:
            ul = block(column, ul)
            seen.append(ul)
        if self.next:
            to_next, from_next = self.to_next[1], self.from_next[1]
            to_next.see(column, ul)
            if row % 2 == column % 2 == 0:
                half = column // 2
                from_next.see(half, self.next.pixel(row // 2, half, to_next(half)))
            ul = from_next.rows[row % 2, column]
        else:
            ul = seen.pop()
        for _, block in self.down:
            ul = block(column, ul, self.f(seen.pop()))
        return ul


class RowBlock:
    """A block of u, for a whole row at a time."""

    def __init__(self, model, block, f, class_ids, size):
        self.f, self.maps = f, model.config.nr_filters
        self.conv_in = RowConvolution(model[block.conv_in.name], size)
        self.conv_out = RowConvolution(model[block.conv_out.name], size, 0.5)
        self.of_class = of_class(model, block, class_ids)
        if block.shortcut:
            self.shortcut = kernel(model[block.shortcut.name])[:, :, 0, 0]
            self.conv_in.bias = self.conv_in.bias + model[block.shortcut.name].b.array[:, None,
                                                                                       None]

    def __call__(self, x, shortcut=None):
        """x (F, W, B), and f of the short-cut (maps, W, B) → (F, W, B)."""
        self.f.write(x, self.conv_in.own)
        h = self.conv_in()
        if shortcut is not None:
            h += self.shortcut.dot(shortcut.reshape(len(shortcut), -1)).reshape(h.shape)
        self.f.write(h, self.conv_out.own)
        d = self.conv_out()
        if self.of_class is not None:
            d += self.of_class[:, None]
        return add_gated(self.f.xp, x, d)


class PixelBlock:
    """A block of ul, pixel by pixel.

    Each of its convolutions sees the pixel itself and the one to the left, `rows`, and those above
    them, `context`.
    """

    def __init__(self, model, block, f, class_ids, size):
        self.f = f
        conv_in, conv_out = model[block.conv_in.name], model[block.conv_out.name]
        shortcut = model[block.shortcut.name]
        W = kernel(shortcut)[:, :, 0, 0]                     # inputs: [u, -u] or [u, ul, -u, -ul]
        maps = f.factor * model.config.nr_filters
        W = W.reshape(len(W), f.factor, -1, model.config.nr_filters)
        self.of_u, *self.of_ul = [W[:, :, part].reshape(-1, maps) for part in range(W.shape[2])]
        self.conv_in = PixelConvolution(conv_in, size, bias=shortcut.b.array)
        self.conv_out = PixelConvolution(conv_out, size, 0.5, of_class(model, block, class_ids))

    def start_row(self, u):
        """u: f of u of the row, (maps, W, B)"""
        self.conv_in.start_row()
        context = self.conv_in.context
        context += self.of_u.dot(u.reshape(len(u), -1)).reshape(context.shape)
        self.conv_out.start_row()

    def __call__(self, column, x, shortcut=None):
        """x (F, B), and f of the short-cut from ul (maps, B) → (F, B)."""
        self.f.write(x, self.conv_in.rows[column + 1])
        h = self.conv_in(column)
        if shortcut is not None:
            h += self.of_ul[0].dot(shortcut)
        self.f.write(h, self.conv_out.rows[column + 1])
        return add_gated(self.f.xp, x, self.conv_out(column))


def of_class(model, block, class_ids):
    """What the class adds to the halved maps before a gate, (2 F, B); None without classes."""
    if class_ids is None:
        return None
    return 0.5 * model[block.class_weights].hw.array[class_ids].T


def add_gated(xp, x, d):
    """x + p · sigmoid(q) for x (F, …), and p / 2 and q / 2, the halves of d (2 F, …)."""
    p, q = d[:len(x)], d[len(x):]
    y = xp.tanh(q)
    y += 1
    y *= p
    y += x
    return y


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
        y = _sum_of_taps(self.weights, self.rows, self.width)
        y += self.bias
        self.above[...] = self.present
        return y


class PixelConvolution:
    """A convolution of 2 × 2 taps, which sees above and to the left, pixel by pixel.

    `rows` (1 + W, maps, B) are the inputs of the pixels of the row, after a border of zeros, and of
    the row above where the row has not come yet. `context` (out, W, B) is what the pixels get of
    the row above, with biases.
    """

    def __init__(self, link, size, scale=1, of_class=None, bias=0):
        W, width, batch = scale * kernel(link), *size
        xp, maps = link.xp, W.shape[1]
        # (out, 2 maps): the left tap and the right one
        self.from_above, self.from_row = [
            xp.ascontiguousarray(W[:, :, dy].transpose(0, 2, 1)).reshape(len(W), -1)
            for dy in range(2)]
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
        self.from_above, self.from_row = [
            xp.ascontiguousarray(W[:, :, dy].transpose(0, 2, 1)).reshape(len(W), -1)
            for dy in range(2)]
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
