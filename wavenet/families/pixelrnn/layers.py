"""The two recurrent layers of PixelRNN, as Chainer links.

Weights of the gates come in blocks of h maps, in the order o, f, i, g. In each block, map m belongs
to colour m % colors.
"""
import chainer
import chainer.functions as F
import numpy as np

from wavenet.families.pixelrnn import skew, steps
from wavenet.models import MaskedConvolution2D, make_mask

GATES = 4


class InputToState(MaskedConvolution2D):
    """What the inputs give to the gates of each direction, for the whole image at once: a
    convolution 1 × ksize of mask B, (B, in_channels, H, W) → (B, directions · 4h, H, W)."""

    def __init__(self, in_channels, hidden, ksize, directions, colors):
        super().__init__(in_channels, directions * GATES * hidden, (1, ksize), pad=(0, ksize // 2),
                         colors=colors)
        of_gate = make_mask((hidden, in_channels, 1, ksize), 'B', colors, self.W.dtype)
        self.mask = np.concatenate([of_gate] * (directions * GATES))


class StateToState(chainer.Link):
    """The weights of the states, W: (directions · 4h, h, *kernel), without biases or a mask, since
    all they see are earlier pixels."""

    def __init__(self, hidden, kernel, directions):
        super().__init__()
        self.directions = directions
        with self.init_scope():
            self.W = chainer.Parameter(chainer.initializers.LeCunNormal(),
                                       (directions * GATES * hidden, hidden, *kernel))

    def matrices(self):
        """(directions, 4h, h, taps), as `steps.lstm_steps` takes them."""
        return F.reshape(self.W, (self.directions, -1, self.W.shape[1], max(self.W.shape[2:])))


class RowLSTM(chainer.Chain):
    """The Row LSTM (3.1), from the top row down: (B, in_channels, H, W) → (B, h, H, W).

    A pixel sees itself, its left neighbour, and above them a triangle that widens by a pixel per
    row and side.
    """

    def __init__(self, in_channels, hidden, colors=1):
        super().__init__()
        with self.init_scope():
            self.input_to_state = InputToState(in_channels, hidden, 3, 1, colors)
            self.state_to_state = StateToState(hidden, (1, 3), 1)

    def forward(self, x):
        h = steps.lstm_steps(*self.operands(x))              # (H, 1, h, W, B)
        return F.transpose(F.squeeze(h, axis=1), (3, 1, 0, 2))

    def operands(self, x):
        """The arguments of `steps.lstm_steps`."""
        z = F.transpose(self.input_to_state(x), (2, 1, 3, 0))   # (H, 4h, W, B)
        return F.expand_dims(z, 1), self.state_to_state.matrices(), steps.ROW


class DiagonalLSTM(chainer.Chain):
    """The LSTM along the diagonals (3.2): (B, in_channels, H, W) → (B, directions · h, H, W).

    The first direction goes from the top left, the second one from the top right. A pixel of the
    first one sees itself and all that is above and to the left; its cell is that of the pixel to
    the left.
    """

    def __init__(self, in_channels, hidden, colors=1, directions=1):
        super().__init__()
        with self.init_scope():
            self.input_to_state = InputToState(in_channels, hidden, 1, directions, colors)
            self.state_to_state = StateToState(hidden, (2, 1), directions)

    def forward(self, x):
        return skew.unskew(steps.lstm_steps(*self.operands(x)))

    def operands(self, x):
        """The arguments of `steps.lstm_steps`."""
        z = skew.skew(self.input_to_state(x), self.state_to_state.directions)
        return z, self.state_to_state.matrices(), steps.DIAGONAL, skew.spans(*x.shape[2:])


class DiagonalBiLSTM(DiagonalLSTM):
    """Both directions together (3.2): (B, in_channels, H, W) → (B, h, H, W).

    The map of the second direction is moved down by a row, since it would see the pixels to the
    right. So a pixel sees itself and all earlier ones.
    """

    def __init__(self, in_channels, hidden, colors=1):
        super().__init__(in_channels, hidden, colors, directions=2)

    def forward(self, x):
        left, right = F.split_axis(super().forward(x), 2, axis=1)
        # All rows but the last; a slice of Chainer's is slow backward
        above, _ = F.split_axis(right, [right.shape[2] - 1], axis=2)
        return left + F.pad(above, ((0, 0), (0, 0), (1, 0), (0, 0)), 'constant')


class ResidualLSTM(chainer.Chain):
    """A recurrent layer of h maps in a residual block (3.3): (B, 2h, H, W) → the same shape.

    Args:
        lstm: the class of the layer, `RowLSTM` or `DiagonalBiLSTM`.
    """

    def __init__(self, lstm, hidden, colors):
        super().__init__()
        with self.init_scope():
            self.lstm = lstm(2 * hidden, hidden, colors)
            self.output = MaskedConvolution2D(hidden, 2 * hidden, 1, colors=colors)

    def forward(self, x, dropout=0.0):
        y = self.output(self.lstm(x))
        if dropout and chainer.config.train:
            y = F.dropout(y, dropout)
        return x + y
