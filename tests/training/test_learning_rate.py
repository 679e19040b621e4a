from types import SimpleNamespace

import chainer
import numpy as np
import pytest
from chainer import optimizers

from wavenet.training import learning_rate


@pytest.mark.parametrize('make', [
    optimizers.Adam, optimizers.AdamW, optimizers.SGD, optimizers.MomentumSGD, optimizers.RMSprop,
    optimizers.NesterovAG, optimizers.MSVAG], ids=lambda make: make.__name__)
def test_the_learning_rate_decays_in_any_optimizer(make):
    """A step with gradient 1 is as long as the first step of an optimizer with that rate."""
    def step(rate, iteration):
        link = chainer.links.Linear(1, 1, nobias=True)
        optimizer = make(rate).setup(link)
        decay = learning_rate.LearningRateDecay(optimizer, 0.5)
        decay.initialize(SimpleNamespace(updater=SimpleNamespace(iteration=iteration)))
        before = link.W.array.copy()
        link.W.grad = np.ones_like(before)
        optimizer.update()
        return learning_rate.get(optimizer), (link.W.array - before).item()

    expected_rate, expected = step(0.25, 0)
    rate, length = step(1.0, 2)
    assert rate == expected_rate == 0.25
    assert length == pytest.approx(expected, rel=1e-5) and length < 0
