"""The masked convolution as a Chainer function, with less work and in less memory.

A mask leaves 24 of the 49 taps of the first layer's kernel and 4 of the 9 taps of a block's kernel,
and of the pixel itself the maps of some colours. Only these are gathered and multiplied
(`products.py`).

Layers that follow each other, such as those of a block, are one function, a chain. Each core takes
a few images of the batch through all layers while their feature maps are in its cache, and then
takes the next few (`threads.py`).

Memory: a chain allocates its result, the maps between its layers (for backward, after their ReLU),
and in backward the gradient of its input. These arrays are (maps, B, H, W) in memory; Chainer sees
them as (B, maps, H, W), and its functions keep the order of memory. All other arrays are as large
as the columns of a few images, or of one large image: 2 MB on each core for 128 maps of 28×28.
"""
import chainer
import chainer.functions as F
import numpy as np
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import gpu_kernels, threads
from wavenet.functions.label_convolution import label_convolution_2d
from wavenet.functions.products import Columns, masked_weights, products_of

LEAST_PARTS, MOST_PARTS = 4, 16  # of a batch, which the cores share


def masked_convolution_2d(x, W, b, mask, pad=0, relu=False):
    """`F.convolution_2d(x, W * mask, b, pad=pad)`, with less work.

    Args:
        x: input (B, in_channels, H, W), floating, in any order of memory. B may be 0. Or labels,
            int32 (B, C, H, W), in place of one channel of 0 and 1 for each kind of label; see
            `label_convolution_2d`.
        W: weights (out_channels, in_channels, kh, kw), of the same dtype. Their gradient is 0 where
            the mask is 0.
        b: biases (out_channels,), of the same dtype, or None.
        mask: 0/1 array of W's shape, on the same device. It must not change afterwards.
        pad: rows and columns of zeros around the images, one number or two.
        relu: whether the convolution is of `F.relu(x)` instead of x.

    Returns: Variable (B, out_channels, H + 2 pad - kh + 1, W + 2 pad - kw + 1).

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    if x.dtype.kind == 'i':
        pads = pad if isinstance(pad, tuple) else (pad, pad)
        return label_convolution_2d(x, W, b, mask, pads)
    return masked_chain_2d(x, [(W, b, mask, pad)], relu)


def masked_chain_2d(x, layers, relu=True, shortcut=False):
    """Several masked convolutions in a row, with a ReLU before each.

    Args:
        x: input (B, C, H, W).
        layers: (W, b, mask, pad) of each convolution, see `masked_convolution_2d`.
        relu: whether there is a ReLU before the first convolution, too.
        shortcut: whether x is added to the result, which must have the same shape.

    Returns: Variable (B, out_channels of the last layer, H', W').

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    inputs, masks, pads = [x], [], []
    for W, b, mask, pad in layers:
        if b is None:
            b = backend.get_array_module(mask).zeros(len(mask), chainer.as_array(W).dtype)
        inputs += [W, b]
        masks.append(mask)
        pads.append(pad if isinstance(pad, tuple) else (pad, pad))
    return MaskedChain2DFunction(masks, pads, relu, shortcut).apply(inputs)[0]


