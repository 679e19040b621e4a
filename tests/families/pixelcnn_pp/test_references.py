"""Numbers of openai/pixel-cnn and of pclucas14/pixel-cnn-pp: see tests/data/README.md."""
import os

import chainer
import chainer.functions as F
import numpy as np
import pytest

from helpers import DATA
from references import build, pytorch_names
from wavenet.families import registry
from wavenet.families.pixelcnn_pp.config import layers, recognize, shapes


def read(name):
    with np.load(os.path.join(DATA, name)) as npz:
        return {key: npz[key] for key in npz.files}


def spread(flat, prefix, named_shapes):
    """A flat array as arrays of these names and shapes, in their order."""
    result, start = {}, 0
    for name, shape in named_shapes:
        size = int(np.prod(shape))
        result[prefix + name] = flat[start:start + size].reshape(shape)
        start += size
    assert start == len(flat)
    return result


@pytest.fixture(scope='module')
def openai():
    """The file as openai's variables: params/NAME, grads/NAME, init/before/NAME, …"""
    npz = read('pixelcnnpp_openai.npz')
    names = str(npz.pop('names')).split('\n')
    config = registry.get('pixelcnn++').config(3, 1, 5, 2, 256, 3, 'concat_elu')
    of_names = [(name, shapes(config)[name]) for name in names]
    of_data = [(name, shape) for name, shape in of_names if name.endswith(('/g', '/b'))]
    others = [pair for pair in of_names if pair not in of_data]
    for prefix, pairs in (('params', of_names), ('grads', of_names), ('init/before', others),
                          ('init/after', of_data)):
        npz.update(spread(npz.pop(prefix), prefix + '/', pairs))
    return npz


def channels_first(array):
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def batch(npz):
    targets = channels_first(npz['x_int']).astype('i')
    return (targets / 255).astype('f'), targets, npz['labels']


def test_logits_and_loss(openai):
    model = build('pixelcnn++', openai)
    x, targets, class_ids = batch(openai)
    logits = model(x, class_ids)
    assert abs(logits.array - channels_first(openai['logits'])).max() <= 1e-4
    for form in ('exact', 'openai'):
        nll = model.distribution.nll(logits, targets, form=form)
        np.testing.assert_allclose(nll.array, openai['loss_per_image'], rtol=1e-5)


def test_gradients(openai):
    model = build('pixelcnn++', openai)
    x, targets, class_ids = batch(openai)
    logits = model(x, class_ids)
    logits.grad = channels_first(openai['grad_logits'])
    model.cleargrads()
    logits.backward()
    for name, param in model.namedparams():
        expected = openai['grads' + name]
        assert abs(param.grad - expected).max() <= 1e-4 * max(0.1, abs(expected).max()), name


def test_the_gradient_of_the_exact_loss_is_close_to_openais(openai):
    """Theirs is inexact where the difference of two sigmoids is small, in float32."""
    model = build('pixelcnn++', openai)
    x, targets, class_ids = batch(openai)
    logits = chainer.Variable(channels_first(openai['logits']))
    F.sum(model.distribution.nll(logits, targets)).backward()
    expected = channels_first(openai['grad_logits'])
    assert abs(logits.grad - expected).max() <= 1e-4 * abs(expected).max()


def test_data_dependent_initialization(openai):
    before = {f'params/{name[len("init/before/"):]}': array for name, array in openai.items()
              if name.startswith('init/before/')}
    after = {name[len('init/after'):]: array for name, array in openai.items()
             if name.startswith('init/after/')}
    ones = {f'params{name}': np.ones_like(g) * name.endswith('/g') for name, g in after.items()}
    model = build('pixelcnn++', {**openai, **before, **ones})
    out = model.initialize(channels_first(openai['init/x']) / 2 + 0.5, openai['labels'])
    assert abs(out.array - channels_first(openai['init/out'])).max() <= 1e-4
    params = dict(model.namedparams())
    for name, expected in after.items():
        assert abs(params[name].array - expected).max() <= 1e-4, name


