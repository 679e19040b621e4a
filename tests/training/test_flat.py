"""On a GPU all parameters are updated as one array, and a step is few operations."""
import collections

import chainer
import numpy as np
import pytest
from chainer import optimizers
from chainer.backends import cuda

from helpers import parameters
from wavenet.models import Classifier
from wavenet.training.averaging import WeightAverage
from wavenet.training.flat import Clipping, flat_optimizer


class Trainer:
    """What WeightAverage sees of a trainer."""

    class updater:
        iteration = 3


def trained(make_model, device, flat, steps=4, hooks=(), average=0.0, optimizer=optimizers.Adam):
    """A model after some steps, its optimizer and its average."""
    model = Classifier(make_model(1, out_dims=4))
    model.to_device(device)
    optimizer = optimizer(0.01)
    if flat:
        optimizer = flat_optimizer(optimizer)
    optimizer.setup(model)
    for hook in hooks:
        optimizer.add_hook(hook)
    mean = WeightAverage(model, average, optimizer.flat if flat else None)
    random = np.random.RandomState(0)
    for _ in range(steps):
        targets = device.send(random.randint(0, 4, (3, 1, 5, 5)).astype('i'))
        class_ids = device.send(np.arange(3, dtype='i'))
        optimizer.update(model, targets.astype('f') / 3, targets, class_ids)
        mean(Trainer)
    return model, optimizer, mean


def values(link):
    return np.concatenate([cuda.to_cpu(param.array).ravel() for param in link.params()])


@pytest.mark.parametrize('kind', ['plain', 'gated'])
@pytest.mark.parametrize('rule', [optimizers.Adam, optimizers.RMSprop])
def test_it_is_chainers_optimizer(random_model, random_gated_model, device, kind, rule):
    make = random_model if kind == 'plain' else random_gated_model
    decay = chainer.optimizer_hooks.WeightDecay(0.01)
    expected, _, mean = trained(make, device, False, average=0.5, optimizer=rule, hooks=[
        chainer.optimizer_hooks.GradientClipping(2.0), decay])
    model, _, flat_mean = trained(make, device, True, average=0.5, optimizer=rule,
                                  hooks=[Clipping(2.0), decay])
    np.testing.assert_allclose(values(model), values(expected), atol=5e-5)
    start = values(Classifier(make(1, out_dims=4)))
    assert abs(values(model) - start).max() > 0.01
    np.testing.assert_allclose(values(flat_mean.model), values(mean.model), atol=1e-5)


def test_it_goes_on_from_the_state_of_chainers_and_back(random_model, device):
    """The names and shapes of what is saved are the same."""
    _, plain, _ = trained(random_model, device, False)
    _, flat, _ = trained(random_model, device, True)
    saved = chainer.serializers.npz.serialize(plain)
    of_flat = chainer.serializers.npz.serialize(flat)
    assert {name: np.shape(array) for name, array in saved.items()} == {
        name: np.shape(array) for name, array in of_flat.items()}
    assert int(of_flat['t']) == 4 and {int(array) for name, array in of_flat.items()
                                       if name.endswith('/t')} == {4}

    model, other, _ = trained(random_model, device, True, steps=1)
    for name, param in plain.target.namedparams():
        dict(model.namedparams())[name].array[...] = param.array
    chainer.serializers.NpzDeserializer(saved).load(other)
    targets = device.send(np.ones((2, 1, 5, 5), 'i'))
    for optimizer in (plain, other):
        optimizer.update(optimizer.target, targets.astype('f') / 3, targets)
    np.testing.assert_allclose(values(model), values(plain.target), atol=1e-6)


def test_clipping_keeps_a_small_gradient():
    for norm, expected in ((0.5, 0.5), (8.0, 2.0)):
        link = chainer.Link()
        with link.init_scope():
            link.all = chainer.Parameter(np.zeros(4, 'f'))
        link.all.grad = np.full(4, norm / 2, 'f')
        optimizer = optimizers.SGD().setup(link)
        Clipping(2.0)(optimizer)
        assert np.linalg.norm(link.all.grad) == pytest.approx(expected)


@pytest.mark.gpu
@pytest.mark.parametrize('options, most', [
    ([], 450), (['--average', 0.9], 450), (['--model', 'gated'], 900)])
def test_a_step_is_few_operations_on_the_device(process, tmp_path, options, most):
    """The post's model and the gated one, 15 blocks, RGB; where CUDA is a stand-in with a trace."""
    np.savez(tmp_path / 'rgb.npz', train_x=np.random.RandomState(0).randint(
        0, 256, (64, 8, 8, 3)).astype('u1'), test_x=np.zeros((2, 8, 8, 3), 'u1'))
    trace = tmp_path / 'trace'
    result = process('train.py', '--dataset', 'rgb.npz', '-d', 8, '-n', 15, '--iteration', 4,
                     '--gpu', 0, '--samples', 0, *options, FAKECUDA_TRACE=str(trace))
    assert result.returncode == 0, result.stderr
    if not trace.exists():
        pytest.skip('this CUDA writes no trace')
    lines = trace.read_text().splitlines()
    steps = [n for n, line in enumerate(lines) if line.split()[:2] == ['launch', 'adam']]
    assert len(steps) == 4                                   # one launch for all parameters
    between = lines[steps[1]:steps[2]]
    kinds = collections.Counter(line.split()[0] for line in between)
    assert kinds.pop('sync', 0) <= 1                         # for the loss that is logged
    assert sum(kinds.values()) <= most + 15                  # with what is logged after the step
    assert parameters(tmp_path / 'out/model.npz')
