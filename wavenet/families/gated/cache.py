"""Cached generation from Gated PixelCNN: each feature map of each pixel is computed once.

The vertical stack sees the rows above only. So when a row begins, the vertical stack of the whole
row is computed, and what the horizontal stack gets of it, in products for all pixels of the row.
The horizontal stack is computed pixel by pixel and colour by colour.

A sigmoid is (1 + tanh(x / 2)) / 2, so one tanh computes both parts of a gate, t for the tanh and s
for the sigmoid. The halves are in the weights: of what goes into a sigmoid, and of what comes out
of a gate, t · (1 + s). Halving is exact.

In shapes, B is the number of images, C the number of colours, W the width of an image, `hidden` the
number of feature maps and n the number of blocks, conv1 included. The maps of the horizontal stack,
and of what it gets of the vertical one, are sorted by colour (`ColourOrder`).
"""
from typing import Any, NamedTuple

from wavenet.families.gated.model import embeddings
from wavenet.families.pixelcnn.weights import (
    Product,
    pixel_products,
    pixel_weights,
    products_by_colour,
    sorted_weights,
)
from wavenet.families.state import PixelState
from wavenet.functions import threads
from wavenet.functions.colour_order import ColourOrder
from wavenet.functions.label_convolution import label_tables, look_up, to_labels


