"""Which values the outputs of the networks see: no later one, bit for bit, and which earlier ones.

Values are numbered in their order, (row, column, colour).
"""
import chainer
import numpy as np
import pytest

from wavenet.families.pixelrnn.model import DiagonalBiLSTMNet, RowLSTMNet

HEIGHT, WIDTH = 4, 7


def seen_by(net, colours, layers):
    """bool (values, values): whether an output depends on a value."""
    model = net(colours, 12, layers, 30, 4)      # enough maps for ReLUs that are not 0
    random = np.random.RandomState(0)
    for _, param in sorted(model.namedparams()):
        param.array[...] = random.normal(0, 0.3, param.shape)
    x = random.rand(1, HEIGHT, WIDTH, colours)
    flat = x.reshape(1, -1).repeat(1 + x.size, axis=0)
    flat[1:] += np.eye(x.size)                               # each value is changed in one image
    images = flat.reshape(-1, HEIGHT, WIDTH, colours).transpose(0, 3, 1, 2).astype('f')
    with chainer.no_backprop_mode():
        logits = np.array([model(image[None]).array[0] for image in images])
    changed = (logits[1:] != logits[0]).any(axis=1)          # (values, C, H, W)
    return changed.transpose(2, 3, 1, 0).reshape(x.size, x.size)


def values_of(row, column, colours):
    start = (row * WIDTH + column) * colours
    return range(start, start + colours)


@pytest.mark.parametrize('colours', [1, 3])
@pytest.mark.parametrize('net', [RowLSTMNet, DiagonalBiLSTMNet])
def test_no_output_sees_itself_or_a_later_value(net, colours):
    seen = seen_by(net, colours, layers=2)
    assert not np.triu(seen).any()
    assert seen.any()


@pytest.mark.parametrize('colours', [1, 3])
def test_the_diagonal_bilstm_sees_all_earlier_values_but_one(colours):
    """Mask A hides a pixel from the first map at its own place, the last colour of it where there
    are colours. So the last pixel of the row above reaches a pixel only through the first
    convolution, which is 7 pixels wide."""
    expected = np.tri(HEIGHT * WIDTH * colours, k=-1, dtype=bool)
    for row in range(1, HEIGHT):
        for column in range(WIDTH - 4):
            last_of_row_above = values_of(row - 1, WIDTH - 1, colours)[-1]
            expected[values_of(row, column, colours), last_of_row_above] = False
    assert (seen_by(DiagonalBiLSTMNet, colours, layers=2) == expected).all()


def test_the_row_lstm_sees_a_triangle():
    """Beyond the first convolution's window, a layer widens it by a pixel on the left for its own
    row, and a step up by a pixel on each side."""
    seen = seen_by(RowLSTMNet, 1, layers=1)
    pixel = seen[values_of(HEIGHT - 1, WIDTH - 1, 1)[0]].reshape(HEIGHT, WIDTH)
    assert pixel[-1].tolist() == [False, False, True, True, True, True, False]
    assert pixel[-2].tolist() == [False, True, True, True, True, True, True]
    assert pixel[-3].all()
