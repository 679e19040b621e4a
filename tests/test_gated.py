import os

import chainer
import numpy as np
import pytest
from chainer.backends import cuda
from conftest import DATA

from wavenet import models, sampling
from wavenet.gated import GatedPixelCNN


@pytest.fixture(scope='module')
def reference():
    """What the author's newest code computes: see tests/data/README.md."""
    with np.load(os.path.join(DATA, 'pixelcnn_gated.npz')) as npz:
        return {name: npz[name] for name in npz.files}


@pytest.fixture
def reference_model(reference):
    """A model of the author's form with his parameters, those of the start."""
    model = GatedPixelCNN(form='author', **{name: int(reference['config/' + name]) for name in (
        'in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims')})
    set_parameters(model, reference, 'params')
    return model


def set_parameters(model, reference, prefix):
    for name, param in model.namedparams():
        param.array[...] = reference[prefix + name]


def batch_of(reference, step, device):
    size = len(reference['logits'])
    at = slice(step % 4 * size, step % 4 * size + size)
    return [device.send(reference[name][at]) for name in ('x', 'labels', 'classes')]


# The author's numbers

def test_masks_are_the_authors(reference, reference_model):
    links = dict(reference_model.namedlinks())
    names = [name for name in reference if name.startswith('masks/')]
    assert len(names) == 3 + 3 * 2 + 2
    for name in names:
        assert (links[name[len('masks'):]].mask == reference[name]).all()


def test_parameters_have_the_authors_names(reference, reference_model):
    assert {'params' + name for name, _ in reference_model.namedparams()} == \
        {name for name in reference if name.startswith('params/')}


def test_logits_are_the_authors(reference, reference_model, device):
    reference_model.to_device(device)
    x, _, classes = batch_of(reference, 0, device)
    logits = cuda.to_cpu(reference_model(x, classes).array)
    np.testing.assert_allclose(logits, reference['logits'], rtol=0, atol=1e-5)


def test_loss_and_gradients_are_the_authors(reference, reference_model, device):
    model = models.Classifier(reference_model, normalize=True)
    model.to_device(device)
    model.cleargrads()
    loss = model(*batch_of(reference, 0, device))
    loss.backward()
    assert abs(float(loss.array) - reference['loss']) <= 1e-5 * reference['loss']
    for name, param in reference_model.namedparams():
        expected = reference['grads' + name]
        np.testing.assert_allclose(cuda.to_cpu(param.grad), expected, rtol=0,
                                   atol=1e-5 * abs(expected).max(), err_msg=name)


def test_eight_steps_of_adam_are_the_authors(reference, reference_model, device):
    model = models.Classifier(reference_model, normalize=True)
    model.to_device(device)
    optimizer = chainer.optimizers.Adam(0.001).setup(model)
    optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(1))
    optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(0.0001))
    losses = []
    for step in range(8):
        optimizer.update(lambda *arrays: losses.append(model(*arrays)) or losses[-1],
                         *batch_of(reference, step, device))
    np.testing.assert_allclose([float(loss.array) for loss in losses], reference['adam/losses'],
                               rtol=0, atol=1e-4)
    for name, param in reference_model.namedparams():
        np.testing.assert_allclose(cuda.to_cpu(param.array), reference['adam/params' + name],
                                   rtol=0, atol=5e-4, err_msg=name)


def test_samples_are_the_authors(reference, reference_model, device):
    set_parameters(reference_model, reference, 'adam/params')
    reference_model.to_device(device)
    expected = reference['samples']
    samples = sampling.generate(reference_model, expected.shape, int(reference['samples/seed']),
                                method='naive', labels=reference['classes'][:len(expected)])
    assert (cuda.to_cpu(samples) == expected).all()