class MaskedChain2DFunction(function_node.FunctionNode):
    """See `masked_chain_2d`. Inputs: x, then W and b of each layer.

    Args:
        masks: the mask of each layer.
        pads: the padding of each layer, two numbers.
        relu, shortcut: see `masked_chain_2d`.
    """

    def __init__(self, masks, pads, relu, shortcut):
        self.masks = masks
        self.pads = pads
        self.relu = relu
        self.shortcut = shortcut

    def check_type_forward(self, in_types):
        x = in_types[0]
        type_check.expect(x.dtype.kind == 'f', x.ndim == 4)
        channels, size = x.shape[1], [x.shape[2], x.shape[3]]
        for n, (mask, pad) in enumerate(zip(self.masks, self.pads)):
            W, b = in_types[1 + 2 * n], in_types[2 + 2 * n]
            type_check.expect(W.dtype == x.dtype, W.ndim == 4, W.shape == mask.shape,
                              W.shape[1] == channels, b.dtype == x.dtype, b.ndim == 1,
                              b.shape[0] == W.shape[0])
            for axis in (0, 1):
                size[axis] += 2 * pad[axis]
                type_check.expect(size[axis] >= mask.shape[2 + axis])
                size[axis] -= mask.shape[2 + axis] - 1
            channels = W.shape[0]
        if self.shortcut:
            type_check.expect(x.shape[1] == channels, x.shape[2] == size[0], x.shape[3] == size[1])

    def forward(self, inputs):
        self.retain_inputs(tuple(range(len(inputs))))
        x, Ws, biases = channel_major(inputs[0]), inputs[1::2], inputs[2::2]
        xp = backend.get_array_module(x)
        pairs = products_of(self.masks, self.pads)
        layers = [forward for forward, _ in pairs]
        weights, self.turned_weights = zip(*[
            masked_weights(pair, W, mask, b)
            for pair, W, mask, b in zip(pairs, Ws, self.masks, biases)])
        sizes = self._sizes(x)
        shapes = [(len(W), x.shape[1]) + size for W, size in zip(Ws, sizes[1:])]
        # The maps between the layers, after their ReLU, sorted by colour, below a row of ones
        self.hidden = [_below_ones(xp, shape, x.dtype) for shape in shapes[:-1]]
        y = xp.empty(shapes[-1], x.dtype)
        step = _images_at_a_time(x, layers, sizes)
        in_place = self._in_place(xp)

        def work(parts):
            columns_of = [Columns(layer, step, *size, xp, x.dtype).of
                          for layer, size in zip(layers, zip(sizes, sizes[1:]))]
            zeros = [_zeros(xp, size, x.dtype) for size in sizes]
            first = _below_ones(xp, (len(x), step) + sizes[0], x.dtype)
            last = y if in_place else xp.empty((len(y), step) + sizes[-1], x.dtype)
            for _, images, some in _few_images(parts, step):
                seen = [first[:, some]] + [maps[:, images] for maps in self.hidden]
                _sort_below_ones(layers[0].inputs, x[:, images], seen[0], zeros[0], self.relu)
                for n, layer in enumerate(layers):
                    target = seen[n + 1][1:] if n + 1 < len(layers) else last[:, some]
                    layer.multiply(weights[n], columns_of[n](seen[n]), as_matrix(target))
                    if n + 1 < len(layers):
                        _rectify_below_ones(seen[n + 1], zeros[n + 1])
                if not in_place:
                    layers[-1].outputs.unsort(
                        last[:, some], y[:, images], x[:, images] if self.shortcut else None)

        threads.share(work, _parts(x.shape[1], step))
        return y.transpose(1, 0, 2, 3),

    def backward(self, indexes, grad_outputs):
        inputs = self.get_retained_inputs()
        gy, = grad_outputs
        if not gy.size:                                      # an empty batch
            return tuple(chainer.as_variable(inputs[i].xp.zeros_like(inputs[i].array))
                         for i in indexes)
        if chainer.config.enable_backprop:
            return self._differentiable_backward(inputs, gy, indexes)
        gradients = self._backward(channel_major(inputs[0].array), [W.array for W in inputs[1::2]],
                                   channel_major(gy.array), 0 in indexes)
        return tuple(chainer.as_variable(gradients[i]) for i in indexes)

    def _backward(self, x, Ws, gy, x_wants_gradient):
        """Returns a list of gx and of gW and gb of each layer; gx is None if it is not wanted.

        The columns of gy serve for both the gradient of a layer's input and that of its weights. If
        the gradient of x is not wanted, the first layer uses the columns of x, which may have few
        channels, instead.
        """
        xp = backend.get_array_module(x)
        forward, turned = zip(*products_of(self.masks, self.pads))
        sizes = self._sizes(x)
        layers, from_sizes, to_sizes = list(turned), sizes[1:], sizes[:-1]
        if not x_wants_gradient:
            layers[0], from_sizes[0], to_sizes[0] = forward[0], sizes[0], sizes[1]
        weights = self.turned_weights if xp is not np else [
            layer.weights(W * mask) for layer, W, mask in zip(turned, Ws, self.masks)]
        gx = xp.empty_like(x) if x_wants_gradient else None
        sums = {}
        step = _images_at_a_time(x, layers, sizes)
        in_place = self._in_place(xp)

        def work(parts):
            columns_of = [Columns(layer, step, *size, xp, x.dtype).of
                          for layer, size in zip(layers, zip(from_sizes, to_sizes))]
            zeros = _zeros(xp, sizes[0], x.dtype)
            first = _below_ones(xp, (len(x), step) + sizes[0], x.dtype)
            gradients = [xp.empty((W.shape[1], step) + size, x.dtype) for W, size in zip(Ws, sizes)]
            gradients.append(xp.empty((len(gy), step) + sizes[-1], x.dtype))
            if x_wants_gradient and in_place:
                gradients[0] = gx
            for part, images, some in _few_images(parts, step):
                seen = [first[:, some]] + [maps[:, images] for maps in self.hidden]
                _sort_below_ones(forward[0].inputs, x[:, images], seen[0], zeros, self.relu)
                above = gy[:, images]                        # the gradient of a layer's output
                if xp is np:
                    above = gradients[-1][:, some]
                    forward[-1].outputs.sort(gy[:, images], above)
                for n in reversed(range(len(layers))):
                    columns = columns_of[n](above if layers[n].turned else seen[n])
                    _add(sums, (n, part.start),
                         *_gradients(layers[n], as_matrix(above), as_matrix(seen[n]), columns))
                    if not layers[n].turned:
                        break
                    above = gradients[n][:, some]
                    layers[n].multiply(weights[n], columns, as_matrix(above))
                    if n or self.relu:
                        _differentiate_relu(seen[n][1:], above)
                if x_wants_gradient and not in_place:
                    forward[0].inputs.unsort(
                        above, gx[:, images], gy[:, images] if self.shortcut else None)

        threads.share(work, _parts(x.shape[1], step))
        result = [gx.transpose(1, 0, 2, 3) if x_wants_gradient else None]
        for n, mask in enumerate(self.masks):
            gW, sorted_gb = _sum_up(sums, n)
            gb = sorted_gb[np.argsort(forward[n].outputs.order)] if xp is np else sorted_gb
            result += [layers[n].masked_spread(gW, mask), gb]
        return result

    def _differentiable_backward(self, inputs, gy, indexes):
        """The gradients as a graph of Chainer's own functions, for second derivatives."""
        y = inputs[0]
        for n, (mask, pad) in enumerate(zip(self.masks, self.pads)):
            y = F.convolution_2d(F.relu(y) if n or self.relu else y, inputs[1 + 2 * n] * mask,
                                 inputs[2 + 2 * n], pad=pad)
        if self.shortcut:
            y += inputs[0]
        return chainer.grad([y], [inputs[i] for i in indexes], [gy], enable_double_backprop=True)

    def _in_place(self, xp):
        """Whether products are written to the result itself. A GPU sorts no maps, and takes the
        whole batch at a time."""
        return xp is not np and not self.shortcut

    def _sizes(self, x):
        """(H, W) of the input and of the output of each layer."""
        sizes = [x.shape[2:]]
        for mask, pad in zip(self.masks, self.pads):
            sizes.append(tuple(sizes[-1][axis] + 2 * pad[axis] - mask.shape[2 + axis] + 1
                               for axis in (0, 1)))
        return sizes


