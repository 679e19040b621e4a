"""The post's PixelCNN, figure by figure (Sergei Turukin, "PixelCNN", 22 February 2017).

The pixels of an image are ordered left to right and top to bottom, and within a pixel R, G, B.
The model predicts the distribution of every value from the values before it. Masks keep every
output from depending on its own or later inputs.

Feature map i belongs to colour i % 3 (the post's "groups of 3"), in every layer and for any number
of feature maps. The output channels, read as (levels, colours), are in this order too.
"""
import math
from dataclasses import dataclass

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from wavenet.config import Config, flag, size
from wavenet.functions import distributions
from wavenet.functions.label_convolution import to_labels
from wavenet.functions.masked_convolution import masked_chain_2d, masked_convolution_2d
from wavenet.functions.precision import float32_parameters


def make_mask(shape, mask, colors, dtype=np.float32):
    """The 0/1 mask of convolution weights (the post, Masks).

    Args:
        shape: shape of the weights, (out_channels, in_channels, kh, kw).
        mask: 'A' for the first layer, which must not see the value it predicts; 'B' for all others.
        colors: number of colour groups; 1 for grayscale.
        dtype: of the mask.

    Returns: array of that shape, 1 where the output may depend on the input.

    Raises: ValueError for another kind of mask.
    """
    if mask not in ('A', 'B'):
        raise ValueError(f"mask must be 'A' or 'B', got {mask!r}")
    out_channels, in_channels, kh, kw = shape
    yc, xc = kh // 2, kw // 2

    ones = np.ones(shape, dtype)
    ones[:, :, yc + 1:, :] = 0    # rows below
    ones[:, :, yc, xc + 1:] = 0   # the same row, to the right

    # The pixel itself: a feature map sees those of earlier colours and, with mask B, of its own.
    out_color = np.arange(out_channels)[:, None] % colors
    in_color = np.arange(in_channels)[None, :] % colors
    ones[:, :, yc, xc] = in_color < out_color if mask == 'A' else in_color <= out_color
    return ones


class MaskedConvolution2D(L.Convolution2D):
    """A convolution whose weights are multiplied by a constant mask (wavenet/models.py#L21 of the
    author's repository).

    Args:
        in_channels, out_channels, ksize, stride, pad, nobias, initialW, initial_bias: as in
            `chainer.links.Convolution2D`; the channels must be given, and the stride must be 1.
        mask: 'A' or 'B', see `make_mask`.
        colors: number of colour groups; 1 for grayscale.

    Raises: ValueError for less than one channel, another stride, another kind of mask.
    """

    def __init__(self, in_channels, out_channels, ksize, stride=1, pad=0, nobias=False,
                 initialW=None, initial_bias=None, mask='B', colors=3):
        if not in_channels or not out_channels or min(in_channels, out_channels) < 1:
            raise ValueError('a masked convolution has at least 1 channel, not '
                             f'{in_channels} → {out_channels}')
        if stride not in (1, (1, 1)):
            raise ValueError(f'the stride of a masked convolution is 1, not {stride}')
        super().__init__(in_channels, out_channels, ksize, pad=pad, nobias=nobias,
                         initialW=initialW, initial_bias=initial_bias)
        self.mask = make_mask(self.W.shape, mask, colors, self.W.dtype)

    def forward(self, x, relu=False):
        """Convolves x, or its ReLU with `relu`, with W * mask: (B, in_channels, H, W) →
        (B, out_channels, H', W')."""
        return masked_convolution_2d(x, self.W, self.b, self.mask, self.pad, relu)

    def device_resident_accept(self, visitor):
        # The mask moves to a device together with the parameters. It is not a persistent value:
        # those are saved, and Chainer would look for the masks in the author's files, which have
        # none.
        super().device_resident_accept(visitor)
        self.mask = visitor.visit_array(self.mask)


def relu_convolutions(x, *links, shortcut=False):
    """Applies `MaskedConvolution2D` links one after the other, a ReLU before each, and adds x with
    `shortcut`. One function for all of them is faster than one for each."""
    return masked_chain_2d(x, [(link.W, link.b, link.mask, link.pad) for link in links],
                           shortcut=shortcut)


class ResidualBlock(chainer.Chain):
    """Three convolutions, each after a ReLU, and a shortcut around them: the post's residual block.

    1×1 to half of the feature maps, 3×3, 1×1 back to all: (B, in_channels, H, W) → the same shape.

    Raises: ValueError for less than 2 channels.
    """

    def __init__(self, in_channels, colors=3):
        super().__init__()
        half = in_channels // 2
        with self.init_scope():
            self.conv1 = MaskedConvolution2D(in_channels, half, 1, colors=colors)
            self.conv2 = MaskedConvolution2D(half, half, 3, pad=1, colors=colors)
            self.conv3 = MaskedConvolution2D(half, in_channels, 1, colors=colors)

    def forward(self, x, dropout=0.0):
        layers = self.conv1, self.conv2, self.conv3
        if dropout and chainer.config.train:
            return x + F.dropout(relu_convolutions(x, *layers), dropout)
        return relu_convolutions(x, *layers, shortcut=True)


class ResidualBlockList(chainer.ChainList):
    """`block_num` residual blocks, one after the other: (B, hidden_dims, H, W) → the same."""

    # A ChainList, as in the author's code: Chainer 7's Sequential names its children in another
    # order from three blocks on, so his files would not fit.
    def __init__(self, block_num, hidden_dims, colors=3, block=ResidualBlock):
        super().__init__(*[block(hidden_dims, colors) for _ in range(block_num)])

    def forward(self, x, dropout=0.0):
        for block in self:
            x = block(x, dropout)
        return x


