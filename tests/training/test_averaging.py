import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import models
from wavenet.training import averaging


class FakeTrainer:
    def __init__(self, iteration):
        self.updater = chainer.training.Updater()
        self.updater.iteration = iteration


def parameters(link):
    return {name: cuda.to_cpu(param.array).astype('d') for name, param in link.namedparams()}


@pytest.mark.parametrize('decay', [0.3, 0.9])
def test_the_average_is_the_documented_one(random_model, device, decay):
    model = models.Classifier(random_model(1, hidden_dims=4, block_num=1))
    model.to_device(device)
    average = averaging.WeightAverage(model, decay)
    expected = parameters(model)
    random = np.random.RandomState(0)
    for t in range(1, 100):
        for param in model.params():
            param.array[...] = device.send(random.normal(size=param.shape).astype('f'))
        average(FakeTrainer(t))
        d = min(decay, (1 + t) / (10 + t))
        expected = {name: d * expected[name] + (1 - d) * array
                    for name, array in parameters(model).items()}
        averages = parameters(average.model)
        assert averages.keys() == expected.keys()
        for name in expected:
            np.testing.assert_allclose(averages[name], expected[name], atol=1e-5)


def test_the_model_that_is_averaged_is_left_alone(random_model):
    model = models.Classifier(random_model())
    before = parameters(model)
    average = averaging.WeightAverage(model, 0.5)
    for param in average.model.params():
        param.array += 1
    average(FakeTrainer(1))
    after = parameters(model)
    assert all((before[name] == after[name]).all() for name in before)
