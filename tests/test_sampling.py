import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import sampling


def test_samples_are_the_authors(reference, reference_model, device):
    for name, param in reference_model.namedparams():
        param.array[...] = reference['adam/params' + name]
    reference_model.to_device(device)
    samples = sampling.generate(reference_model, reference['samples'].shape,
                                seed=int(reference['samples/seed']))
    assert isinstance(samples, device.xp.ndarray) and samples.dtype == np.float32
    assert (cuda.to_cpu(samples) == reference['samples']).all()


@pytest.mark.parametrize('in_channels, out_dims', [(1, 1), (1, 2), (3, 1), (3, 4)])
@pytest.mark.parametrize('height, width', [(1, 1), (1, 5), (4, 1), (3, 9)])
def test_any_size_and_the_values_of_the_levels(random_model, in_channels, out_dims, height, width):
    model = random_model(in_channels, out_dims=out_dims)
    samples = sampling.generate(model, (20, in_channels, height, width), seed=0)
    assert samples.shape == (20, in_channels, height, width)
    levels = max(out_dims, 2)
    allowed = np.arange(levels).astype('f') / (levels - 1)
    assert set(np.unique(samples)) <= set(allowed) and len(np.unique(samples)) > 1


def test_seeds(random_model):
    def draw(seed):
        return sampling.generate(random_model(), (3, 3, 4, 4), seed).tobytes()
    assert draw(0) == draw(0) != draw(1)
    assert draw(None) != draw(None)


@pytest.mark.parametrize('out_dims', [1, 2, 5])
def test_probabilities(out_dims):
    logits = np.random.RandomState(0).normal(0, 3, (7, out_dims)).astype('f')
    p = sampling.probabilities(logits)
    if out_dims == 1:
        np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-logits[:, 0])), rtol=1e-5)
    else:
        np.testing.assert_allclose(p, F.softmax(logits).array, rtol=1e-5)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_a_shape_of_other_colours_is_refused(random_model):
    with pytest.raises(ValueError, match='3 channels, not 1'):
        sampling.generate(random_model(), (1, 1, 4, 4))


def test_progress_counts_the_pixels(random_model):
    steps = []
    sampling.generate(random_model(), (1, 3, 3, 4), seed=0, progress=steps.append)
    assert sum(steps) == 12
