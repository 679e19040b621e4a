"""Fast generation of PixelRNN: each map of each layer is computed once, colour by colour.

What the row above gives to the gates of a row is one product for the whole row, before its first
pixel. The second direction of a Diagonal BiLSTM goes through a row from the right once the row is
complete, and the row below sees its map. Maps are (W, maps, B) here, with a border of zeros where a
pixel outside of the image is seen.
"""
from chainer import backend

from wavenet.families.pixelcnn.patch import LabelPatch, Patch
from wavenet.families.pixelrnn.layers import GATES
from wavenet.families.state import PixelState
from wavenet.functions.colour_order import ColourOrder


class PixelRNNCache(PixelState):
    """See `wavenet.families.state.State`.

    Args:
        model: a `PixelRNN`.
        samples: float (B, C, H, W), on the model's device.
    """

    def __init__(self, model, samples):
        super().__init__(model, samples)
        xp, dtype = model.xp, model.conv1.W.dtype
        batch, self.colors, _, width = samples.shape
        self.sorted = ColourOrder(len(model.conv1.W), self.colors)
        make_patch = LabelPatch if model.config.one_hot else Patch
        self.patch = make_patch(model, self.sorted, width, batch)
        self.first = xp.zeros((len(model.conv1.W), batch), dtype)   # conv1's maps, sorted
        self.conv2, self.conv4 = [Rows(kernel(link)[:, :, 0, 0], link.b.array, self.colors)
                                  for link in (model.conv2, model.conv4)]
        self.hidden = xp.zeros((len(model.conv2.W), batch), dtype)
        self.layers = [CACHES[type(block.lstm).__name__](block, width, batch, self.colors)
                       for block in model.blocks]
        self.last = xp.zeros((len(model.conv1.W), batch), dtype)

    def start_row(self):
        self.patch.start_row()
        for layer in self.layers:
            layer.start_row()

    def start_pixel(self, column):
        self.column = column
        self.patch.start_pixel(column)

    def logits(self, color):
        xp, own = self.model.xp, slice(color, None, self.colors)   # the maps of this colour
        maps = self.first[self.sorted.of(color)]
        self.patch.convolve(color, maps)
        for layer in self.layers:
            maps = layer(self.column, color, maps)
        self.last[own] = xp.maximum(maps, 0)
        self.hidden[own] = xp.maximum(self.conv2(color, self.last), 0)
        return self.conv4(color, self.hidden).T

    def set_value(self, column, color, values):
        self.patch.set_value(column, color, values)

    def end_pixel(self, column):
        pass


