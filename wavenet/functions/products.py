"""A masked convolution as a few matrix products that skip what the mask zeroes.

Feature maps are sorted by colour here, red ones first. A column holds everything that one pixel
sees: the feature maps ("maps" below) of other pixels, tap by tap, and those of the pixel itself.
All maps see the other pixels. Of the pixel itself, all maps see red, the green and blue ones see
green, and the blue ones see blue. So one product computes all maps from the taps and from red;
green and blue have products of their own, which add to the last maps only.
In backward, input and output are exchanged: one product computes all maps from the taps and from
blue, and red and green have products of their own, which add to the first maps only.
"""
import weakref

import numpy as np
from chainer import backend
from chainer.backends import cuda

from wavenet.functions import gpu_kernels
from wavenet.functions.colour_order import ColourOrder

MOST_COLORS = 4
ROUND = 4  # a BLAS computes so many maps at a time


class Products:
    """The matrix products of a masked convolution.

    `turned`, it is the gradient of the convolution's input: a convolution with input and output
    exchanged and the kernel turned around.

    The rows of a column are ones for the biases, then tap by tap the maps of other pixels, then the
    maps of the pixel itself. Turned, they are the maps of the pixel itself, then the taps.

    Args:
        mask: bool (O, I, kh, kw), on the host.
        pad: rows and columns of zeros around the images, two numbers.
        colors: number of colours by which maps are sorted. Any number gives the right result.
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
        # If the output has another size than the input, the pixel itself is a tap like the others.
        itself = pad if (kh, kw) == (2 * pad[0] + 1, 2 * pad[1] + 1) else None
        taps = [tuple(tap) for tap in np.argwhere(mask.any(axis=(0, 1))).tolist()]
        others = [tap for tap in taps if tap != itself]
        center = [itself] if itself else []
        self.taps = center + others if turned else others + center
        self.is_pixel_itself = self.taps == [itself]
        self.has_pixel_itself = itself in taps
        self.ones = 0 if turned else 1
        self.rows = self.ones + len(self.taps) * in_channels
        self.offsets = np.array(self.taps, 'i').reshape(-1, 2) - np.array(pad, 'i')
        self.products = self._products(mask, colors, itself, len(others))

    def _products(self, mask, colors, itself, taps):
        """The slices (maps, rows) of each product.

        The first product is of all maps. It includes the rows of the pixel itself that all maps
        see; other rows of the pixel itself have a product of their own, of the maps that see them.
        """
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
                count = _rounded(out_channels - first, out_channels)
                maps = slice(out_channels - count, out_channels)
            if maps == all_maps and rows.stop == start:
                start = rows.start
            elif maps == all_maps and rows.start == stop:
                stop = rows.stop
            else:
                others.append((maps, rows))
        return [(all_maps, slice(start, stop))] + others

    def to_gpu(self, mask):
        """Prepares `masked_weights`, `masked_spread` and `Columns` for arrays on a GPU: where the
        values of W are in a matrix, and the values of the matrix in W. The mask is on the host."""
        places = np.where(mask, np.arange(mask.size).reshape(mask.shape), -1).astype('i')
        matrix = self.weights(places, mask.size + np.arange(len(mask), dtype='i'))
        inverse = self.spread(1 + np.arange(matrix.size, dtype='i').reshape(matrix.shape)) - 1
        inverse[~mask] = -1
        self.places = matrix
        self.inverse, self.offsets = [
            cuda.to_gpu(np.ascontiguousarray(array)) for array in (inverse, self.offsets)]

    def masked_spread(self, matrix, mask):
        """`spread(matrix) * mask`."""
        if backend.get_array_module(matrix) is np:
            return self.spread(matrix) * mask
        return gpu_kernels.gather(matrix, matrix, self.inverse)

    def weights(self, W, bias=0):
        """Masked weights (O, I, kh, kw) and biases (O,) → a matrix (O, rows), its maps sorted."""
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
        """A matrix (O, rows) → weights (O, I, kh, kw); 0 where columns have no row."""
        spread = backend.get_array_module(matrix).zeros(self.W_shape, matrix.dtype)
        W = _turn(spread) if self.turned else spread
        for maps, rows_of_maps in self.outputs.pairs:
            for in_maps, rows, (y, x) in self._places():
                W[maps, in_maps, y, x] = matrix[rows_of_maps, rows]
        return spread

    def _places(self):
        """For all that a column holds: slice of the input's maps, slice of their rows, tap."""
        channels = self.inputs.count
        for number, tap in enumerate(self.taps):
            for color, (maps, _) in enumerate(self.inputs.pairs):
                yield maps, self.inputs.of(color, self.ones + number * channels), tap

    def multiply(self, weights, columns, y):
        """Writes weights (O, rows) times columns (rows, pixels) to y (O, pixels)."""
        xp = backend.get_array_module(y)
        (_, rows), *others = self.products
        xp.matmul(weights[:, rows], columns[rows], out=y)
        for maps, rows in others:
            y[maps] += weights[maps, rows] @ columns[rows]

    def gradient(self, gy, columns):
        """The gradient (O, rows) of the weights, from gy (O, pixels) and columns (rows, pixels).

        It holds anything where the mask is 0.
        """
        xp = backend.get_array_module(gy)
        make = xp.zeros if xp is np else xp.empty  # `masked_spread` leaves out what is masked
        matrix = make((len(gy), self.rows), gy.dtype)
        for maps, rows in self.products:
            rows = slice(rows.start, rows.start + _rounded(rows.stop - rows.start, self.rows))
            xp.matmul(gy[maps], columns[rows].T, out=matrix[maps, rows])
        return matrix


    def both_gradients(self, gy, seen, columns):
        """The gradients of the weights, as `gradient` gives them, and of the biases (O,), on a GPU.

        The ones above the maps make the product for the weights sum up the biases' gradients, too.

        Args:
            gy: (O, pixels), the gradient of the convolution's output.
            seen: (1 + I, pixels), a row of ones above the input.
            columns: turned, of gy; otherwise of the input.
        """
        if not self.turned:
            matrix = self.gradient(gy, columns)
            return matrix, matrix[:, 0]
        matrix = backend.get_array_module(gy).matmul(seen, columns.T)
        if self.has_pixel_itself:
            return matrix[1:], matrix[0, :len(gy)]
        return matrix[1:], gy.sum(axis=1)


