"""A masked convolution as a few matrix products, without what its mask zeroes.

Feature maps are sorted by colour here, red ones first. What a pixel sees is a column: of the maps of
other pixels, tap by tap, and of the maps of the pixel itself. All maps see the former; of the latter
red is seen by all, green by green and blue, blue by blue. So red is in the product for all maps,
together with the taps; green and blue have products of their own, for the last maps only, which are
added. Backward, with input and output exchanged, blue is in the product for all maps, and red and
green have products of their own, for the first maps.
"""
import weakref

import numpy as np
from chainer import backend
from chainer.backends import cuda

from wavenet.functions.colour_order import ColourOrder

MOST_COLORS = 4
ROUND = 4  # a BLAS computes that many maps at a time


class Products:
    """How to compute a convolution with a mask or, `turned`, the gradient of its input, which is a
    convolution with input and output exchanged and the kernel turned around.

    The rows of its columns are, forward: ones, for the biases; tap by tap, the maps of other pixels;
    the pixel itself. Turned: the pixel itself; the taps.

    Args:
        mask: bool (O, I, kh, kw), on the host.
        pad: rows and columns of zeros around the pictures, two numbers.
        colors: by how many colours maps are sorted. Results are right with any number.
        turned: see above.
    """

    def __init__(self, mask, pad, colors, turned=False):
        self.turned = turned
        self.W_shape = mask.shape
        if turned:
            mask, pad = _turn(mask), tuple(k - 1 - p for k, p in zip(mask.shape[2:], pad))
        out_channels, in_channels, kh, kw = mask.shape
        self.pad = pad
        self.outputs = ColourOrder(out_channels, colors)
        self.inputs = ColourOrder(in_channels, colors)
        # The pixel itself is a tap like others where the output has another size than the input.
        itself = pad if (kh, kw) == (2 * pad[0] + 1, 2 * pad[1] + 1) else None
        taps = [tuple(tap) for tap in np.argwhere(mask.any(axis=(0, 1))).tolist()]
        others = [tap for tap in taps if tap != itself]
        self.taps = [itself] * bool(itself and turned) + others + [itself] * bool(itself and not turned)
        self.is_pixel_itself = self.taps == [itself]
        self.ones = 0 if turned else 1
        self.rows = self.ones + len(self.taps) * in_channels
        self.products = self._products(mask, colors, itself, len(others))

    def _products(self, mask, colors, itself, taps):
        """(maps, rows) of each: the first is of all maps, the others of those that see some rows."""
        out_channels, in_channels, _, _ = mask.shape
        all_maps = slice(0, out_channels)
        center = 0 if self.turned else self.ones + taps * in_channels
        start, stop = (in_channels * bool(itself), self.rows) if self.turned else (0, center)
        others = []
        numbers = range(colors) if itself else ()
        for color in reversed(numbers) if self.turned else numbers:
            rows = self.inputs.of(color, center)
            seen = [number for number in range(colors) if mask[
                (slice(number, None, colors), slice(color, None, colors)) + itself].any()]
            if not seen:
                continue
            if self.turned:
                maps = slice(0, _rounded(self.outputs.of(seen[-1]).stop, out_channels))
            else:
                first = self.outputs.of(seen[0]).start
                maps = slice(out_channels - _rounded(out_channels - first, out_channels), out_channels)
            if maps == all_maps and rows.stop == start:
                start = rows.start
            elif maps == all_maps and rows.start == stop:
                stop = rows.stop
            else:
                others.append((maps, rows))
        return [(all_maps, slice(start, stop))] + others

    def weights(self, W, bias=0):
        """(O, I, kh, kw), masked, and biases (O,) → (maps, rows), both sorted"""
        xp = backend.get_array_module(W)
        W = _turn(W) if self.turned else W
        matrix = xp.empty((len(W), self.rows), W.dtype)
        for maps, rows_of_maps in self.outputs.pairs:
            if self.ones:
                matrix[rows_of_maps, 0] = bias[maps]
            for in_maps, rows, (y, x) in self._places():
                matrix[rows_of_maps, rows] = W[maps, in_maps, y, x]
        return matrix

    def spread(self, matrix):
        """The other way around, without the biases; 0 where nothing is gathered"""
        spread = backend.get_array_module(matrix).zeros(self.W_shape, matrix.dtype)
        W = _turn(spread) if self.turned else spread
        for maps, rows_of_maps in self.outputs.pairs:
            for in_maps, rows, (y, x) in self._places():
                W[maps, in_maps, y, x] = matrix[rows_of_maps, rows]
        return spread

    def _places(self):
        """(maps of the input, their rows, tap) of all that is in a column"""
        channels = self.inputs.count
        for number, tap in enumerate(self.taps):
            for color, (maps, _) in enumerate(self.inputs.pairs):
                yield maps, self.inputs.of(color, self.ones + number * channels), tap

    def multiply(self, weights, columns, y):
        """Writes to y (O, pixels) the product of the weights and columns (rows, pixels)."""
        xp = backend.get_array_module(y)
        (_, rows), *others = self.products
        xp.matmul(weights[:, rows], columns[rows], out=y)
        for maps, rows in others:
            y[maps] += weights[maps, rows] @ columns[rows]

    def gradient(self, gy, columns):
        """That of the weights, (O, rows), from gy (O, pixels); what the mask zeroes holds anything."""
        xp = backend.get_array_module(gy)
        matrix = xp.zeros((len(gy), self.rows), gy.dtype)
        for maps, rows in self.products:
            rows = slice(rows.start, rows.start + _rounded(rows.stop - rows.start, self.rows))
            xp.matmul(gy[maps], columns[rows].T, out=matrix[maps, rows])
        return matrix


