"""The cached way to generate from Gated PixelCNN: each feature map of each pixel is computed once.

The vertical stack sees the rows above, so all that a row has of it is computed when the row begins,
in products for all of its pixels; and so is what the horizontal stack gets of it. The horizontal
stack is computed pixel by pixel and colour by colour.

A sigmoid is (1 + tanh(x / 2)) / 2, so that one tanh serves both parts of a gate. The halves are in the
weights: of what goes into a sigmoid, and of what comes out of a gate, t · (1 + s). Halving is exact.
"""
from wavenet.families.pixelcnn.weights import products_by_colour as color_products, pixel_weights, sorted_weights
from wavenet.functions import threads
from wavenet.functions.colour_order import ColourOrder


class GatedCache:
    """The feature maps that are done, as far as later pixels need them: see `wavenet.cached.Cache`.

    The maps of a pixel are (maps, B) arrays, those of a row (maps, W, B). In the horizontal stack and
    in what it gets, maps are sorted by colour: those that a colour's maps depend on are then one
    slice, from the first on. What goes to the tanh of each gate comes before what goes to its sigmoid.
    """

    def __init__(self, model, batch, width, labels, cores=1):
        """cores: how many there are for the vertical stack, each for some of the pictures"""
        self.xp = xp = model.xp
        self.cores = cores
        self.wait = lambda: None                             # for what is known of the next row
        colors = model.in_channels
        blocks = [model.conv1] + list(model.blocks)
        n = len(blocks)
        hidden, out_hidden, out = [ColourOrder(len(link.W), colors) for link in (
            model.conv1.horizontal_output, model.conv2, model.conv4)]
        size = hidden.count

        def zeros(*shape):
            return xp.zeros(shape + (batch,), 'f')

        def below_ones(*shape):
            array = zeros(*shape[:-1] + (1 + shape[-1],))
            array[..., 0, :] = 1
            return array

        self.row = zeros(colors, 3 + width + 3)              # values, with a border
        self.pixel = zeros(colors)
        part = -(-batch // cores)
        weights = VerticalWeights(blocks, hidden)
        self.vertical = [
            VerticalStack(blocks, weights, hidden, width, labels, slice(start, start + part))
            for start in range(0, batch, part)]

        # What the gates of the horizontal stack get of the pixels to the left, and in all
        self.from_left = zeros(n, 2, size)
        self.from_both = zeros(n, 2, size)
        # What comes out of each layer, and of its gates
        self.maps = zeros(n, size)
        gated = below_ones(n, size)
        # What the next pixel gets of them
        colored = ColourOrder(colors, colors)
        kernels = [gate_weights(block, hidden, colored if block is model.conv1 else hidden)
                   for block in blocks]                      # (2 size, inputs, ksize)
        self.weights_left = xp.array([W[:, :, 0] for W in kernels[1:]], 'f').reshape(
            n - 1, 2 * size, size)
        self.weights_left_of_values = kernels[0][:, :, :3].reshape(2 * size, 3 * colors)

        before_conv2, before_conv4 = below_ones(size), below_ones(out_hidden.count)
        conv2 = color_products(
            pixel_weights(model.conv2, hidden, out_hidden), out_hidden,
            [1 + hidden.until(k) for k in range(colors)], before_conv2, before_conv4[1:])
        conv4 = color_products(
            pixel_weights(model.conv4, out_hidden, out), out,
            [1 + out_hidden.until(k) for k in range(colors)], before_conv4, zeros(out.count))
        self.steps = []                                      # of each colour
        for k in range(colors):
            of, until = hidden.of(k), hidden.until(k)
            gates = zeros(2, of.stop - of.start)
            residual = zeros(of.stop - of.start)
            layers = []
            for number, (block, W) in enumerate(zip(blocks, kernels)):
                x, before = (self.pixel[:k], xp.zeros_like(residual)) if number == 0 else (
                    self.maps[number - 1, :until], self.maps[number - 1, of])
                W = W.reshape(2, size, -1, W.shape[2])[:, of, :len(x), W.shape[2] // 2]
                W_out, b_out = pixel_weights(block.horizontal_output, hidden, hidden)
                W_out = xp.concatenate([b_out[:, None], 0.5 * W_out], axis=1)[of, :1 + until]
                layers.append((
                    xp.ascontiguousarray(W.reshape(2 * len(residual), len(x))), x,
                    gates.reshape(-1, batch), gates, gates[0], gates[1], self.from_both[number, :, of],
                    gated[number, 1:][of], xp.ascontiguousarray(W_out), gated[number, :1 + until],
                    residual, before, self.maps[number, of]))
            self.steps.append((layers, self.maps[-1, of], before_conv2[1:][of], conv2[k], conv4[k]))

    # These are called pixel by pixel, in the order of the pixels and of the colours.

    def start_row(self):
        """All that the row has of the vertical stack"""
        def work(stacks):
            for stack in stacks:
                stack.next_row(self.row[:, 3:-3])

        def look_ahead():
            for stack in self.vertical:
                stack.look_ahead()

        self.wait()
        threads.share(work, self.vertical)
        self.wait = threads.ahead(look_ahead) if self.cores > 1 else look_ahead
        self.from_left[...] = 0

    def start_pixel(self, j):
        """What the pixel gets of the vertical stack and of the pixels to the left"""
        for stack in self.vertical:
            self.xp.add(stack.to_h[:, :, :, j], self.from_left[..., stack.pictures],
                        out=self.from_both[..., stack.pictures])

    def logits(self, k):
        """The logits of this pixel's colour k, (B, out_dims)"""
        dot, add, multiply, tanh = self.xp.dot, self.xp.add, self.xp.multiply, self.xp.tanh
        layers, maps, before_conv2, (W_conv2, x_conv2, output), (W_conv4, x_conv4, logits) = \
            self.steps[k]
        for (W, x, flat, gates, t, s, context, gated, W_out, x_out, residual, before, after) in layers:
            dot(W, x, out=flat)
            add(gates, context, out=gates)
            tanh(gates, out=gates)
            s += 1
            multiply(t, s, out=gated)
            dot(W_out, x_out, out=residual)
            add(before, residual, out=after)
        self.xp.maximum(maps, 0, out=before_conv2)
        dot(W_conv2, x_conv2, out=output)
        self.xp.maximum(output, 0, out=output)
        dot(W_conv4, x_conv4, out=logits)
        return self.xp.ascontiguousarray(logits.T)

    def set_value(self, j, k, value):
        """The value (B,) of colour k, for the colours and the pixels after it"""
        self.row[k, 3 + j] = value
        self.pixel[k] = value

    def end_pixel(self, j):
        """What the next pixel gets of this one and of the two before"""
        n, _, size, batch = self.from_left.shape
        from_left = self.from_left.reshape(n, 2 * size, batch)
        self.xp.matmul(self.weights_left, self.maps[:-1], out=from_left[1:])
        self.xp.dot(self.weights_left_of_values, self.row[:, j + 1:j + 4].reshape(-1, batch),
                    out=from_left[0])


class VerticalWeights:
    """The weights of the vertical stack, for each column of the kernels.

    `first`: of the first layer, which sees four rows of values, 7 arrays (2 maps, 4 · colours).
    `above`: of the others, 3 arrays (layers, 2 maps, known · maps), of the `known` rows that are done
        when a row begins: the one above, in the author's form two. `own`: of the row itself, for each
        layer 3 arrays (2 maps, maps), in the author's form none.
    `to_h`: of what the horizontal stack gets, for each layer (2, maps, maps).
    """

    def __init__(self, blocks, hidden):
        xp, size, n = blocks[0].xp, hidden.count, len(blocks) - 1
        contiguous = xp.ascontiguousarray
        kernels = [_halve(xp.stack([link.W.array for link in (
            block.vertical_conv_t, block.vertical_conv_s)])) for block in blocks]
        # (2, maps, inputs, rows, columns) each
        columns = range(3)
        self.first = [contiguous(kernels[0][..., dx].transpose(0, 1, 3, 2)).reshape(2 * size, -1)
                      for dx in range(7)]
        self.known = 2 if blocks[0].form == 'author' else 1
        self.above = [xp.zeros((n, 2 * size, self.known * size), 'f') for _ in columns]
        self.own = []
        for number, W in enumerate(kernels[1:]):
            W = 0.5 * W.reshape(2 * size, size, 2, 3)        # of t · (1 + s)
            for dx in columns:
                self.above[dx][number] = W[:, :, :self.known, dx].transpose(0, 2, 1).reshape(
                    2 * size, -1)
            self.own.append([contiguous(W[:, :, 1, dx]) for dx in columns if self.known == 1])
        self.to_h = [xp.stack([link.W.array[hidden.order, :, 0, 0] for link in (
            block.v_to_h_conv_t, block.v_to_h_conv_s)]) for block in blocks]


class VerticalStack:
    """The vertical stack, row by row, for the slice `pictures` of the batch.

    `to_h` is what the horizontal stack gets of it, with all biases, (layers, 2, maps, W, B). What a row
    gets of the rows that are done is known a row earlier: `look_ahead` computes it for all layers at
    once, while the horizontal stack still draws.
    """

    def __init__(self, blocks, weights, hidden, width, labels, pictures):
        self.xp = xp = blocks[0].xp
        self.pictures = pictures
        labels = labels[pictures]
        batch, size, n, known = len(labels), hidden.count, len(blocks) - 1, weights.known
        self.to_h = xp.zeros((n + 1, 2, size, width, batch), 'f')

        # Rows, with columns of zeros on either side; weights, each with what they multiply
        colors = blocks[0].vertical_conv_t.W.shape[1]
        self.values = xp.zeros((4, colors, width + 6, batch), 'f')
        seen = self.values.reshape(4 * colors, -1)
        self.first = [(W, seen[:, dx * batch:(dx + width) * batch])
                      for dx, W in enumerate(weights.first)]
        self.rows = xp.zeros((n, known + 1, size, width + 2, batch), 'f')
        seen = self.rows.reshape(n, (known + 1) * size, (width + 2) * batch)
        seen = [seen[..., dx * batch:(dx + width) * batch] for dx in range(3)]
        self.above = [(W, x[:, :known * size]) for W, x in zip(weights.above, seen)]
        self.own = [[(W, x[number, size:]) for W, x in zip(columns, seen)]
                    for number, columns in enumerate(weights.own)]

        self.known = xp.zeros((n, 2 * size, width * batch), 'f')
        self.product = xp.zeros_like(self.known)
        self.gates, self.part = xp.zeros((2, 2 * size, width * batch), 'f')
        self.layers = []
        for block, W_to_h in zip(blocks, weights.to_h):
            bias, bias_to_h, bias_h = [xp.stack([link.b.array for link in links]) for links in (
                (block.vertical_conv_t, block.vertical_conv_s),
                (block.v_to_h_conv_t, block.v_to_h_conv_s),
                (block.horizontal_conv_t, block.horizontal_conv_s))]
            label, label_h = [None if x is None else _halve(
                x.array.T.reshape(2, size, 1, batch)) for x in block.labels(labels)]
            self.layers.append((
                _halve(bias).reshape(-1, 1), label, W_to_h,
                (_halve(bias_to_h + bias_h)[:, :, None, None] + label_h)[:, hidden.order]))

    def next_row(self, above):
        """Fills `to_h`. above: the values of the row above, of all pictures, (colours, W, B)"""
        matmul, gates, part = self.xp.matmul, self.gates, self.part
        for n in range(3):
            self.values[n] = self.values[n + 1]
        self.values[3, :, 3:-3] = above[..., self.pictures]
        gates[...] = 0
        for number, (bias, label, W_to_h, bias_to_h) in enumerate(self.layers):
            for W, x in self.own[number - 1] if number else self.first:
                matmul(W, x, out=part)
                gates += part
            gates += bias
            to_h = self.to_h[number]
            both = gates.reshape(to_h.shape)
            flat = to_h.shape[:2] + (-1,)
            matmul(W_to_h, gates.reshape(flat), out=to_h.reshape(flat))
            to_h += bias_to_h
            if label is not None:
                both += label
                t, s = self.xp.tanh(both, out=both)
                s += 1
                self.xp.multiply(t, s, out=self.rows[number, -1, :, 1:-1])
                gates[...] = self.known[number]

    def look_ahead(self):
        """What the next row gets of this one, and in the author's form of the one above"""
        for n in range(self.rows.shape[1] - 1):
            self.rows[:, n] = self.rows[:, n + 1]
        (W, x), *others = self.above
        self.xp.matmul(W, x, out=self.known)
        for W, x in others:
            self.xp.matmul(W, x, out=self.product)
            self.known += self.product


def gate_weights(block, hidden, inputs):
    """Those of the horizontal convolutions, of the tanh and of the sigmoid, (2 maps, I, ksize)"""
    W = block.xp.stack([sorted_weights(link, inputs, hidden) for link in (
        block.horizontal_conv_t, block.horizontal_conv_s)])              # (2, maps, I, 1, ksize)
    return _halve(W).reshape(-1, *W.shape[2:])[:, :, 0]


def _halve(x):
    """A copy of x, with x[1], what goes to the sigmoid, halved"""
    x = x.copy()
    x[1] *= 0.5
    return x
