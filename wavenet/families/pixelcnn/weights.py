"""The weights of masked convolutions, sorted by colour, for cached generation.

In the caches the feature maps of each layer are sorted by colour (`ColourOrder`): everything that a
colour depends on is then one slice, from the first map on. Weights are multiplied by their mask.
"""
import math
from typing import Any, NamedTuple

from chainer import backend

from wavenet.functions.colour_order import ColourOrder
from wavenet.functions.label_convolution import label_tables


class LayerOrders(NamedTuple):
    """The order of the feature maps of each kind of layer of a `PixelCNN`."""
    hidden: ColourOrder      # conv1 and the blocks
    half: ColourOrder        # inside of a block
    out_hidden: ColourOrder  # conv2
    out: ColourOrder         # conv4: the logits, colour by colour


def layer_orders(model):
    counts = len(model.conv1.W), len(model.conv1.W) // 2, len(model.conv2.W), len(model.conv4.W)
    return LayerOrders(*(ColourOrder(count, model.in_channels) for count in counts))


class Product(NamedTuple):
    """The arguments of `dot`, which writes the product W · x to y. The arrays are made once."""
    W: Any  # weights (outputs, inputs)
    x: Any  # (inputs, B)
    y: Any  # (outputs, B)


def sorted_weights(link, inputs, outputs):
    """The weights (O, I, kh, kw) of a masked convolution."""
    return (link.W.array * link.mask)[outputs.order][:, inputs.order]


def pixel_weights(link, inputs, outputs):
    """Weights (O, I) of a masked convolution for the pixel itself, and its biases (O,)."""
    _, _, kh, kw = link.W.shape
    W = sorted_weights(link, inputs, outputs)[:, :, kh // 2, kw // 2]
    return W, link.b.array[outputs.order]


def patch_weights(conv1, outputs):
    """Weights (O, 24 C + C - 1) of conv1 for all that it sees, and its biases (O,).

    It sees three rows above, three pixels to the left, and of the pixel itself all colours but the
    last. C is the number of colours.
    """
    xp = conv1.xp
    W = (conv1.W.array * conv1.mask)[outputs.order]                          # (O, C, 7, 7)
    seen = [W[:, :, :3], W[:, :, 3, :3], W[:, :-1, 3, 3]]
    W = xp.concatenate([part.reshape(len(W), math.prod(part.shape[1:])) for part in seen], axis=1)
    return W, conv1.b.array[outputs.order]


def label_patch_tables(conv1, outputs, colors):
    """The same weights where values are labels: tables to look them up, see `label_tables`.

    Returns: (21 C, K + 1, O) for the rows above, (3 C, K + 1, O) for the pixels to the left, and
        (C, K + 1, O) for the pixel itself; the colours come first, as in `patch_weights`.
    """
    W = (conv1.W.array * conv1.mask)[outputs.order]                          # (O, K C, 7, 7)
    tables = [label_tables(part, colors) for part in (W[:, :, :3], W[:, :, 3, :3], W[:, :, 3, 3])]
    xp = conv1.xp                                            # (…, C, K + 1, O) each
    return [xp.moveaxis(table, -3, 0).reshape(-1, *table.shape[-2:]) for table in tables]


def products_by_colour(weights, outputs, ends, x, y):
    """The product of each colour.

    Args:
        weights: W (O, I) and biases (O,).
        outputs: `ColourOrder` of the outputs.
        ends: for each colour, how many rows of x it sees.
        x: inputs (1 + I, B), below a row of ones for the bias.
        y: outputs (O, B).

    Returns: a list of `Product`, one for each colour.
    """
    W, b = weights
    xp = backend.get_array_module(W)
    W = xp.concatenate([b[:, None], W], axis=1)                              # (O, 1 + I)
    return [Product(xp.ascontiguousarray(W[outputs.of(k), :end]), x[:end], y[outputs.of(k)])
            for k, end in enumerate(ends)]


def pixel_products(link, inputs, outputs, x, y):
    """`products_by_colour` of a masked convolution, of mask B, for the pixel itself."""
    ends = [1 + inputs.until(k) for k in range(len(inputs.pairs))]
    return products_by_colour(pixel_weights(link, inputs, outputs), outputs, ends, x, y)
