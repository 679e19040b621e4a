import tracemalloc

import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from families.pixelcnn_pp.test_model import images, random_model
from wavenet import sampling
from wavenet.families.pixelcnn_pp.cache import PixelCNNPPCache


def check_outputs(model, x, class_ids=None):
    """The cache computes the network's outputs, for given values."""
    with chainer.no_backprop_mode(), chainer.using_config('train', False):
        expected = model(x, class_ids).array
    state = PixelCNNPPCache(model, x.copy(), class_ids)
    for i, j in state.steps:
        difference = abs(state.outputs((i, j)) - expected[:, :, i, j]).max()
        assert difference <= 1e-5 * max(1, abs(expected).max()), (i, j)
        state.put((i, j), x[:, :, i, j])


@pytest.mark.parametrize('height, width', [(8, 8), (7, 10), (12, 4), (5, 13), (1, 1), (2, 3)])
@pytest.mark.parametrize('nr_resnet', [1, 3])
def test_outputs_are_those_of_the_network(height, width, nr_resnet):
    """Of large maps, so that no wrong one is lost in a sum."""
    check_outputs(random_model(nr_resnet=nr_resnet), images(2, 3, height, width))


@pytest.mark.parametrize('nonlinearity', ['concat_elu', 'elu', 'relu'])
def test_of_all_nonlinearities_in_grayscale_with_classes(nonlinearity, device):
    model = random_model(1, num_classes=3, resnet_nonlinearity=nonlinearity)
    model.to_device(device)
    x, class_ids = device.send(images(3, 1, 6, 9)), device.send(np.array([0, 2, 1], 'i'))
    check_outputs(model, x, class_ids)


def test_samples_are_those_of_the_plain_loop(device):
    model = random_model(levels=256)
    model.to_device(device)
    samples, expected = [cuda.to_cpu(sampling.generate(model, (5, 3, 6, 7), 0, method))
                         for method in ('cached', 'naive')]
    assert (samples == expected).all()
    assert len(np.unique(samples)) > 50


@pytest.mark.parametrize('blocks', [1, 3])
def test_memory_is_a_few_rows(blocks):
    """As the formula of the module says, of each column."""
    batch, maps = 2, 16
    model = random_model(nr_resnet=blocks, nr_filters=maps)

    def held(width):
        tracemalloc.start()
        try:
            state = PixelCNNPPCache(model, images(batch, 3, 4, width), None)
            state.outputs((0, 0))
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    values = (held(64) - held(32)) / (32 * batch * 4)
    assert values == pytest.approx((52 * blocks + 40) * maps, rel=0.1)