class Rows:
    """A product whose rows are computed colour by colour: `rows(colour, x)`.

    Args:
        matrix: (maps, inputs); map m of a block belongs to colour m % colors.
        bias: (maps,), or None.
        colors: number of colours.
        blocks: of the maps, such as gates.
    """

    def __init__(self, matrix, bias, colors, blocks=1):
        xp = backend.get_array_module(matrix)

        def of_colors(array):
            in_blocks = array.reshape(blocks, len(array) // blocks, -1)
            return [xp.ascontiguousarray(in_blocks[:, color::colors]).reshape(-1, array.shape[1])
                    for color in range(colors)]

        self.matrices = of_colors(matrix)
        self.biases = of_colors(bias[:, None]) if bias is not None else None

    def __call__(self, color, x):
        """x (inputs, B) → the maps of a colour, (maps of it, B)"""
        y = self.matrices[color].dot(x)
        if self.biases:
            y += self.biases[color]
        return y


class RowCache:
    """A Row LSTM in a residual block, pixel by pixel."""

    def __init__(self, block, width, batch, colors):
        lstm = block.lstm
        W, self.b, W_states = arrays(lstm, 0)
        xp, h, inputs = block.xp, W_states.shape[1], W.shape[1]
        self.xp, self.colors = xp, colors
        # The left neighbour and the pixel itself; (4h, 3h) of the three pixels above
        self.of_inputs = Rows(W[:, :, 0, :2].transpose(0, 2, 1).reshape(len(W), -1), None, colors,
                              GATES)
        self.of_states = W_states[:, :, 0].transpose(0, 2, 1).reshape(len(W), -1)
        self.output = output(block, colors)
        self.x = xp.zeros((1 + width, inputs, batch), W.dtype)
        self.h = xp.zeros((width + 2, h, batch), W.dtype)
        self.c = xp.zeros((width, h, batch), W.dtype)

    def start_row(self):
        above = self.xp.concatenate([self.h[:-2], self.h[1:-1], self.h[2:]], axis=1)
        self.context = self.xp.matmul(self.of_states, above) + self.b[:, None]

    def __call__(self, column, color, maps):
        """The maps of a colour of the pixel, (maps of it, B), after this layer."""
        own = slice(color, None, self.colors)
        self.x[column + 1, own] = maps
        z = self.of_inputs(color, self.x[column:column + 2].reshape(-1, maps.shape[1]))
        z += of_color(self.context[column], own)
        c, h = self.c[column, own], self.h[column + 1]
        c[...], h[own] = step(self.xp, z, c)
        return maps + self.output(color, h)


class DiagonalCache:
    """A Diagonal BiLSTM in a residual block, pixel by pixel.

    `h` and `c` (1 + W, h, B) of the first direction have a border on the left, `right` and
    `right_c` (W + 1, h, B) of the second one, on the right.
    """

    def __init__(self, block, width, batch, colors):
        W, self.b, W_states = arrays(block.lstm, 0)
        xp, h, inputs = block.xp, W_states.shape[1], W.shape[1]
        self.xp, self.colors, self.width = xp, colors, width
        self.from_above, from_left = [xp.ascontiguousarray(W_states[:, :, tap, 0])
                                      for tap in range(2)]
        self.of_inputs = Rows(W[:, :, 0, 0], None, colors, GATES)
        self.from_left = Rows(from_left, None, colors, GATES)
        self.output = output(block, colors)
        W, self.right_b, W_states = arrays(block.lstm, 1)
        self.of_inputs_right = xp.ascontiguousarray(W[:, :, 0, 0])
        self.right_from_above, self.from_right = [
            xp.ascontiguousarray(W_states[:, :, tap, 0]) for tap in range(2)]
        self.x = xp.zeros((width, inputs, batch), W.dtype)
        self.h, self.c, self.right, self.right_c = xp.zeros((4, 1 + width, h, batch), W.dtype)
        self.is_first = True

    def start_row(self):
        if not self.is_first:
            self._from_the_right()
        self.is_first = False
        self.context = self.xp.matmul(self.from_above, self.h[1:]) + self.b[:, None]

    def _from_the_right(self):
        """The second direction goes through the row that is complete."""
        z = self.xp.matmul(self.of_inputs_right, self.x) + self.right_b[:, None]
        z += self.xp.matmul(self.right_from_above, self.right[:-1])
        for column in reversed(range(self.width)):
            z[column] += self.from_right.dot(self.right[column + 1])
            self.right_c[column], self.right[column] = step(
                self.xp, z[column], self.right_c[column + 1])

    def __call__(self, column, color, maps):
        """The maps of a colour of the pixel, (maps of it, B), after this layer."""
        own = slice(color, None, self.colors)
        self.x[column, own] = maps
        z = self.of_inputs(color, self.x[column])
        z += self.from_left(color, self.h[column])
        z += of_color(self.context[column], own)
        h = self.h[column + 1]
        self.c[column + 1, own], h[own] = step(self.xp, z, self.c[column, own])
        return maps + self.output(color, h + self.right[column])


CACHES = {'RowLSTM': RowCache, 'DiagonalBiLSTM': DiagonalCache}


def kernel(link):
    """The weights of a masked convolution, times its mask."""
    return link.W.array * link.mask


def arrays(lstm, direction):
    """The weights and biases of the inputs of a direction, and the weights of its states."""
    weights = kernel(lstm.input_to_state), lstm.input_to_state.b.array, lstm.state_to_state.W.array
    size = len(weights[2]) // lstm.state_to_state.directions
    return [array[direction * size:(direction + 1) * size] for array in weights]


def output(block, colors):
    """The 1×1 convolution after an LSTM."""
    return Rows(kernel(block.output)[:, :, 0, 0], block.output.b.array, colors)


def of_color(gates, own):
    """The rows of a colour, in all gates: (4h, B) → (4 · maps of it, B)"""
    return gates.reshape(GATES, -1, gates.shape[1])[:, own].reshape(-1, gates.shape[1])


def step(xp, z, c):
    """What goes into the gates (4 n, B), and the cell before (n, B) → cell and map, (n, B)."""
    n = len(c)
    z[:3 * n] *= 0.5
    xp.tanh(z, out=z)
    z[:3 * n] *= 0.5
    z[:3 * n] += 0.5
    o, f, i, g = z[:n], z[n:2 * n], z[2 * n:3 * n], z[3 * n:]
    c = f * c + i * g
    return c, o * xp.tanh(c)
