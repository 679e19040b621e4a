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

The layers are in `cache_layers.py`. Here are the blocks of them, and the three resolutions.

In shapes, B is the number of images, W the width of a resolution, F of feature maps, and `maps` F,
or 2 F with concat_elu.
"""
from wavenet.families.pixelcnn_pp.cache_layers import (
    FirstLayers,
    Nonlinearity,
    PixelConvolution,
    PixelDoubling,
    PixelHalving,
    RowConvolution,
    RowDoubling,
    RowHalving,
    kernel,
)
from wavenet.families.pixelcnn_pp.config import LEAST_SIZE, plan
from wavenet.families.state import State
from wavenet.functions import threads


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


def _elu(xp, x):
    """exp(x) - 1 is at least x, also where x is below 0."""
    below = xp.exp(-abs(x))
    below -= 1
    return xp.maximum(x, below, out=below)


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