class Columns:
    """What each pixel of an output sees of the input, for so many pictures at most.

    Args:
        products: `Products`.
        pictures: how many at most.
        in_size, out_size: (H, W) of input and output.
        xp, dtype: array module and dtype.
    """

    def __init__(self, products, pictures, in_size, out_size, xp, dtype):
        self.ones, self.buffer, self.copies = products.ones, None, []
        if products.is_pixel_itself:
            return
        self.buffer = xp.zeros((products.rows, pictures) + out_size, dtype)
        self.buffer[:self.ones] = 1
        channels = products.inputs.count
        for number, tap in enumerate(products.taps):
            (to_y, of_y), (to_x, of_x) = [_inside(offset - p, n_in, n_out) for offset, p, n_in, n_out
                                          in zip(tap, products.pad, in_size, out_size)]
            start = self.ones + number * channels
            # What lies outside of the pictures stays 0.
            self.copies.append(((slice(start, start + channels), slice(None), to_y, to_x),
                                (slice(None), slice(None), of_y, of_x)))

    def of(self, maps):
        """Maps (ones + I, B, H, W), sorted, below a row of ones if there is one in columns →
        (rows, pixels), good until the next call"""
        if self.buffer is None:
            return maps.reshape(len(maps), -1)
        maps = maps[self.ones:]
        columns = self.buffer[:, :maps.shape[1]]
        for target, source in self.copies:
            columns[target] = maps[source]
        return columns.reshape(len(columns), -1)


_known = {}  # by the ids of masks, as long as the masks live


def products_of(masks, pads):
    """For each layer of a chain, by its mask (O, I, kh, kw) and padding: its `Products`, and turned.

    On a GPU they know no colours: it has the multiplications to spare, and each product is one more
    launch of a kernel.
    """
    key = tuple(map(id, masks)), tuple(pads)
    if key not in _known:
        for mask in masks:
            weakref.finalize(mask, _known.pop, key, None)
        on_host = [cuda.to_cpu(mask).astype(bool) for mask in masks]
        colors = _colors(on_host) if backend.get_array_module(*masks) is np else 1
        _known[key] = [(Products(mask, pad, colors), Products(mask, pad, colors, turned=True))
                       for mask, pad in zip(on_host, pads)]
    return _known[key]


def _colors(masks):
    """The least number of colours such that maps of one colour see, and are seen by, the same; or 1"""
    def alike(mask, colors):
        return all((mask[o::colors, i::colors] == mask[o, i]).all()
                   for o in range(min(colors, len(mask))) for i in range(min(colors, mask.shape[1])))

    return next((colors for colors in range(1, MOST_COLORS + 1)
                 if all(alike(mask, colors) for mask in masks)), 1)


def _turn(W):
    """(O, I, kh, kw) → (I, O, kh, kw), a view with the kernel turned around"""
    return W.swapaxes(0, 1)[:, :, ::-1, ::-1]


def _rounded(count, most):
    return min(-(-count // ROUND) * ROUND, most)


def _inside(shift, n_in, n_out):
    """Where output positions i, and inputs i + shift, are both inside: two slices of one length"""
    start, stop = max(0, -shift), max(0, -shift, min(n_out, n_in - shift))
    return slice(start, stop), slice(start + shift, stop + shift)
