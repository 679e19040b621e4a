"""The kernel that samples on a GPU. A CPU runs its threads here, to test its logic."""
import os

import numpy as np
import pytest

from families import kernel_on_cpu
from families.wavenet.test_model import FORMS, random_wavenet
from helpers import DATA
from references import build
from wavenet.families.wavenet import state_gpu
from wavenet.sampling import generate


@pytest.fixture(scope='session')
def launch(tmp_path_factory):
    """The kernel, compiled for the CPU."""
    return kernel_on_cpu.compiled(state_gpu.KERNEL, tmp_path_factory.mktemp('kernel'))


@pytest.fixture
def generate_by_kernel(launch, monkeypatch):
    """`wavenet.sampling.generate` with seed 0, by the kernel; 7 samples a launch."""
    monkeypatch.setattr(state_gpu, 'SAMPLES', 7)
    return kernel_on_cpu.generation(launch, state_gpu.KernelState, monkeypatch)


@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_the_kernel_samples_the_same_as_the_cpu(
        generate_by_kernel, form, num_classes, kernel_width):
    model = random_wavenet(form, num_classes, kernel_width=kernel_width)
    done = []
    samples = generate_by_kernel(model, (2, 26), progress=done.append)
    assert (samples == generate(model, (2, 26), seed=0)).all()
    assert len(np.unique(samples)) > 2 and done == [7] * 3 + [5]


def test_given_samples_a_part_and_a_temperature(generate_by_kernel):
    model = random_wavenet(num_classes=3)
    given = np.random.RandomState(1).randint(0, 5, (5, 16)).astype('f') / 4
    for kept in 7, given[0] < 0.5:
        kwargs = dict(given=(given, kept), part=slice(1, 4), class_ids=[0, 2, 1, 2, 0],
                      temperature=0.5)
        expected = generate(model, (5, 16), seed=0, **kwargs)
        assert (generate_by_kernel(model, (5, 16), **kwargs) == expected).all()


def test_the_authors_samples(launch, monkeypatch):
    with np.load(os.path.join(DATA, 'wavenet_author.npz')) as npz:
        model, expected = build('wavenet', npz), npz['samples/levels'][:1, :40]
        uniforms = npz['samples/uniforms'][:1, :40].T.copy()
    monkeypatch.setattr('wavenet.families.gpu_state.launch', launch)
    samples = np.zeros(expected.shape, 'f')
    state = state_gpu.KernelState(model, samples, None)
    state.run(uniforms[:, None], np.zeros(samples.shape[1], bool), lambda count: None)
    assert (np.rint(samples * (model.distribution.levels - 1)) == expected).all()


def test_logits_that_are_not_finite(generate_by_kernel):
    kernel_on_cpu.check_logits_that_are_not_finite(generate_by_kernel, random_wavenet(), (1, 9))
