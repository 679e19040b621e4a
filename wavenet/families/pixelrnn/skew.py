"""The diagonals of an image as the steps of a recurrence, and back.

Diagonal d holds the pixels (i, j) with i + j = d; its position i is row i. So the pixel to the left
is the same position of the diagonal before, and the pixel above is the position before that.
"""
from chainer import backend, function_node


def spans(height, width):
    """For each diagonal, (start, stop) of the rows that have a pixel on it."""
    return [(max(0, d - width + 1), min(height, d + 1)) for d in range(height + width - 1)]


def skew(maps, directions=1):
    """Maps (B, G maps, H, W) → their diagonals (H + W - 1, G, maps, H, B), 0 where there is no
    pixel. The second of two directions is of the mirrored image."""
    return Skew(directions).apply([maps])[0]


def unskew(diagonals):
    """The inverse: (H + W - 1, G, maps, H, B) → maps (B, G maps, H, W)."""
    return Unskew().apply([diagonals])[0]


class Skew(function_node.FunctionNode):
    """See `skew`."""

    def __init__(self, directions):
        self.directions = directions

    def forward(self, inputs):
        maps, = inputs
        xp = backend.get_array_module(maps)
        batch, channels, height, width = maps.shape
        diagonals = xp.zeros((height + width - 1, self.directions, channels // self.directions,
                              height, batch), maps.dtype)
        for image, steps in _pairs(maps, diagonals):
            steps[...] = image
        return diagonals,

    def backward(self, indexes, grad_outputs):
        return unskew(grad_outputs[0]),


class Unskew(function_node.FunctionNode):
    """See `unskew`."""

    def forward(self, inputs):
        diagonals, = inputs
        xp = backend.get_array_module(diagonals)
        steps, self.directions, channels, height, batch = diagonals.shape
        # (maps, B, H, W) in memory, as the masked convolutions take them
        maps = xp.empty((self.directions * channels, batch, height, steps - height + 1),
                        diagonals.dtype).swapaxes(0, 1)
        for image, of_steps in _pairs(maps, diagonals):
            image[...] = of_steps
        return maps,

    def backward(self, indexes, grad_outputs):
        return skew(grad_outputs[0], self.directions),


def _pairs(maps, diagonals):
    """For each row and direction, its pixels in maps (B, G maps, H, W) and in the diagonals, views
    (W, maps, B)."""
    _, directions, channels, height, _ = diagonals.shape
    width = maps.shape[3]
    for direction in range(directions):
        of_direction = maps[:, direction * channels:(direction + 1) * channels]
        if direction:
            of_direction = of_direction[:, :, :, ::-1]
        for row in range(height):
            yield (of_direction[:, :, row].transpose(2, 1, 0),
                   diagonals[row:row + width, direction, :, row])
