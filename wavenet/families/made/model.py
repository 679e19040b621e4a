"""MADE: an autoencoder whose masks make it autoregressive (Germain et al., 2015, arXiv 1502.03509).

All layers are fully connected, so a model is for images of one size: D = C · H · W values. An order
gives each value a degree, its place in the order from 0 on. Each hidden unit has a random degree,
too. A unit sees the units below it whose degree is not larger than its own, and an output sees the
units whose degree is smaller. So an output depends on earlier values only.

A model can have several orders, each with hidden degrees of its own (the paper's order-agnostic and
connectivity-agnostic training). They share the weights. Order 0 is that of the other models: rows
from the top, left to right, R, G, B. The others are random. Degrees come from a seed, the order's
number, so that a file holds only how many there are. They are those of github.com/karpathy/
pytorch-made, but for its order 0, which is random.
"""
from dataclasses import dataclass

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from wavenet.config import Config, flag, size, sizes
from wavenet.functions import distributions
from wavenet.functions.precision import float32_parameters

MOST_ORDERS = 10000


@dataclass(frozen=True)
class MadeConfig(Config):
    """The arguments of `Made`."""

    in_channels: int = size()
    height: int = size()
    width: int = size()
    hidden_dims: tuple = sizes()
    out_dims: int = size()
    masks: int = size(most=MOST_ORDERS)
    direct: bool = flag()

    @property
    def values(self):
        """D, the number of values of an image."""
        return self.in_channels * self.height * self.width


class Made(chainer.Chain):
    """The whole model.

    Args:
        in_channels, height, width: of an image.
        hidden_dims: the units of each hidden layer, a sequence of at least one number.
        out_dims: levels of a value; 1 for one logit that a value is 1.
        masks: the number of orders, each with its masks.
        direct: whether the outputs also see the earlier values directly (the paper's direct
            connections).

    Attributes:
        config: the arguments.
        distribution: what the outputs mean, see `wavenet.distributions`.
        num_classes: 0, since the model is unconditional.
        dropout: in training, the part of each hidden layer's units that is set to 0 at random; 0 at
            first.

    Raises: ValueError for a size below 1.
    """

    family = 'made'
    num_classes = 0
    dropout = 0.0

    @float32_parameters
    def __init__(self, in_channels, height, width, hidden_dims, out_dims, masks=1, direct=False):
        super().__init__()
        self.config = MadeConfig(in_channels, height, width, tuple(hidden_dims), out_dims, masks,
                                 direct)
        self.in_channels = in_channels
        self.distribution = distributions.of_outputs(out_dims)
        values = self.config.values
        widths = [values, *hidden_dims, out_dims * values]
        with self.init_scope():
            self.layers = chainer.ChainList(*map(L.Linear, widths, widths[1:]))
            if direct:
                self.direct = L.Linear(values, out_dims * values, nobias=True)

    def degrees(self, order):
        """The degrees of an order: those of the values, int (D,) in the order of (C, H, W), and
        those of each hidden layer's units. Raises: ValueError for an order that is not there."""
        if not 0 <= order < self.config.masks:
            raise ValueError(f'the model has orders 0 to {self.config.masks - 1}, not {order}')
        return random_degrees(self.config, order)

    def degrees_of_completion(self, given):
        """The same of an order in which the values that are given, bool (C, H, W), come first, and
        the others follow, both as in order 0.

        A model of one order has learned no other, so it stays in that one.
        """
        natural, *hidden = self.degrees(0)
        if self.config.masks == 1:
            return [natural, *hidden]
        degrees = np.empty_like(natural)
        degrees[np.lexsort((natural, ~given.ravel()))] = np.arange(len(natural))
        return [degrees, *hidden]

    def forward(self, x, class_ids=None, order=0):
        """Images in [0, 1], floating (B, C, H, W) → logits (B, out_dims, C, H, W).

        Each depends on the values that come before in the order of this number, or in that of
        degrees as `degrees` gives them. Class ids, which conditional models take, are ignored.
        Raises: ValueError for images of another size.
        """
        if np.prod(x.shape[1:]) != self.config.values:
            raise ValueError(f'the model is for {self.config.values} values, not images of the '
                             f'shape {x.shape[1:]}')
        degrees = order if isinstance(order, list) else self.degrees(order)
        *masks, last = masks_of(degrees)
        last = np.tile(last, (self.config.out_dims, 1))                    # (out_dims · D, units)
        x = F.cast(F.reshape(x, (len(x), self.config.values)), self.layers[0].W.dtype)
        h = x                                                              # (B, D)
        for link, mask in zip(self.layers, masks):
            h = F.relu(masked_linear(link, h, mask))                       # (B, units)
            if self.dropout and chainer.config.train:
                h = F.dropout(h, self.dropout)
        outputs = masked_linear(self.layers[-1], h, last)                  # (B, out_dims · D)
        if self.config.direct:
            direct = np.tile(sees_before(degrees[0], degrees[0]), (self.config.out_dims, 1))
            outputs += masked_linear(self.direct, x, direct)
        config = self.config
        return F.reshape(outputs, (len(x), config.out_dims, config.in_channels, config.height,
                                   config.width))


def masked_linear(link, x, mask):
    """A linear layer whose weights are multiplied by a mask, bool (out, in) on the host."""
    return F.linear(x, link.W * link.xp.asarray(mask, link.W.dtype), link.b)


def random_degrees(config, order):
    """The degrees of a model's order, see `Made.degrees`."""
    random = np.random.RandomState(order)
    degrees = [random.permutation(config.values)]
    if order == 0:
        degrees = [natural_degrees(config)]
    for units in config.hidden_dims:
        least = degrees[-1].min()
        degrees.append(random.randint(least, max(least + 1, config.values - 1), units))
    return degrees


def natural_degrees(config):
    """Row by row, pixel by pixel, R, G, B: int (D,), in the order of (C, H, W)."""
    places = np.arange(config.values).reshape(config.height, config.width, config.in_channels)
    return np.moveaxis(places, 2, 0).ravel()


def masks_of(degrees):
    """The masks of all layers, bool (out, in), the last one that of a single output a value."""
    values = degrees[0]
    return [above[:, None] >= below for below, above in zip(degrees, degrees[1:])] + [
        sees_before(values, degrees[-1])]


def sees_before(values, below):
    """The mask of what outputs see, bool (out, in): smaller degrees only."""
    return values[:, None] > below
