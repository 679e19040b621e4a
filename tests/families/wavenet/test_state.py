"""WaveNet's generation: queues and the author's loop give the same sounds."""
import os

import numpy as np
import pytest
from chainer.backends import cuda

from families.wavenet.test_model import FORMS, outputs_of, random_wavenet
from helpers import DATA
from references import build
from wavenet import sampling
from wavenet.families.wavenet.state import QueueState


@pytest.mark.parametrize('method', ['naive', 'cached'])
def test_samples_are_the_authors(method, device):
    with np.load(os.path.join(DATA, 'wavenet_author.npz')) as npz:
        model, expected = build('wavenet', npz), npz['samples/levels']
        seed = int(npz['samples/seed'])
    model.to_device(device)
    samples = cuda.to_cpu(sampling.generate(model, expected.shape, seed, method))
    assert samples.dtype == np.float32
    assert (samples == expected.astype('f') / (model.distribution.levels - 1)).all()


@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_queues_equal_the_plain_loop(form, num_classes, kernel_width, device):
    model = random_wavenet(form, num_classes, kernel_width=kernel_width)
    model.to_device(device)
    given = np.random.RandomState(1).randint(0, 5, (3, 30)).astype('f') / 4
    for more in ({}, dict(given=(given, 7)), dict(given=(given, given[0] < 0.5), temperature=0.5)):
        samples = [cuda.to_cpu(sampling.generate(model, (3, 30), 0, method, **more))
                   for method in ('naive', 'cached')]
        assert (samples[0] == samples[1]).all()
        if 'given' in more:
            kept = more['given'][1]
            kept = np.arange(30) < kept if np.ndim(kept) == 0 else kept
            assert (samples[0][:, kept] == given[:, kept]).all()
            assert (samples[0][:, ~kept] != given[:, ~kept]).any()


@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_outputs_of_queues_equal_those_of_the_network(form, num_classes, kernel_width):
    """The samples could be equal by luck; the outputs for given values could not."""
    model = random_wavenet(form, num_classes, layers=4, kernel_width=kernel_width)
    targets = np.random.RandomState(1).randint(0, 5, (3, 80)).astype('i')
    expected = outputs_of(model, targets)
    state = QueueState(model, (targets / 4).astype('f'), np.arange(3), 1)
    for t, in state.steps:
        difference = abs(state.outputs((t,)) - expected[:, :, t]).max()
        assert difference <= 1e-5 * max(1, abs(expected).max())
        state.put((t,), state.samples[:, t])


def test_a_part_of_the_batch_is_the_same_as_in_all():
    model = random_wavenet(num_classes=3)
    whole = sampling.generate(model, (70, 12), seed=0)         # 70: shared by the cores
    assert (sampling.generate(model, (70, 12), seed=0, part=slice(40, 43)) == whole[40:43]).all()
    assert len({sound.tobytes() for sound in whole}) > 60


def test_progress_counts_samples():
    done = []
    sampling.generate(random_wavenet(), (2, 9), seed=0, progress=done.append)
    assert sum(done) == 9


@pytest.mark.parametrize('shape, more, message', [
    ((2, 1, 1, 9), {}, 'sound'), ((2, 9), dict(given=(np.zeros((2, 9), 'f'), 10)), 'samples'),
    ((2, 9), dict(given=(np.zeros((2, 8), 'f'), 1)), 'shape'),
    ((2, 9), dict(given=(np.zeros((2, 9), 'f'), np.ones((1, 9), bool))), 'kept'),
    ((2, 9), dict(class_ids=[0, 1]), 'unconditional')])
def test_wrong_arguments_are_named(shape, more, message):
    with pytest.raises(ValueError, match=message):
        sampling.generate(random_wavenet(), shape, seed=0, **more)