class GatedCache(PixelState):
    """The feature maps of earlier pixels, as far as later pixels need them.

    Args:
        model: a `GatedPixelCNN`.
        samples: the images to generate, float32 (B, C, H, W), on the model's device.
        class_ids: classes of the images, int32 (B,), on the model's device.
        cores: number of cores for the vertical stack; each computes it for some of the images.

    The maps of a pixel are stored as (maps, B), those of a row as (maps, W, B).
    """

    def __init__(self, model, samples, class_ids, cores=1):
        super().__init__(model, samples)
        batch, colors, _, width = samples.shape
        self.xp = xp = model.xp
        self.cores = cores
        self.wait = lambda: None                             # for what is computed ahead
        blocks = [model.conv1] + list(model.blocks)
        hidden = ColourOrder(len(model.conv1.horizontal_output.W), colors)
        # K labels, or 0 for intensities. Labels are looked up, and the label K stands for none.
        self.kinds = kinds = model.distribution.levels if model.config.one_hot else 0
        # Values, with a border, and intensities of the current pixel
        self.row = xp.full((colors, 3 + width + 3, batch), kinds, 'i' if kinds else 'f')
        self.pixel = xp.zeros((colors, batch), 'f')
        weights = VerticalWeights(blocks, hidden, kinds and colors)
        self.vertical = [VerticalStack(blocks, weights, hidden, self.row, class_ids, images)
                         for images in threads.parts_of(batch, -(-batch // cores))]
        self.horizontal = HorizontalStack(blocks, hidden, self.pixel, kinds)
        self.colour_steps = _colour_steps(model, hidden, self.horizontal, batch)

    def run(self, uniforms, given, progress):
        # The vertical stack spreads its large products itself.
        with threads.one_thread_a_product():
            super().run(uniforms, given, progress)

    # These are called pixel by pixel, in the order of the pixels and of the colours.

    def start_row(self):
        """Computes the vertical stack of the row."""
        def work(stacks):
            for stack in stacks:
                stack.next_row(self.row[:, 3:-3])

        def look_ahead():
            for stack in self.vertical:
                stack.look_ahead()

        self.wait()
        threads.share(work, self.vertical)
        self.wait = threads.ahead(look_ahead) if self.cores > 1 else look_ahead
        self.horizontal.start_row()

    def start_pixel(self, j):
        for stack in self.vertical:
            self.horizontal.start_pixel(stack.to_h[:, :, :, j], stack.images)

    def logits(self, k):
        """The logits of colour k of the current pixel, (B, out_dims)."""
        dot, add, multiply, tanh = self.xp.dot, self.xp.add, self.xp.multiply, self.xp.tanh
        blocks, maps, before_conv2, conv2, conv4 = self.colour_steps[k]
        for conv, gates, t, s, context, gated, output, before, after in blocks:
            dot(*conv)
            add(gates, context, out=gates)
            tanh(gates, out=gates)
            s += 1
            multiply(t, s, out=gated)
            dot(*output)
            add(before, output.y, out=after)
        self.xp.maximum(maps, 0, out=before_conv2)
        dot(*conv2)
        self.xp.maximum(conv2.y, 0, out=conv2.y)
        dot(*conv4)
        return self.xp.ascontiguousarray(conv4.y.T)

    def set_value(self, j, k, value):
        """Sets the value (B,) of colour k of pixel j, for the colours and pixels after it."""
        if self.kinds:
            value = to_labels(value, self.kinds)
            self.horizontal.see_label(k, value)
        else:
            self.pixel[k] = value
        self.row[k, 3 + j] = value

    def end_pixel(self, j):
        self.horizontal.end_pixel(self.row[:, j + 1:j + 4])


class BlockStep(NamedTuple):
    """The arrays with which one colour, of m maps, goes through one block."""
    conv: Product    # from the pixel itself to the gates: y is (2 m, B)
    gates: Any       # the same memory as (2, m, B)
    t: Any           # gates[0]
    s: Any           # gates[1]
    context: Any     # from the vertical stack and the pixels to the left to the gates, (2, m, B)
    gated: Any       # the output of the gates, (m, B)
    output: Product  # the 1×1 convolution after the gates
    before: Any      # the colour's maps before the block, (m, B)
    after: Any       # the colour's maps after the block, (m, B)


class ColourStep(NamedTuple):
    """The arrays with which one colour goes through the network."""
    blocks: list       # of BlockStep
    maps: Any          # the colour's maps after the last block
    before_conv2: Any  # their ReLU
    conv2: Product
    conv4: Product


def _colour_steps(model, hidden, horizontal, batch):
    """A list of `ColourStep`, one for each colour."""
    xp, colors = model.xp, model.in_channels
    out_hidden, out = [ColourOrder(len(link.W), colors) for link in (model.conv2, model.conv4)]
    before_conv2, before_conv4 = [_below_ones(xp, order.count, batch)
                                  for order in (hidden, out_hidden)]
    conv2 = pixel_products(model.conv2, hidden, out_hidden, before_conv2, before_conv4[1:])
    conv4 = pixel_products(model.conv4, out_hidden, out, before_conv4,
                           xp.zeros((out.count, batch), 'f'))
    return [ColourStep(
        [steps[k] for steps in horizontal.block_steps], horizontal.maps[-1, hidden.of(k)],
        before_conv2[1:][hidden.of(k)], conv2[k], conv4[k]) for k in range(colors)]


class HorizontalStack:
    """The horizontal stack of the current pixel.

    `maps` (n, hidden, B) comes out of its n blocks. `from_left` and `from_both` (n, 2, hidden, B)
    are what its gates get of the pixels to the left, and of these and the vertical stack. Of
    labels, `from_both` also holds what the first block gets of the earlier colours of the pixel.
    """

    def __init__(self, blocks, hidden, pixel, kinds):
        self.xp = xp = blocks[0].xp
        n, size, (colors, batch) = len(blocks), hidden.count, pixel.shape
        self.hidden, self.pixel, self.kinds = hidden, pixel, kinds
        self.maps = xp.zeros((n, size, batch), 'f')
        self.from_left, self.from_both = xp.zeros((2, n, 2, size, batch), 'f')

        values = ColourOrder(colors * max(kinds, 1), colors)
        kernels = [gate_weights(block, hidden, values if n == 0 else hidden)
                   for n, block in enumerate(blocks)]        # (2 hidden, inputs, ksize) each
        if kinds:
            by_colour = kernels[0].reshape(2 * size, colors, kinds, -1)
            tables = label_tables(by_colour.swapaxes(1, 2).reshape(kernels[0].shape), colors)
            self.tables = xp.moveaxis(tables, 1, 0)          # (C, 7, K + 1, 2 hidden)
            kernels[0] = kernels[0][:, :0]                   # no product with the pixel's values
        else:
            self.weights_left_of_values = kernels[0][:, :, :3].reshape(2 * size, 3 * colors)
        self.weights_left = xp.array([W[:, :, 0] for W in kernels[1:]], 'f').reshape(
            n - 1, 2 * size, size)

        # All blocks use the same memory for these.
        gates = [xp.zeros((2, len(self.maps[0, hidden.of(k)]), batch), 'f') for k in range(colors)]
        residual = xp.zeros((size, batch), 'f')
        self.block_steps = [self._block_steps(number, block, W, gates, residual)
                            for number, (block, W) in enumerate(zip(blocks, kernels))]

    def _block_steps(self, number, block, kernel, gates, residual):
        """A list of `BlockStep`, one for each colour."""
        xp, hidden = self.xp, self.hidden
        W = kernel[:, :, kernel.shape[2] // 2].reshape(2, hidden.count, -1)  # of the pixel itself
        before = self.maps[number - 1] if number else xp.zeros_like(residual)
        gated = _below_ones(xp, *residual.shape)
        W_out, b_out = pixel_weights(block.horizontal_output, hidden, hidden)
        outputs = products_by_colour(
            (0.5 * W_out, b_out), hidden, [1 + hidden.until(k) for k in range(len(gates))],
            gated, residual)
        steps = []
        for k, (t_and_s, output) in enumerate(zip(gates, outputs)):
            of = hidden.of(k)
            x = before[:hidden.until(k)] if number else self.pixel[:0 if self.kinds else k]
            y = t_and_s.reshape(-1, t_and_s.shape[2])
            conv = Product(xp.ascontiguousarray(W[:, of, :len(x)].reshape(len(y), len(x))), x, y)
            steps.append(BlockStep(
                conv, t_and_s, *t_and_s, self.from_both[number, :, of], gated[1:][of], output,
                before[of], self.maps[number, of]))
        return steps

    def start_row(self):
        self.from_left[...] = 0

    def start_pixel(self, from_vertical, images):
        """from_vertical: what the gates get of the vertical stack, (n, 2, hidden, images)"""
        self.xp.add(from_vertical, self.from_left[..., images], out=self.from_both[..., images])

    def see_label(self, k, label):
        """label: of colour k of this pixel, (B,). The weights of colours up to k are 0."""
        both = self.from_both[0]
        both += look_up(self.tables[k, 3:4], label[None]).T.reshape(both.shape)

    def end_pixel(self, values):
        """values: those of this pixel and of the two before, (C, 3, B)"""
        n, _, size, batch = self.from_left.shape
        from_left = self.from_left.reshape(n, 2 * size, batch)
        values = values.reshape(-1, batch)                   # (3 C, B), the colours first
        if self.kinds:
            tables = self.tables[:, :3].reshape(-1, *self.tables.shape[2:])
            from_left[0] = look_up(tables, values).T
        else:
            self.xp.dot(self.weights_left_of_values, values, out=from_left[0])
        self.xp.matmul(self.weights_left, self.maps[:-1], out=from_left[1:])


class VerticalWeights:
    """The weights of the vertical stack, column by column of the kernels.

    A row begins when `known` of the rows that a kernel sees are done: the row above, and in the
    author's form the one above that, too. In the paper's form a kernel also sees the row itself.

    Attributes:
        first: for conv1, which sees four rows of values: 7 arrays (2 hidden, 4 C), or for labels
            (4 C, K + 1, 2 hidden), to look them up.
        above: for the other blocks and the known rows: 3 arrays (n - 1, 2 hidden, known · hidden).
        own: for each other block and the row itself: 3 arrays (2 hidden, hidden), or none.
        to_h: for each block, from the vertical stack to the horizontal one, (2, hidden, hidden).
    """

    def __init__(self, blocks, hidden, colors_of_labels):
        xp, size, n = blocks[0].xp, hidden.count, len(blocks) - 1
        kernels = [_halve(xp.stack([link.W.array for link in (
            block.vertical_conv_t, block.vertical_conv_s)])) for block in blocks]
        # (2, hidden, inputs, rows, columns) each
        if colors_of_labels:
            first = kernels[0].reshape(2 * size, *kernels[0].shape[2:])
            tables = [label_tables(first[..., dx], colors_of_labels) for dx in range(7)]
            self.first = [table.reshape(-1, *table.shape[2:]) for table in tables]
        else:
            self.first = [xp.ascontiguousarray(
                kernels[0][..., dx].transpose(0, 1, 3, 2)).reshape(2 * size, -1) for dx in range(7)]
        self.known = known = 2 if blocks[0].form == 'author' else 1
        self.above = [xp.zeros((n, 2 * size, known * size), 'f') for _ in range(3)]
        self.own = []
        for number, W in enumerate(kernels[1:]):
            W = 0.5 * W.reshape(2 * size, size, 2, 3)        # inputs are t · (1 + s)
            for dx in range(3):
                rows = W[:, :, :known, dx]                   # (2 hidden, hidden, known)
                self.above[dx][number] = rows.transpose(0, 2, 1).reshape(2 * size, -1)
            self.own.append([xp.ascontiguousarray(W[:, :, 1, dx]) for dx in range(3) if known == 1])
        self.to_h = [xp.stack([link.W.array[hidden.order, :, 0, 0] for link in (
            block.v_to_h_conv_t, block.v_to_h_conv_s)]) for block in blocks]


class VerticalLayer(NamedTuple):
    """One block of the vertical stack. The last block has no vertical gates, so no class_v."""
    bias: Any       # of the convolutions, (2 hidden, 1)
    class_v: Any    # what the class adds to the vertical gates, (2, hidden, 1, B), or None
    W_to_h: Any     # weights from the vertical stack to the horizontal one, (2, hidden, hidden)
    bias_to_h: Any  # what biases and class add to the horizontal gates, (2, hidden, 1, B)


class VerticalStack:
    """The vertical stack, row by row, for the slice `images` of the batch.

    `to_h` (n, 2, hidden, W, B) is what the horizontal stack gets of it, with all biases.
    `look_ahead` computes the products of the next row with its known rows, for all blocks at once,
    while the horizontal stack still generates the current row.
    """

    def __init__(self, blocks, weights, hidden, row, class_ids, images):
        self.xp = xp = blocks[0].xp
        self.images = images
        class_ids = class_ids[images]
        batch, size, n, known = len(class_ids), hidden.count, len(blocks) - 1, weights.known
        width = row.shape[1] - 6
        self.to_h = xp.zeros((n + 1, 2, size, width, batch), 'f')

        # Four rows like `row`, which holds nothing yet, with three columns of its border on either
        # side. Each of the 7 columns of the kernel is multiplied by the pixels that it sees, for
        # all pixels of a row.
        colors = len(row)
        self.values = xp.stack([row[..., images]] * 4)       # (4, C, W + 6, B)
        seen = self.values.reshape(4 * colors, -1)
        self.first = [(W, seen[:, dx * batch:(dx + width) * batch])
                      for dx, W in enumerate(weights.first)]
        # The same for the gated maps of the known rows and the row itself, with one column of zeros
        self.rows = xp.zeros((n, known + 1, size, width + 2, batch), 'f')
        seen = self.rows.reshape(n, (known + 1) * size, (width + 2) * batch)
        seen = [seen[..., dx * batch:(dx + width) * batch] for dx in range(3)]
        self.above = [(W, x[:, :known * size]) for W, x in zip(weights.above, seen)]
        self.own = [[(W, x[number, size:]) for W, x in zip(columns, seen)]
                    for number, columns in enumerate(weights.own)]

        self.known = xp.zeros((n, 2 * size, width * batch), 'f')   # products with the known rows
        self.product = xp.zeros_like(self.known)
        self.gates, self.part = xp.zeros((2, 2 * size, width * batch), 'f')
        self.layers = [vertical_layer(block, W_to_h, hidden, class_ids)
                       for block, W_to_h in zip(blocks, weights.to_h)]

    def next_row(self, above):
        """Fills `to_h` for the next row. above: the values of the row above, of all images,
        (C, W, B)"""
        matmul, gates, part = self.xp.matmul, self.gates, self.part
        for n in range(3):
            self.values[n] = self.values[n + 1]
        self.values[3, :, 3:-3] = above[..., self.images]
        gates[...] = 0
        for number, (bias, class_v, W_to_h, bias_to_h) in enumerate(self.layers):
            for W, x in self.own[number - 1] if number else self.first:
                if W.ndim == 3:                              # tables to look labels up
                    part[...] = look_up(W, x).T
                else:
                    matmul(W, x, out=part)
                gates += part
            gates += bias
            to_h = self.to_h[number]
            both = gates.reshape(to_h.shape)                 # (2, hidden, W, B)
            flat = to_h.shape[:2] + (-1,)
            matmul(W_to_h, gates.reshape(flat), out=to_h.reshape(flat))
            to_h += bias_to_h
            if class_v is not None:
                both += class_v
                t, s = self.xp.tanh(both, out=both)
                s += 1
                self.xp.multiply(t, s, out=self.rows[number, -1, :, 1:-1])
                gates[...] = self.known[number]              # for the next block

    def look_ahead(self):
        """Computes the products of the next row with the rows that are known by now."""
        for n in range(self.rows.shape[1] - 1):
            self.rows[:, n] = self.rows[:, n + 1]
        (W, x), *others = self.above
        self.xp.matmul(W, x, out=self.known)
        for W, x in others:
            self.xp.matmul(W, x, out=self.product)
            self.known += self.product


def vertical_layer(block, W_to_h, hidden, class_ids):
    """The `VerticalLayer` of a block, for images of these classes."""
    xp = block.xp
    bias, bias_to_h, bias_h = [xp.stack([link.b.array for link in links]) for links in (
        (block.vertical_conv_t, block.vertical_conv_s), (block.v_to_h_conv_t, block.v_to_h_conv_s),
        (block.horizontal_conv_t, block.horizontal_conv_s))]             # (2, hidden) each
    class_v, class_h = [
        None if x is None else _halve(x.array.T.reshape(2, hidden.count, 1, len(class_ids)))
        for x in embeddings([block], class_ids)[0]]
    bias_to_h = _halve(bias_to_h + bias_h)[:, :, None, None] + class_h
    return VerticalLayer(_halve(bias).reshape(-1, 1), class_v, W_to_h, bias_to_h[:, hidden.order])


def gate_weights(block, hidden, inputs):
    """The weights of a block's horizontal convolutions, (2 hidden, inputs, ksize)."""
    W = block.xp.stack([sorted_weights(link, inputs, hidden) for link in (
        block.horizontal_conv_t, block.horizontal_conv_s)])      # (2, hidden, inputs, 1, ksize)
    return _halve(W).reshape(-1, *W.shape[2:])[:, :, 0]


def _halve(x):
    """A copy of x in which x[1], the part for the sigmoid, is halved."""
    x = x.copy()
    x[1] *= 0.5
    return x


def _below_ones(xp, maps, batch):
    """Zeros (1 + maps, B), with ones in the first row."""
    array = xp.zeros((1 + maps, batch), 'f')
    array[0] = 1
    return array
