import itertools
import warnings

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet.distributions import LogisticMixture

SIZES = [(256, 1, 4), (256, 3, 3), (2, 3, 2), (5, 1, 1), (65536, 3, 2)]    # levels, C, M


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def random_outputs(mixture, places=(3, 2), scale=1.0, dtype='d', seed=0):
    return np.random.RandomState(seed).normal(
        0, scale, (4, mixture.outputs, *places)).astype(dtype)


def random_targets(mixture, places=(3, 2), seed=0):
    targets = np.random.RandomState(seed).randint(
        0, mixture.levels, (4, mixture.channels, *places)).astype('i')
    targets[0], targets[1, :, 0] = 0, mixture.levels - 1     # the ends are bins of their own kind
    return targets


def log_probability(mixture, outputs, values):
    """log P of one pixel, written as the paper does: outputs (K,), values (C,)."""
    m, levels = mixture.components, mixture.levels
    logits, others = outputs[:m], outputs[m:].reshape(mixture.channels, -1, m)
    x = 2 * np.asarray(values) / (levels - 1) - 1
    total = 0
    for i in range(m):
        p = np.exp(logits[i]) / np.exp(logits).sum()
        for c in range(mixture.channels):
            mean, scale = others[c, 0, i], np.exp(max(others[c, 1, i], -7))
            if c == 1:
                mean += np.tanh(others[0, 2, i]) * x[0]
            if c == 2:
                mean += np.tanh(others[1, 2, i]) * x[0] + np.tanh(others[2, 2, i]) * x[1]
            upper = 1 if values[c] == levels - 1 else sigmoid(
                (x[c] - mean + 1 / (levels - 1)) / scale)
            lower = 0 if values[c] == 0 else sigmoid((x[c] - mean - 1 / (levels - 1)) / scale)
            p *= upper - lower
        total += p
    return np.log(total)


@pytest.mark.parametrize('sizes', SIZES)
def test_equals_the_formula_of_the_paper(sizes, device):
    mixture = LogisticMixture(*sizes)
    outputs, targets = random_outputs(mixture), random_targets(mixture)
    expected = [-sum(log_probability(mixture, outputs[n, :, i, j], targets[n, :, i, j])
                     for i in range(3) for j in range(2)) for n in range(4)]
    nats = mixture.nll(device.send(outputs), device.send(targets)).array
    assert nats.shape == (4,)
    np.testing.assert_allclose(cuda.to_cpu(nats), expected, rtol=1e-9)


@pytest.mark.parametrize('sizes', [(256, 1, 4), (2, 3, 2), (5, 3, 3), (4096, 1, 2)])
@pytest.mark.parametrize('scale', [0.1, 1, 5, 30])
def test_the_probabilities_of_all_values_sum_to_1(sizes, scale):
    mixture = LogisticMixture(*sizes)
    values = np.array(list(itertools.product(range(mixture.levels), repeat=mixture.channels)), 'i')
    for outputs in random_outputs(mixture, (), scale):
        outputs = np.tile(outputs[None, :, None, None], (len(values), 1, 1, 1))
        nats = mixture.nll(outputs, values[:, :, None, None]).array
        assert abs(np.exp(-nats).sum() - 1) <= 1e-12


@pytest.mark.parametrize('form, tolerance', [('exact', 1e-7), ('openai', 1e-6)])
@pytest.mark.parametrize('sizes', [(256, 1, 2), (256, 3, 2), (3, 3, 2)])
def test_the_gradient_is_the_slope(form, tolerance, sizes):
    mixture = LogisticMixture(*sizes)
    outputs = random_outputs(mixture, scale=2)
    outputs[3, mixture.components:] *= 5                     # some log-scales are clamped
    targets, x = random_targets(mixture), chainer.Variable(outputs)
    weights = np.array([1, -2, 0.5, 3])
    F.sum(mixture.nll(x, targets, form=form) * weights).backward()
    for index in np.random.RandomState(1).randint(0, outputs.size, 60):
        values = []
        for step in (1e-6, -1e-6):
            moved = outputs.copy()
            moved.flat[index] += step
            values.append((mixture.nll(moved, targets, form=form).array * weights).sum())
        slope = (values[0] - values[1]) / 2e-6
        assert x.grad.flat[index] == pytest.approx(slope, rel=1e-5, abs=1e-5 + tolerance)


