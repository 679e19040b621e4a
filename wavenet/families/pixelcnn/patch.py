"""The first layer in cached generation: a 7×7 convolution of mask A around the current pixel.

In shapes, B is the number of images, C the number of colours, W the width of an image and `hidden`
the number of the layer's feature maps, which are sorted by colour.
"""
from wavenet.families.pixelcnn.weights import (
    label_patch_tables,
    patch_weights,
    products_by_colour,
)
from wavenet.functions.label_convolution import look_up, to_labels


class Patch:
    """conv1, and the values around a pixel that it sees.

    Args:
        model: a model whose first layer, conv1, is a 7×7 convolution of mask A.
        hidden: `ColourOrder` of conv1's maps.
        width, batch: of the images.

    `seen` (25 C, B) holds a row of ones for the bias, the 3 × 7 values of the rows above, the 3
    values to the left, and the values of the pixel itself but for the last colour.
    """

    def __init__(self, model, hidden, width, batch):
        xp, dtype, colors = model.xp, model.conv1.W.dtype, model.in_channels
        # Three rows above and the current row, with three columns of zeros on either side
        self.values = xp.zeros((colors, 4, 3 + width + 3, batch), dtype)
        self.seen = xp.zeros((25 * colors, batch), dtype)
        self.seen[0] = 1
        above, left, self.pixel = xp.split(self.seen[1:], [21 * colors, 24 * colors])
        self.above = above.reshape(colors, 3, 7, batch)
        self.left = left.reshape(colors, 3, batch)
        self.products = products_by_colour(
            patch_weights(model.conv1, hidden), hidden,
            [1 + 24 * colors + k for k in range(colors)], self.seen,
            xp.zeros((hidden.count, batch), dtype))

    def start_row(self):
        self.values[:, :3] = self.values[:, 1:].copy()       # a copy, since they overlap

    def start_pixel(self, j):
        self.above[...] = self.values[:, :3, j:j + 7]
        self.left[...] = self.values[:, 3, j:j + 3]

    def set_value(self, j, k, value):
        self.values[k, 3, 3 + j] = value
        self.pixel[k:k + 1] = value                          # nothing for the last colour

    def convolve(self, k, h):
        """Writes conv1's maps of colour k, (maps, B), to h."""
        W, x, _ = self.products[k]
        W.dot(x, out=h)


class LabelPatch:
    """The same where values are labels, for which conv1 has columns of weights to look up.

    The labels around a pixel are looked up when the pixel begins, and its own labels as soon as
    they are known: `maps` (hidden, B) is their sum. K, the number of labels, stands for no label.
    """

    def __init__(self, model, hidden, width, batch):
        self.hidden, self.kinds = hidden, model.distribution.levels
        colors = model.in_channels
        self.xp = xp = model.xp
        self.labels = xp.full((colors, 4, 3 + width + 3, batch), self.kinds)
        above, left, pixel = label_patch_tables(model.conv1, hidden, colors)
        self.around = xp.concatenate([above, left])          # (24 C, K + 1, hidden)
        self.pixel = pixel[:, None]                          # (C, 1, K + 1, hidden)
        self.bias = model.conv1.b.array[hidden.order][:, None]
        self.maps = xp.zeros((hidden.count, batch), model.conv1.W.dtype)

    def start_row(self):
        self.labels[:, :3] = self.labels[:, 1:].copy()

    def start_pixel(self, j):
        batch = self.labels.shape[3]
        seen = [self.labels[:, :3, j:j + 7], self.labels[:, 3, j:j + 3]]
        seen = self.xp.concatenate([labels.reshape(-1, batch) for labels in seen])     # (24 C, B)
        self.xp.add(look_up(self.around, seen).T, self.bias, out=self.maps)

    def set_value(self, j, k, value):
        label = to_labels(value, self.kinds)
        self.labels[k, 3, 3 + j] = label
        self.maps += look_up(self.pixel[k], label[None]).T   # 0 for colours that do not see it

    def convolve(self, k, h):
        h[...] = self.maps[self.hidden.of(k)]