class Columns:
    """Gathers what each pixel of an output sees of the input.

    Args:
        products: `Products`.
        images: the largest number of images.
        in_size, out_size: (H, W) of input and output.
        xp, dtype: array module and dtype.
    """

    def __init__(self, products, images, in_size, out_size, xp, dtype):
        self.products, self.out_size = products, out_size
        self.ones, self.buffer, self.copies = products.ones, None, []
        if products.is_pixel_itself or xp is not np:
            return
        self.buffer = xp.zeros((products.rows, images) + out_size, dtype)
        self.buffer[:self.ones] = 1
        channels = products.inputs.count
        for number, tap in enumerate(products.taps):
            (to_y, of_y), (to_x, of_x) = [
                _inside(offset - p, n_in, n_out)
                for offset, p, n_in, n_out in zip(tap, products.pad, in_size, out_size)]
            start = self.ones + number * channels
            # What lies outside of the images stays 0.
            self.copies.append(((slice(start, start + channels), slice(None), to_y, to_x),
                                (slice(None), slice(None), of_y, of_x)))

    def of(self, maps):
        """Sorted maps (ones + I, B, H, W) → columns (rows, pixels), valid until the next call.

        The maps lie below a row of ones if columns have one.
        """
        if self.products.is_pixel_itself:
            return maps.reshape(len(maps), -1)
        maps = maps[self.ones:]
        if self.buffer is None:
            return gpu_kernels.gather_columns(
                maps, self.products.offsets, self.ones, self.out_size)
        columns = self.buffer[:, :maps.shape[1]]
        for target, source in self.copies:
            columns[target] = maps[source]
        return columns.reshape(len(columns), -1)


_known = {}  # what `products_of` returns, by the ids of the masks, as long as the masks live


def products_of(masks, pads):
    """Returns the `Products` of each layer of a chain, a list of pairs (forward, turned).

    A layer is given by its mask (O, I, kh, kw) and its padding. On a GPU maps are not sorted by
    colour: a GPU can spare the multiplications, and each further product is one more kernel launch.
    """
    key = tuple(map(id, masks)), tuple(pads)
    if key not in _known:
        for mask in masks:
            weakref.finalize(mask, _known.pop, key, None)
        on_host = [cuda.to_cpu(mask).astype(bool) for mask in masks]
        colors = _colors(on_host) if backend.get_array_module(*masks) is np else 1
        _known[key] = [(Products(mask, pad, colors), Products(mask, pad, colors, turned=True))
                       for mask, pad in zip(on_host, pads)]
        if backend.get_array_module(*masks) is not np:
            for mask, (forward, turned) in zip(on_host, _known[key]):
                forward.to_gpu(mask)
                turned.to_gpu(mask)
                forward.places = cuda.to_gpu(np.concatenate([
                    forward.places.ravel(), turned.places.ravel()]))
    return _known[key]


def masked_weights(pair, W, mask, bias):
    """The matrices of a layer's weights, forward and turned: see `Products.weights`.

    On a GPU one launch makes both. On a CPU the turned one is None: it is made when it is needed.
    """
    forward, turned = pair
    if backend.get_array_module(W) is np:
        return forward.weights(W * mask, bias), None
    both = gpu_kernels.gather(W, bias, forward.places)
    size = len(W) * forward.rows
    return both[:size].reshape(len(W), -1), both[size:].reshape(-1, turned.rows)


def _colors(masks):
    """The least number of colours such that all maps of a colour have equal masks, or 1."""
    def alike(mask, colors):
        out_channels, in_channels = mask.shape[:2]
        return all((mask[o::colors, i::colors] == mask[o, i]).all()
                   for o in range(min(colors, out_channels))
                   for i in range(min(colors, in_channels)))

    return next((colors for colors in range(1, MOST_COLORS + 1)
                 if all(alike(mask, colors) for mask in masks)), 1)


def _turn(W):
    """(O, I, kh, kw) → (I, O, kh, kw), a view with the kernel turned around."""
    return W.swapaxes(0, 1)[:, :, ::-1, ::-1]


def _rounded(count, most):
    """A number of maps, rounded up to a multiple of `ROUND`, at most `most`."""
    return min(-(-count // ROUND) * ROUND, most)


def _inside(shift, n_in, n_out):
    """The output positions i for which inputs i + shift exist, as a slice of each."""
    start, stop = max(0, -shift), max(0, -shift, min(n_out, n_in - shift))
    return slice(start, stop), slice(start + shift, stop + shift)