@dataclass(frozen=True)
class PixelCNNConfig(Config):
    """The arguments of `PixelCNN`."""
    in_channels: int = size()
    hidden_dims: int = size(least=2)
    block_num: int = size(least=0)
    out_hidden_dims: int = size()
    out_dims: int = size()
    one_hot: bool = flag()


class PixelCNN(chainer.Chain):
    """The whole model (the post, Architecture).

    Args:
        in_channels: channels of an image, 3 or 1; the masks have as many colour groups.
        hidden_dims: feature maps between the blocks, 2h in the post's diagram; at least 2.
        block_num: residual blocks.
        out_hidden_dims: feature maps before the last layer, d in the diagram.
        out_dims: levels of a value; 1 for the post's first stage, one logit that a value is 1.
        one_hot: whether levels are labels, not intensities: the first layer then has an input
            channel for each level of each colour, level · C + colour, instead of each colour.

    Attributes:
        config: the arguments.
        distribution: what the outputs mean, see `wavenet.distributions`.
        num_classes: 0, since the model is unconditional.
        dropout: in training, the part of each block's outputs that is set to 0 at random; 0 at
            first.

    Raises: ValueError where `hidden_dims` is below 2, `block_num` below 0, another below 1.
    """

    family = 'pixelcnn'
    num_classes = 0
    dropout = 0.0
    # Variants of the model differ in these:
    mask_colors = None     # colour groups of the masks; None for one for each channel
    block = ResidualBlock

    @float32_parameters
    def __init__(self, in_channels, hidden_dims, block_num, out_hidden_dims, out_dims,
                 one_hot=False):
        super().__init__()
        self.config = PixelCNNConfig(in_channels, hidden_dims, block_num, out_hidden_dims, out_dims,
                                     one_hot)
        self.in_channels, self.out_dims = in_channels, out_dims
        self.distribution = distributions.of_outputs(out_dims)

        colors = self.mask_colors or in_channels
        kinds = self.distribution.levels if one_hot else 1
        with self.init_scope():
            self.conv1 = MaskedConvolution2D(
                kinds * in_channels, hidden_dims, 7, pad=3, mask='A', colors=colors,
                initialW=first_weights(kinds))
            self.blocks = ResidualBlockList(block_num, hidden_dims, colors, self.block)
            self.conv2 = MaskedConvolution2D(hidden_dims, out_hidden_dims, 1, colors=colors)
            self.conv4 = MaskedConvolution2D(
                out_hidden_dims, out_dims * in_channels, 1, colors=colors)

    def forward(self, x, class_ids=None):
        """Images in [0, 1], float32 (B, C, H, W) → logits (B, out_dims, C, H, W).

        Class ids, which conditional models take, are ignored.
        """
        if self.config.one_hot:
            x = to_labels(x, self.distribution.levels)   # int32, in place of (B, levels · C, H, W)
        h = self.conv1(x)                # (B, hidden_dims, H, W)
        h = self.blocks(h, self.dropout)
        return output_stack(h, self.conv2, self.conv4, self.in_channels)


def first_weights(kinds, scale=1):
    """Chainer's initial weights, times `scale`, of a first layer with `kinds` input channels for
    each colour, only one of which is not 0: as large as with one channel for each colour."""
    return chainer.initializers.LeCunNormal(scale=scale * math.sqrt(kinds))


def output_stack(h, conv2, conv4, colors):
    """The layers after the blocks: feature maps (B, hidden_dims, H, W) → logits
    (B, out_dims, C, H, W)."""
    h = relu_convolutions(h, conv2, conv4)   # (B, out_dims * C, H, W)
    batch_size, channels, height, width = h.shape
    return F.reshape(h, (batch_size, channels // colors, colors, height, width))


class Classifier(chainer.Chain):
    """The loss: the negative log-likelihood of the images, in nats per image.

    Reports `nll`, that loss (summed over the values of an image, averaged over the images), and
    `bits/dim` = nll / (C · H · W · ln 2).

    Args:
        predictor: a model, such as a `PixelCNN`.
        reduce: 'sum', or 'mean' for a loss that is the mean over all values, nll / (C · H · W), as
            in the author's newest code. Clipping of gradients and weight decay depend on it; what
            is reported does not.
    """

    def __init__(self, predictor, reduce='sum'):
        super().__init__()
        self.reduce = reduce
        with self.init_scope():
            self.predictor = predictor

    def forward(self, x, targets, class_ids=None):
        """
        Args:
            x: images, float32 (B, C, H, W), as the predictor takes them.
            targets: their quantized values, int32 (B, C, H, W), in {0, …, levels - 1}.
            class_ids: their classes, int32 (B,), which unconditional models ignore.

        Returns: the loss, a 0-dimensional Variable.
        """
        outputs = self.outputs(x, class_ids)
        nll = F.average(self.predictor.distribution.nll(outputs, targets))
        values = math.prod(targets.shape[1:])
        chainer.report({'nll': nll, 'bits/dim': nll.array / (values * math.log(2))}, self)
        return nll / values if self.reduce == 'mean' else nll

    def outputs(self, x, class_ids):
        """The outputs of the predictor for a batch; a family's loss may choose a form of it."""
        return self.predictor(x, class_ids)
