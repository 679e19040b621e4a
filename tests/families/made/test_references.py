"""MADE computes the numbers of karpathy's, mgermain's and pytorch_generative's code, in float64."""
import itertools
import os

import chainer.functions as F
import numpy as np
import pytest

from helpers import DATA
from references import build, made_degrees, made_parameters
from wavenet.families.made.cache import MadeCache, PlainMadeState
from wavenet.families.made.model import MadeConfig, masks_of, random_degrees, sees_before
from wavenet.likelihood import mean_nats

CASES = [('karpathy', f'mask{n}') for n in range(3)] + [
    ('karpathy_1layer', f'mask{n}') for n in range(4)] + [
    ('mgermain', f'mask{n}') for n in range(3)] + [('pytorch_generative', '')]
TOLERANCE = 1e-10


def read(name):
    with np.load(os.path.join(DATA, f'made_{name}.npz')) as npz:
        return {key: npz[key] for key in npz.files}


@pytest.fixture(params=CASES, ids='-'.join)
def reference(request):
    """The arrays of a file, the prefix of those of a mask, the model, and its input."""
    name, tag = request.param
    npz = read(name)
    return npz, tag and tag + '/', build('made', npz, tag), npz['x'][:, None, None].astype('d')


def targets_of(x):
    return x.astype('i')


def test_masks(reference):
    npz, prefix, model, _ = reference
    for n, mask in enumerate(masks_of(model.degrees(0))):
        expected = npz[f'{prefix}masks/{n}']
        assert (mask == (expected.T if 'mask0/ordering' in npz else expected)).all()
    if model.config.direct:
        values = model.degrees(0)[0]
        expected = npz[f'{prefix}direct_mask/2']
        assert (sees_before(values, values) == expected.T).all()


def test_logits(reference):
    npz, prefix, model, x = reference
    logits = model(x).array
    assert logits.shape == (len(x), 1, *x.shape[1:]) and logits.dtype == np.float64
    if f'{prefix}probabilities' in npz:
        logits, expected = 1 / (1 + np.exp(-logits)), npz[f'{prefix}probabilities']
    else:
        expected = npz[f'{prefix}logits']
    assert abs(logits.reshape(expected.shape) - expected).max() <= TOLERANCE
    assert (model(x.reshape(len(x), -1, 1, 1)).array.ravel() == model(x).array.ravel()).all()


def test_nll(reference):
    npz, prefix, model, x = reference
    nats = model.distribution.nll(model(x), targets_of(x)).array
    expected = npz[f'{prefix}nll'] if f'{prefix}nll' in npz else -npz[f'{prefix}log_prob']
    assert abs(nats - expected).max() <= TOLERANCE


@pytest.mark.parametrize('reference', CASES[:10], indirect=True, ids='-'.join)
def test_gradients(reference):
    npz, prefix, model, x = reference
    model.cleargrads()
    F.average(model.distribution.nll(model(x), targets_of(x))).backward()
    expected = made_parameters(npz, f'{prefix}grads/')
    for name, param in model.namedparams():
        assert abs(param.grad - expected['params' + name]).max() <= TOLERANCE, name
    assert len(expected) == len(list(model.params()))


@pytest.mark.parametrize('reference', CASES[:7], indirect=True, ids='-'.join)   # karpathy's
@pytest.mark.parametrize('make', [MadeCache, lambda model, x: PlainMadeState(model, x, None)],
                         ids=['cached', 'plain'])
def test_samples(reference, make):
    """Their value is 1 where u < p, ours where 1 - u < p."""
    npz, prefix, model, _ = reference
    expected = npz[f'{prefix}samples/out']
    samples = np.zeros((len(expected), 1, 1, expected.shape[1]))
    order = np.argsort(model.degrees(0)[0])
    uniforms = 1 - npz['samples/uniforms'].T[order, None]           # (steps, 1, B)
    make(model, samples).run(uniforms, np.zeros(samples.shape[1:], bool), lambda n: None)
    assert (samples[:, 0, 0] == expected).all()


@pytest.mark.parametrize('name', ['karpathy', 'karpathy_1layer'])
def test_the_ensemble_is_the_mean_of_probabilities(name):
    npz = read(name)
    orders = range(int(npz['config/num_masks']))
    model = build('made', npz, 'mask0')
    model.config = MadeConfig(**dict(vars(model.config), masks=len(orders)))
    model.degrees = lambda order: made_degrees(npz, f'mask{order}/')
    x = npz['x'][:, None, None].astype('d')
    assert abs(mean_nats(model, x, targets_of(x), [None]) - npz['ensemble/nll']).max() <= TOLERANCE


@pytest.mark.parametrize('name, expected', [('karpathy', 0.97), ('karpathy_1layer', 1.17)])
def test_the_mean_of_logits_is_no_distribution(name, expected):
    """As karpathy's run.py computes it with several samples: docs/made.md."""
    npz = read(name)
    values, orders = int(npz['config/inputs']), range(int(npz['config/num_masks']))
    targets = np.array([*itertools.product((0, 1), repeat=values)], 'i')[:, None, None]
    models = [build('made', npz, f'mask{order}') for order in orders]
    each = [model(targets.astype('d')).array for model in models]
    sums = [np.exp(-models[0].distribution.nll(logits, targets).array).sum()
            for logits in (*each, np.mean(each, axis=0))]
    assert sums[:-1] == pytest.approx([1] * len(each), abs=1e-12)
    assert sums[-1] == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize('name', ['karpathy', 'karpathy_1layer'])
def test_the_degrees_of_a_seed_are_karpathys(name):
    npz = read(name)
    config = MadeConfig(1, 1, int(npz['config/inputs']), tuple(npz['config/hidden']), 1, 4)
    for order in range(1, int(npz['config/num_masks'])):
        expected = made_degrees(npz, f'mask{order}/')
        for ours, theirs in zip(random_degrees(config, order), expected):
            assert (ours == theirs).all()
