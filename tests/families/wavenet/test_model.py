"""WaveNet: the author's numbers, the order of the samples, and the receptive field."""
import itertools
import os

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda

from helpers import DATA, check_adam, check_loss_and_gradients, clipping_and_decay
from references import build
from wavenet import serialization
from wavenet.families import registry
from wavenet.families.wavenet.model import WaveNet, recognize, shapes

FORMS = [('author', 0), ('paper', 0), ('paper', 3)]


def random_wavenet(form='paper', num_classes=0, levels=5, stacks=2, layers=3, kernel_width=2):
    """A model of random weights and biases, all of which matter."""
    model = WaveNet(levels, 4, 6, stacks, layers, kernel_width, num_classes, form)
    random = np.random.RandomState(0)
    for _, param in sorted(model.namedparams()):
        scale = 0.1 if param.ndim == 1 else 1.2 * np.prod(param.shape[1:]) ** -0.5
        param.array[...] = random.normal(0, scale, param.shape)
    model.conv1.W.array *= levels ** 0.5
    return model


def outputs_of(model, targets):
    """Logits on the host. The classes are 0, 1, 2, …"""
    class_ids = np.arange(len(targets), dtype='i') % max(1, model.num_classes)
    with chainer.no_backprop_mode():
        return cuda.to_cpu(model(model.xp.asarray(targets), model.xp.asarray(class_ids)).array)


# The author's numbers

@pytest.fixture
def reference():
    """What the author's newest code computes: see tests/data/README.md."""
    with np.load(os.path.join(DATA, 'wavenet.npz')) as npz:
        return {name: npz[name] for name in npz.files}


def batch_of(reference, step, device):
    """A batch of the file, whose inputs are one-hot (N, levels, 1, T): levels and targets, int32
    (B, T)."""
    size = len(reference['logits'])
    at = slice(step % 4 * size, step % 4 * size + size)
    levels = reference['x'][at, :, 0].argmax(axis=1).astype('i')
    return device.send(levels), device.send(reference['labels'][at, 0, 0])


def mean_nll(model, levels, targets):
    """The author's loss: the mean over the targets that count."""
    nats = model.distribution.nll(model(levels), targets)
    return F.sum(nats) / float((targets >= 0).sum())


@pytest.mark.parametrize('file', ['wavenet.npz', 'wavenet_author.npz'])
def test_logits_are_the_authors(file, device):
    with np.load(os.path.join(DATA, file)) as npz:
        model, expected = build('wavenet', npz), npz['logits'][:, :, 0, 0]
        levels = npz['labels'] if npz['labels'].ndim == 2 else batch_of(npz, 0, device)[0]
    model.to_device(device)
    assert levels.shape == expected[:, 0].shape
    assert abs(outputs_of(model, levels) - expected).max() <= 1e-5 * abs(expected).max()


def test_loss_and_gradients_are_the_authors(reference, device):
    model = build('wavenet', reference)
    model.to_device(device)
    check_loss_and_gradients(reference, model, mean_nll(model, *batch_of(reference, 0, device)))


def test_eight_steps_of_adam_are_the_authors(reference, device):
    model = build('wavenet', reference)
    model.to_device(device)
    check_adam(reference, model, lambda step: mean_nll(model, *batch_of(reference, step, device)),
               clipping_and_decay())


# Order

@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_each_output_sees_its_receptive_field_and_nothing_else(form, num_classes, kernel_width):
    """Bit for bit: each sample is changed, one after the other, in many sounds, since a ReLU may
    hide it in some."""
    model = random_wavenet(form, num_classes, stacks=2, layers=2, kernel_width=kernel_width)
    field = 2 + (kernel_width - 1) * 2 * (2 ** 2 - 1)
    assert model.config.receptive_field == field
    for param in model.params():            # float64: the farthest sample changes little
        param.array = param.array.astype('d')
    time = field + 6
    targets = np.random.RandomState(1).randint(0, 5, (60, time)).astype('i')
    before = outputs_of(model, targets)
    for changed in range(time):
        other = targets.copy()
        other[:, changed] = (other[:, changed] + 1) % 5
        seen_by = (outputs_of(model, other) != before).any(axis=(0, 1))
        expected = np.arange(time)
        expected = (changed < expected) & (expected <= changed + field)
        assert (seen_by == expected).all(), changed


def test_the_dilations_begin_with_1_in_each_stack():
    assert random_wavenet(stacks=2, layers=4).config.dilations == [1, 2, 4, 8, 1, 2, 4, 8]


def test_a_sound_shorter_than_the_dilations_is_as_the_beginning_of_a_longer_one():
    model = random_wavenet(layers=5)
    targets = np.random.RandomState(1).randint(0, 5, (2, 40)).astype('i')
    whole = outputs_of(model, targets)
    for time in (1, 2, 7):
        part = outputs_of(model, targets[:, :time])
        assert part.shape == (2, 5, time)
        np.testing.assert_allclose(part, whole[:, :, :time], rtol=0, atol=1e-5)


