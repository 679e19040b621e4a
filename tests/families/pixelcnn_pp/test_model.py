import chainer
import chainer.functions as F
import numpy as np
import pytest

from wavenet.families.pixelcnn_pp.config import Layer
from wavenet.families.pixelcnn_pp.layer import NormalizedConvolution
from wavenet.families.pixelcnn_pp.model import PixelCNNPP


def random_model(in_channels=3, nr_resnet=1, nr_filters=4, nr_logistic_mix=2, seed=0, **sizes):
    """A small model, all of whose parameters matter."""
    random = np.random.RandomState(seed)
    model = PixelCNNPP(in_channels, nr_resnet, nr_filters, nr_logistic_mix, **sizes)
    for _, param in sorted(model.namedparams()):
        param.array[...] = random.normal(0, 0.5, param.shape) + (param.name == 'g')
    return model


def outputs_of(model, x, class_ids=None):
    with chainer.no_backprop_mode(), chainer.using_config('train', False):
        return model(x, class_ids).array


def images(batch, channels, height, width, seed=0):
    return np.random.RandomState(seed).random_sample((batch, channels, height, width)).astype('f')


def loop(layer, V, g, b, x):
    """A layer's output (outputs, H', W') for one image, by the definitions, in loops."""
    kh, kw = layer.kernel
    V = V.reshape(kh, kw, *V.shape[-2:])
    V = V.transpose(0, 1, 3, 2) if layer.is_transposed else V              # (kh, kw, in, out)
    W = g * V / np.sqrt((V ** 2).sum(axis=(0, 1, 2)))
    _, height, width = x.shape
    # What a tap sees, from the pixel itself: rows above, and columns on both sides or to the left
    left = (kw - 1) // 2 if layer.kind in ('down', 'up') else kw - 1
    if layer.is_transposed:
        left = (kw - 1) // 2 if layer.kind == 'up' else 0
        y = np.tile(b[:, None, None], (1, 2 * height, 2 * width))
        for i, j, di, dj in np.ndindex(height, width, kh, kw):
            row, column = 2 * i + di, 2 * j + dj - left
            if row < 2 * height and 0 <= column < 2 * width:
                y[:, row, column] += x[:, i, j] @ W[di, dj]
        return y
    y = np.zeros((layer.outputs, height // layer.stride, width // layer.stride))
    for i, j in np.ndindex(*y.shape[1:]):
        row, column = layer.stride * i, layer.stride * j
        row, column = row - (layer.shift == 'down'), column - (layer.shift == 'right')
        if row < 0 or column < 0:
            continue                                         # zeros enter
        y[:, i, j] = b
        for di, dj in np.ndindex(kh, kw):
            above, beside = row + di - kh + 1, column + dj - left
            if above >= 0 and 0 <= beside < width:
                y[:, i, j] += x[:, above, beside] @ W[di, dj]
    return y


@pytest.mark.parametrize('layer', [
    Layer('u', 'down', (2, 3), 3, 5), Layer('ul', 'right', (2, 2), 3, 5),
    Layer('dense', 'dense', (1, 1), 3, 5), Layer('u', 'down', (2, 3), 3, 5, shift='down'),
    Layer('ul', 'down', (1, 3), 3, 5, shift='down'),
    Layer('ul', 'right', (2, 1), 3, 5, shift='right'),
    Layer('u', 'down', (2, 3), 3, 5, stride=2), Layer('ul', 'right', (2, 2), 3, 5, stride=2),
    Layer('u', 'up', (2, 3), 3, 5, 2), Layer('ul', 'up_right', (2, 2), 3, 5, 2)],
    ids=lambda layer: f'{layer.kind}-{layer.stride}-{layer.shift}')
def test_a_layer_equals_its_definition(layer):
    random = np.random.RandomState(0)
    link = NormalizedConvolution(layer)
    for param in link.params():
        param.array = random.normal(size=param.shape)
    x = random.normal(size=(2, 3, 4, 6))
    expected = [loop(layer, *(param.array for param in (link.V, link.g, link.b)), of) for of in x]
    np.testing.assert_allclose(link(x).array, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kind, kernel, stride', [
    ('down', (2, 3), 1), ('right', (2, 2), 2), ('dense', (1, 1), 1)])
def test_the_initialization_of_a_layer(kind, kernel, stride):
    link = NormalizedConvolution(Layer('a', kind, kernel, 3, 5, stride, scale=0.1))
    x = np.random.RandomState(0).normal(3, 2, (8, 3, 6, 6)).astype('f')
    with chainer.no_backprop_mode():
        y = link.initialize(x).array
        assert (link(x).array == y).all()
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 0.1, rtol=1e-4)


