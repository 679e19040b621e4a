"""Cached generation where colours do not divide the maps, and where some have none."""
import chainer
import numpy as np
import pytest

from wavenet import sampling
from wavenet.families.pixelrnn.cache import PixelRNNCache
from wavenet.families.pixelrnn.model import DiagonalBiLSTMNet, RowLSTMNet


@pytest.mark.parametrize('hidden', [1, 4, 7])
@pytest.mark.parametrize('net', [RowLSTMNet, DiagonalBiLSTMNet])
def test_cached_equals_plain(net, hidden):
    model = net(3, hidden, 2, 8, 4)
    random = np.random.RandomState(0)
    for param in model.params():
        param.array = random.normal(0, 0.5, param.shape)     # float64
    x = random.rand(2, 3, 4, 5)
    with chainer.no_backprop_mode():
        expected = model(x).array
    state = PixelRNNCache(model, np.zeros_like(x))
    for row, column, color in state.steps:
        outputs = state.outputs((row, column, color))
        assert abs(outputs - expected[:, :, color, row, column]).max() < 1e-12
        state.put((row, column, color), x[:, color, row, column])


def test_samples():
    model = DiagonalBiLSTMNet(1, 4, 2, 6, 4)
    cached, plain = [sampling.generate(model, (3, 1, 6, 5), 0, method)
                     for method in ('cached', 'naive')]
    assert (cached == plain).all() and len(np.unique(cached)) == 4