# Likelihood and gradients

@pytest.mark.parametrize('form, num_classes', FORMS)
def test_the_probabilities_of_all_sequences_sum_to_1(form, num_classes):
    model = random_wavenet(form, num_classes, levels=3, stacks=1, layers=2)
    targets = np.array(list(itertools.product(range(3), repeat=6)), 'i')
    with chainer.no_backprop_mode():
        outputs = model(targets, np.zeros(len(targets), 'i')).array.astype('d')
    nats = model.distribution.nll(outputs, targets).array
    assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize('form, num_classes', FORMS)
def test_the_gradient_is_the_slope_of_the_loss(form, num_classes):
    """By finite differences, along a random direction of all parameters, in float64."""
    model = random_wavenet(form, num_classes, kernel_width=3)
    random = np.random.RandomState(1)
    targets, class_ids = random.randint(0, 5, (2, 20)).astype('i'), np.array([0, 2], 'i')
    params = [param for _, param in sorted(model.namedparams())]
    for param in params:
        param.array = param.array.astype('d')
    directions = [random.normal(size=param.shape) for param in params]

    def loss(by=0):
        for param, direction in zip(params, directions):
            param.array += by * direction
        return F.sum(model.distribution.nll(model(targets, class_ids), targets))

    model.cleargrads()
    loss().backward()
    slope = sum(float((param.grad * direction).sum())
                for param, direction in zip(params, directions))
    assert abs(slope) > 0.1
    step = 1e-6
    with chainer.no_backprop_mode():
        difference = float(loss(step).array - loss(-2 * step).array) / (2 * step)
    assert difference == pytest.approx(slope, rel=1e-4)


def test_each_class_has_outputs_of_its_own(device):
    model = random_wavenet(num_classes=3)
    model.to_device(device)
    outputs = outputs_of(model, np.zeros((3, 4), 'i'))
    assert len({outputs[n].tobytes() for n in range(3)}) == 3


# Sizes and files

@pytest.mark.parametrize('name, value', [
    ('out_dims', 1), ('hidden_dim', 0), ('out_hidden_dim', 0), ('stacks_num', 0), ('layers_num', 0),
    ('kernel_width', 1), ('num_classes', -1), ('form', 'other')])
def test_what_makes_no_model_is_named(name, value):
    sizes = dict(out_dims=4, hidden_dim=4, out_hidden_dim=4, stacks_num=1, layers_num=2)
    with pytest.raises(ValueError, match=name):
        WaveNet(**dict(sizes, **{name: value}))
    with pytest.raises(ValueError, match='no classes'):
        WaveNet(**sizes, num_classes=2, form='author')


@pytest.mark.parametrize('form, num_classes', FORMS)
@pytest.mark.parametrize('kernel_width', [2, 3])
def test_shapes_are_those_of_the_parameters(form, num_classes, kernel_width):
    model = random_wavenet(form, num_classes, kernel_width=kernel_width)
    expected = {name[1:]: param.shape for name, param in model.namedparams()}
    assert shapes(model.config) == expected
    if form == 'author':
        assert recognize(expected) == model.config
    else:                    # no file of the author's: the registry compares the shapes
        assert registry.recognize(expected) is None


@pytest.mark.parametrize('form, num_classes', FORMS)
def test_a_file_brings_the_model_back(form, num_classes, tmp_path):
    model = random_wavenet(form, num_classes)
    serialization.save_model(str(tmp_path / 'model.npz'), model)
    loaded = serialization.load_model(str(tmp_path / 'model.npz'), 'sound')
    assert loaded.config == model.config
    targets = np.zeros((3, 9), 'i')
    assert (outputs_of(loaded, targets) == outputs_of(model, targets)).all()
    with pytest.raises(ValueError, match='WaveNet is a model of sound, not of images'):
        serialization.load_model(str(tmp_path / 'model.npz'), 'images')


def test_the_authors_file_loads(tmp_path, reference):
    """Chainer's own files: the parameters, and nothing else."""
    model = build('wavenet', reference)
    chainer.serializers.save_npz(str(tmp_path / 'wavenet_1'), model)
    with np.load(tmp_path / 'wavenet_1') as npz:
        assert sorted(npz) == sorted(name[len('params/'):] for name in reference
                                     if name.startswith('params/'))
    loaded = serialization.load_model(str(tmp_path / 'wavenet_1'))
    assert loaded.config == model.config and loaded.config.form == 'author'


def test_it_is_in_the_registry():
    assert registry.get('wavenet') is registry.SOUND_FAMILIES['wavenet']