@pytest.mark.parametrize('nonlinearity', ['concat_elu', 'elu', 'relu'])
@pytest.mark.parametrize('channels, num_classes', [(3, 0), (1, 2)])
def test_initialized_outputs_have_mean_0_and_deviation_1(nonlinearity, channels, num_classes):
    model = PixelCNNPP(channels, 1, 6, 2, 256, num_classes, nonlinearity)
    class_ids = np.arange(4) % 2 if num_classes else None
    x = images(4, channels, 8, 8)
    y = model.initialize(x, class_ids).array
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 1, rtol=1e-3)
    np.testing.assert_allclose(outputs_of(model, x, class_ids), y, atol=1e-5)


@pytest.mark.parametrize('height, width', [(28, 28), (30, 30), (4, 4), (1, 1), (3, 9), (2, 7)])
def test_any_height_and_width(height, width):
    model = random_model()
    assert outputs_of(model, images(2, 3, height, width)).shape == (2, 20, height, width)


@pytest.mark.parametrize('height, width', [(8, 8), (6, 7)])
def test_a_pixel_sees_all_pixels_before_it_and_no_other(height, width):
    """Bit for bit that no later pixel is seen; at this size the receptive field is everything."""
    model = random_model(in_channels=1, nr_resnet=2, nr_filters=8)
    for _, param in model.namedparams():
        param.array = param.array.astype('d')
    x = images(1, 1, height, width).astype('d')
    before = outputs_of(model, x)[0]
    pixels = height * width
    for number in range(pixels):
        changed = x.copy()
        changed.flat[number] += 1
        differs = (outputs_of(model, changed)[0] != before).any(axis=0).ravel()
        assert not differs[:number + 1].any()
        assert differs[number + 1:].all()


def test_all_colours_are_seen():
    model = random_model()
    x = images(1, 3, 4, 4)
    before = outputs_of(model, x)
    for colour in range(3):
        changed = x.copy()
        changed[0, colour, 0, 0] += 1
        assert (outputs_of(model, changed)[0, :, 0, 1] != before[0, :, 0, 1]).any()


def test_classes_change_the_outputs_and_are_needed():
    model = random_model(num_classes=3)
    x = images(2, 3, 8, 8)
    a, b = [outputs_of(model, x, np.full(2, k, 'i')) for k in (0, 1)]
    assert (a != b).all(axis=(2, 3)).any()
    with pytest.raises(ValueError, match='class_ids'):
        model(x)


def test_dropout_is_for_training_only():
    model = random_model()
    x = images(2, 3, 8, 8)
    expected = outputs_of(model, x)
    model.dropout = 0.5
    assert (outputs_of(model, x) == expected).all()
    assert (model(x).array != expected).any()


def test_a_copy_of_a_model_has_parameters_of_its_own():
    """Averages of the weights are in copies."""
    model = random_model()
    x = images(1, 3, 4, 4)
    expected = outputs_of(model, x)
    copy = model.copy(mode='copy')
    for param in copy.params():
        param.array[...] = 0
    assert (outputs_of(model, x) == expected).all() and (outputs_of(copy, x) == 0).all()


def test_every_parameter_has_a_gradient():
    model = random_model(num_classes=2)
    x = images(2, 3, 8, 8)
    model.cleargrads()
    F.sum(model(x, np.arange(2, dtype='i')) ** 2).backward()
    for name, param in model.namedparams():
        assert param.grad is not None and (param.grad != 0).any(), name


@pytest.mark.parametrize('wrong', [
    dict(in_channels=2), dict(nr_resnet=0), dict(nr_filters=0), dict(nr_logistic_mix=0),
    dict(levels=1), dict(levels=1 << 17), dict(num_classes=-1),
    dict(resnet_nonlinearity='tanh')])
def test_sizes_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PixelCNNPP(**dict(dict(in_channels=3, nr_resnet=1, nr_filters=2, nr_logistic_mix=2),
                          **wrong))
