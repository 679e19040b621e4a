"""The compiled loop of generation gives the sounds of the plain loop and of the queues."""
import os
import sys

import numpy as np
import pytest

from families.wavenet.test_model import FORMS, outputs_of, random_wavenet
from helpers import DATA
from references import build
from wavenet import sampling
from wavenet.families import wavenet as family
from wavenet.families.wavenet.state import QueueState

pytest.importorskip('numba')
compiled_loop = pytest.importorskip('wavenet.families.wavenet.compiled_loop')
state_compiled = pytest.importorskip('wavenet.families.wavenet.state_compiled')


@pytest.fixture
def calls(monkeypatch):
    """Short calls of few recordings; counts them."""
    monkeypatch.setattr(state_compiled, 'SAMPLES', 7)
    monkeypatch.setattr(state_compiled, 'RECORDINGS', 2)
    count, generate = [], compiled_loop.generate

    def counting(*args):
        count.append(args[1])
        return generate(*args)

    monkeypatch.setattr(compiled_loop, 'generate', counting)
    return count


@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_it_equals_the_plain_loop(form, num_classes, kernel_width, calls):
    model = random_wavenet(form, num_classes, kernel_width=kernel_width)
    given = np.random.RandomState(1).randint(0, 5, (3, 30)).astype('f') / 4
    for more in ({}, dict(given=(given, 7)), dict(given=(given, given[0] < 0.5), temperature=0.5)):
        del calls[:]
        expected = sampling.generate(model, (3, 30), 0, 'naive', **more)
        assert not calls
        assert (sampling.generate(model, (3, 30), 0, **more) == expected).all()
        assert calls == [7, 7, 14, 14, 21, 21, 28, 28, 30, 30]


@pytest.mark.parametrize('sizes', [dict(levels=256, layers=5), dict(levels=2, stacks=1, layers=1)])
def test_it_equals_the_queues(sizes, monkeypatch, calls):
    model = random_wavenet(**sizes)
    compiled = sampling.generate(model, (5, 300), 3)
    assert calls
    monkeypatch.setitem(sys.modules, 'wavenet.families.wavenet.state_compiled', None)
    del calls[:]
    assert isinstance(family.cache(model, compiled, None, 1), QueueState)
    assert (sampling.generate(model, (5, 300), 3) == compiled).all() and not calls
    assert len(np.unique(compiled)) > 1


def test_samples_are_the_authors(calls):
    with np.load(os.path.join(DATA, 'wavenet_author.npz')) as npz:
        model, expected = build('wavenet', npz), npz['samples/levels']
        seed = int(npz['samples/seed'])
    samples = sampling.generate(model, expected.shape, seed)
    assert calls
    assert (samples == expected.astype('f') / (model.distribution.levels - 1)).all()


@pytest.mark.parametrize('maps', [4, 19])
def test_its_logits_are_those_of_the_network(maps, monkeypatch):
    """The samples could be equal by luck."""
    model = random_wavenet(levels=6, layers=4)
    if maps != 4:
        model = family.WaveNet(6, maps, 9, 2, 4)
    targets = np.random.RandomState(1).randint(0, 6, (3, 60)).astype('i')
    expected = outputs_of(model, targets)
    logits = []

    def keep(of_sample, uniforms, levels):
        logits.append(of_sample.copy())
        levels[:] = targets[:, len(logits) - 1]

    monkeypatch.setattr(compiled_loop, 'draw', keep)
    for name in 'add_product', 'tanh', 'add_skip', 'relu_product', 'generate':   # as plain Python
        monkeypatch.setattr(compiled_loop, name, getattr(compiled_loop, name).py_func)
    with np.errstate(all='ignore'):
        sampling.generate(model, targets.shape, 0)
    difference = abs(np.array(logits).transpose(1, 2, 0) - expected).max()
    assert difference <= 1e-5 * max(1, abs(expected).max())


def test_tanh():
    x = np.concatenate([np.linspace(-12, 12, 100001), np.logspace(-30, 0, 1000),
                        [np.inf, -np.inf, np.nan, 0]]).astype('f')
    y = x.copy()
    compiled_loop.tanh(y)
    expected = np.tanh(x.astype('d'))
    np.testing.assert_allclose(y, expected, rtol=6e-7, atol=1e-30)
    assert np.isnan(y[-2]) and y[-1] == 0


@pytest.mark.parametrize('inputs, outputs', [(8, 8), (32, 64), (5, 3), (19, 7), (1, 1)])
def test_products(inputs, outputs):
    random = np.random.RandomState(0)
    x, W, y = [random.normal(size=shape).astype('f')
               for shape in ((3, inputs), (inputs, outputs), (3, outputs))]
    expected = y + x.astype('d').dot(W)
    compiled_loop.add_product(x, W, y)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_draws_are_those_of_the_distribution():
    random = np.random.RandomState(0)
    logits = random.normal(0, 3, size=(4000, 11)).astype('f')
    logits[7, 3] = np.nan
    uniforms = random.random_sample((1, 4000))
    levels = np.empty(4000, 'i')
    compiled_loop.draw(logits, uniforms[0], levels)
    expected = random_wavenet(levels=11).distribution.draw(logits, uniforms)
    assert (levels == expected).all() and levels[7] == 11
    assert len(np.unique(levels)) == 12


def test_a_number_next_to_one_draws_a_level():
    """The sum of probabilities in float32 may be below it."""
    logits = np.random.RandomState(0).normal(0, 3, size=(200, 11)).astype('f')
    levels = np.empty(200, 'i')
    compiled_loop.draw(logits, np.full(200, np.nextafter(1, 0)), levels)
    assert (levels == 10).all()


def test_logits_that_are_not_finite():
    model = random_wavenet()
    model.conv2.b.array[:] = 10
    model.conv3.W.array[0] = 3e38           # this logit is infinite
    with pytest.raises(ValueError, match='its logits are not finite'):
        sampling.generate(model, (2, 40), 0)


def test_parameters_of_other_precision_take_the_queues():
    model = random_wavenet()
    for param in model.params():
        param.array = param.array.astype('d')
    assert isinstance(family.cache(model, np.zeros((1, 5), 'f'), None, 1), QueueState)


def test_where_nothing_can_be_written_nothing_is_kept(monkeypatch):
    def refuse(cache=False, **options):
        if cache:
            raise RuntimeError('cannot cache function: no locator available')
        return lambda function: 'compiled'
    monkeypatch.setattr(compiled_loop.numba, 'njit', refuse)
    assert compiled_loop.compiled(len) == 'compiled'