def test_adam(openai):
    model = build('pixelcnn++', openai)
    optimizer = registry.get('pixelcnn++').recipe.optimizer(0.002).setup(model)
    x, targets, class_ids = batch(openai)

    losses = []
    for _ in range(6):
        loss = F.sum(model.distribution.nll(model(x, class_ids), targets))
        losses.append(float(loss.array))
        optimizer.update(lambda loss=loss: loss)
    expected = [*openai['adam/losses'], openai['adam/loss_after']]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_samples_from_given_uniforms(openai):
    model = build('pixelcnn++', openai)
    outputs = openai['logits'].reshape(-1, model.distribution.outputs)
    uniforms = np.concatenate([openai['sample/u_mix'], openai['sample/u_logistic']], axis=-1)
    drawn = model.distribution.draw(outputs, uniforms.reshape(len(outputs), -1).T, form='openai')
    assert abs(drawn.reshape(openai['sample/out'].shape) - openai['sample/out']).max() <= 1e-4


def test_an_image_pixel_by_pixel(openai):
    model = build('pixelcnn++', openai)
    uniforms = np.concatenate([openai['generate/u_mix'], openai['generate/u_logistic']], axis=-1)
    expected = openai['generate/image']
    batch, height, width, channels = expected.shape
    image = np.zeros((batch, channels, height, width), 'f')                  # in [-1, 1]
    with chainer.no_backprop_mode():
        for i in range(height):
            for j in range(width):
                outputs = model((image + 1) / 2, openai['labels']).array[:, :, i, j]
                image[:, :, i, j] = model.distribution.draw(
                    outputs, uniforms[:, i, j].T, form='openai')
    assert abs(image - channels_first(expected)).max() <= 1e-4


def test_variables_are_recognized(openai):
    found = {name[len('params/'):]: array.shape for name, array in openai.items()
             if name.startswith('params/')}
    family, config = registry.recognize(found)
    assert family.name == 'pixelcnn++'
    assert config == family.config(3, 1, 5, 2, 256, 3, 'concat_elu') == recognize(found)


@pytest.fixture(scope='module')
def pytorch():
    """The file as a state_dict of the PyTorch port: params/NAME, float64, grayscale."""
    npz = read('pixelcnnpp_torch_gray.npz')
    names = str(npz.pop('names')).split('\n')
    config = registry.get('pixelcnn++').config(1, 1, 5, 4, 256, 0, 'concat_elu')
    modules, of_names = pytorch_names(config), {}
    for layer in layers(config):
        V = layer.shapes[f'{layer.name}/V']
        V = V[::-1] if layer.kind == 'dense' else (V[3], V[2], *V[:2])
        of_names[f'{modules[layer.name]}.weight_v'] = V
        of_names[f'{modules[layer.name]}.weight_g'] = (V[0],) + (1,) * (len(V) - 1)
        of_names[f'{modules[layer.name]}.bias'] = (layer.outputs,)
    npz.update(spread(npz.pop('params'), 'params/', [(name, of_names[name]) for name in names]))
    return npz


def test_logits_and_loss_of_the_pytorch_port(pytorch):
    model = build('pixelcnn++', pytorch)
    targets = pytorch['x_int'].astype('i')
    logits = model(targets / 255)
    assert logits.dtype == np.float64
    assert abs(logits.array - pytorch['logits']).max() <= 1e-10
    for outputs, prefix in ((logits, ''), (pytorch['dmol0/l'], 'dmol0/')):
        nll = model.distribution.nll(outputs, targets).array
        assert abs(nll - pytorch[f'{prefix}exact_loss_per_image']).max() <= 1e-10
    approximate = model.distribution.nll(logits, targets, form='openai').array
    assert abs(approximate - pytorch['loss_per_image']).max() <= 1e-10
