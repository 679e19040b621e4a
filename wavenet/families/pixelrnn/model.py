"""PixelRNN with Row LSTM or Diagonal BiLSTM layers (van den Oord et al., 2016, arXiv 1601.06759).

The networks of the paper's table 1. Its multi-scale PixelRNN is not here.
"""
from dataclasses import dataclass

import chainer

from wavenet.config import Config, flag, size
from wavenet.families.pixelrnn.layers import DiagonalBiLSTM, ResidualLSTM, RowLSTM
from wavenet.functions import distributions
from wavenet.functions.label_convolution import to_labels
from wavenet.functions.precision import float32_parameters
from wavenet.models import MaskedConvolution2D, first_weights, output_stack


@dataclass(frozen=True)
class PixelRNNConfig(Config):
    """The arguments of `PixelRNN`."""
    in_channels: int = size()
    hidden_dims: int = size()
    layers_num: int = size(least=0)
    out_hidden_dims: int = size()
    out_dims: int = size()
    one_hot: bool = flag()


class PixelRNN(chainer.Chain):
    """A 7×7 convolution of mask A, residual recurrent layers, and two 1×1 convolutions of mask B,
    each after a ReLU.

    Args:
        in_channels: channels of an image, 3 or 1; the masks have as many colour groups.
        hidden_dims: feature maps of an LSTM, h; there are 2h between the layers.
        layers_num: recurrent layers.
        out_hidden_dims: feature maps before the last layer.
        out_dims: levels of a value; 1 for one logit that a value is 1.
        one_hot: whether levels are labels, as in `wavenet.models.PixelCNN`.

    Attributes:
        config: the arguments.
        distribution: what the outputs mean, see `wavenet.distributions`.
        num_classes: 0, since the model is unconditional.
        dropout: in training, the part of each layer's outputs that is set to 0 at random; 0 at
            first.

    Raises: ValueError where `layers_num` is below 0, another below 1.
    """

    num_classes = 0
    dropout = 0.0
    # Subclasses have `family`, and `lstm`, the class of their layers.

    @float32_parameters
    def __init__(self, in_channels, hidden_dims, layers_num, out_hidden_dims, out_dims,
                 one_hot=False):
        super().__init__()
        self.config = PixelRNNConfig(
            in_channels, hidden_dims, layers_num, out_hidden_dims, out_dims, one_hot)
        self.in_channels = in_channels
        self.distribution = distributions.of_outputs(out_dims)
        kinds = self.distribution.levels if one_hot else 1
        with self.init_scope():
            self.conv1 = MaskedConvolution2D(
                kinds * in_channels, 2 * hidden_dims, 7, pad=3, mask='A', colors=in_channels,
                initialW=first_weights(kinds))
            self.blocks = chainer.ChainList(*[
                ResidualLSTM(self.lstm, hidden_dims, in_channels) for _ in range(layers_num)])
            self.conv2 = MaskedConvolution2D(
                2 * hidden_dims, out_hidden_dims, 1, colors=in_channels)
            self.conv4 = MaskedConvolution2D(
                out_hidden_dims, out_dims * in_channels, 1, colors=in_channels)

    def forward(self, x, class_ids=None):
        """Images in [0, 1], float32 (B, C, H, W) → logits (B, out_dims, C, H, W).

        Class ids, which conditional models take, are ignored.
        """
        if self.config.one_hot:
            x = to_labels(x, self.distribution.levels)
        h = self.conv1(x)                # (B, 2 hidden_dims, H, W)
        for block in self.blocks:
            h = block(h, self.dropout)
        return output_stack(h, self.conv2, self.conv4, self.in_channels)


class RowLSTMNet(PixelRNN):
    """`PixelRNN` of Row LSTM layers."""

    family = 'rowlstm'
    lstm = RowLSTM


class DiagonalBiLSTMNet(PixelRNN):
    """`PixelRNN` of Diagonal BiLSTM layers."""

    family = 'diagonal_bilstm'
    lstm = DiagonalBiLSTM