def channel_major(x):
    """(B, C, H, W) → (C, B, H, W), contiguous: a map of all images is one piece of memory."""
    return backend.get_array_module(x).ascontiguousarray(x.transpose(1, 0, 2, 3))


def _sort_below_ones(order, maps, target, zeros, relu):
    """Writes maps (C, …), or their ReLU, sorted to `target` (1 + C, …), below a row of ones."""
    if backend.get_array_module(maps) is np:
        order.sort(maps, target[1:], zeros if relu else None)
    else:
        gpu_kernels.below_ones(maps, target, relu)


def _rectify_below_ones(maps, zeros):
    """Applies a ReLU in place to maps (1 + C, …) below a row of ones."""
    if backend.get_array_module(maps) is np:
        np.maximum(maps[1:], zeros, out=maps[1:])
    else:
        gpu_kernels.below_ones(maps[1:], maps, True)


def _gradients(layer, gy, seen, columns):
    """The gradients of a layer's weights and of its biases: see `Products.both_gradients`."""
    if backend.get_array_module(gy) is not np:
        return layer.both_gradients(gy, seen, columns)
    gb = gy.sum(axis=1)
    if layer.turned:
        return layer.gradient(seen[1:], columns), gb
    return layer.gradient(gy, columns), gb


def _zeros(xp, size, dtype):
    """What a ReLU compares with: on a CPU an array, with which NumPy's maximum is faster."""
    return xp.zeros(size, dtype) if xp is np else 0


def _differentiate_relu(outputs, gradients):
    """Multiplies the gradients in place by the ReLU's derivative, given its outputs."""
    if backend.get_array_module(outputs) is np:
        gradients *= outputs > 0
    else:
        gpu_kernels.relu_gradient(outputs, gradients)


def _below_ones(xp, shape, dtype):
    """An array (1 + C, B, H, W) whose other rows are empty, below a row of ones. On a GPU the row
    of ones is written together with the others."""
    maps = xp.empty((1 + shape[0],) + shape[1:], dtype)
    if xp is np:
        maps[0] = 1
    return maps


def as_matrix(maps):
    """Maps (C, B, …) → (C, pixels of all images), a view of contiguous pixels."""
    return maps.reshape(len(maps), -1)


def _images_at_a_time(x, layers, sizes):
    """How many images of x (C, B, H, W) a core takes at a time, so that columns fit its cache."""
    pixels = max(height * width for height, width in sizes)
    values = max(layer.rows for layer in layers) * pixels
    return threads.images_at_a_time(backend.get_array_module(x), x.shape[1], values, LEAST_PARTS)


def _parts(batch, step):
    """Divides a batch into slices for the cores to share.

    Sums over images are sums over these slices, so they are the same for any number of cores.
    """
    return threads.parts_of(batch, max(step, -(-batch // MOST_PARTS)))


def _few_images(parts, step):
    """Goes through parts of a batch, `step` images at a time.

    Yields: the part, the slice of the images in the batch, and their slice in an array of `step`.
    """
    for part in parts:
        for start in range(part.start, part.stop, step):
            count = min(step, part.stop - start)
            yield part, slice(start, start + count), slice(0, count)


def _add(sums, key, *arrays):
    """Adds arrays to those of `sums[key]`."""
    if key in sums:
        for total, array in zip(sums[key], arrays):
            total += array
    else:
        sums[key] = arrays


def _sum_up(sums, n):
    """Adds up the sums of all parts for layer n, in the order of the parts."""
    first, *others = [sums[key] for key in sorted(sums) if key[0] == n]
    for arrays in others:
        for total, array in zip(first, arrays):
            total += array
    return first