@pytest.mark.parametrize('sizes', [(256, 1, 3), (256, 3, 2), (2, 3, 2)])
def test_float32_is_stable_for_any_means_and_scales(sizes, device):
    mixture = LogisticMixture(*sizes)
    outputs = random_outputs(mixture, scale=40, dtype='f')   # log-scales from below -7 to 100
    targets = random_targets(mixture)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for dtype in 'fd':
            x = chainer.Variable(device.send(outputs.astype(dtype)))
            nats = mixture.nll(x, device.send(targets))
            F.sum(nats).backward()
            assert nats.dtype == x.grad.dtype == dtype
            found.append((cuda.to_cpu(nats.array), cuda.to_cpu(x.grad)))
    (nats, grad), (expected, expected_grad) = found
    np.testing.assert_allclose(nats, expected, rtol=1e-5)
    assert abs(grad - expected_grad).max() <= 2e-3 * abs(expected_grad).max()


def test_the_approximation_of_openai_is_close_where_bins_are_narrow():
    mixture = LogisticMixture(256, 3, 3)
    outputs, targets = random_outputs(mixture), random_targets(mixture)
    exact, approximate = [mixture.nll(outputs, targets, form=form).array
                          for form in ('exact', 'openai')]
    np.testing.assert_allclose(approximate, exact, rtol=1e-4)


@pytest.mark.parametrize('form', ['exact', 'openai'])
def test_a_target_of_minus_1_does_not_count(form):
    mixture = LogisticMixture(4, 3, 2)
    outputs, targets = chainer.Variable(random_outputs(mixture)), random_targets(mixture)
    targets[:, :, :, 1] = -1
    nats = mixture.nll(outputs, targets, form=form)
    expected = mixture.nll(outputs.array[..., :1], targets[..., :1], form=form)
    np.testing.assert_allclose(nats.array, expected.array, rtol=1e-12)
    F.sum(nats).backward()
    assert (outputs.grad[..., 1] == 0).all() and (outputs.grad[..., 0] != 0).any()


def test_an_empty_batch():
    mixture = LogisticMixture(4, 3, 2)
    outputs = np.empty((0, mixture.outputs, 3, 3), 'f')
    assert mixture.nll(outputs, np.empty((0, 3, 3, 3), 'i')).shape == (0,)


def test_shapes_that_do_not_fit_are_refused():
    mixture = LogisticMixture(4, 3, 2)
    outputs, targets = random_outputs(mixture), random_targets(mixture)
    for wrong in ((outputs[:, 1:], targets), (outputs[1:], targets), (outputs[..., 1:], targets)):
        with pytest.raises(type_check.InvalidType):
            mixture.nll(*wrong)


@pytest.mark.parametrize('sizes', [(4, 3, 2), (6, 1, 3)])
def test_draws_have_the_probabilities_of_the_likelihood(sizes, device):
    mixture = LogisticMixture(*sizes)
    outputs = random_outputs(mixture, ())[0]
    outputs[mixture.components:] -= 0.5                      # wide scales would hide the means
    count = 60000
    uniforms = np.random.RandomState(0).random_sample((mixture.uniforms_per_step, count))
    drawn = mixture.draw(device.send(np.tile(outputs, (count, 1))), device.send(uniforms))
    assert drawn.shape == (count, mixture.channels) and drawn.dtype.kind == 'i'
    seen, counts = np.unique(cuda.to_cpu(drawn), axis=0, return_counts=True)
    for value, number in zip(seen, counts):
        p = np.exp(log_probability(mixture, outputs, value))
        assert abs(number - count * p) <= 5 * np.sqrt(count * p) + 1
    assert seen.min() == 0 and seen.max() == mixture.levels - 1


def test_openais_draws_are_not_rounded_and_a_colour_sees_those_before():
    mixture = LogisticMixture(3, 3, 1)
    _, means, log_scales, coefficients = np.zeros((4, 3))
    coefficients[:] = np.arctanh(0.5), np.arctanh(-0.5), np.arctanh(0.25)
    log_scales[:] = -7                                       # u of one half is the mean itself
    means[:] = 0.6, 0.1, 0.2
    outputs = np.array([0, *np.stack([means, log_scales, coefficients], axis=1).ravel()])[None]
    half = np.full((mixture.uniforms_per_step, 1), 0.5)
    x = mixture.draw(outputs, half, form='openai')
    np.testing.assert_allclose(x, [[0.6, 0.1 + 0.3, 0]], atol=1e-15)
    # Rounded to 1, R moves G to 0.6, which is rounded to 1, and B to 0.2 - 0.5 + 0.25
    assert mixture.draw(outputs, half).tolist() == [[2, 2, 1]]


def test_uniforms_of_0_and_outputs_that_are_not_finite():
    mixture = LogisticMixture(4, 3, 2)
    outputs = np.zeros((3, mixture.outputs), 'f')
    outputs[1, 0], outputs[2, -1] = np.nan, np.inf
    uniforms = np.zeros((mixture.uniforms_per_step, 3))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert mixture.draw(outputs, uniforms).tolist() == [[0] * 3, [4] * 3, [4] * 3]
