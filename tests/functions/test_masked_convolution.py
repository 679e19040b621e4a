import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet.functions import masked_convolution, products, threads
from wavenet.functions.masked_convolution import masked_chain_2d, masked_convolution_2d
from wavenet.models import make_mask

# (out, in, kernel, mask, colours, pad): those of the model, then others
CASES = [(7, 4, (7, 7), 'A', 3, 3), (13, 14, (3, 3), 'B', 3, 1), (6, 5, (1, 1), 'B', 3, 0),
         (4, 1, (7, 7), 'A', 1, 3), (5, 7, (3, 3), 'B', 1, 1), (2, 4, (1, 1), 'B', 3, 0),
         (3, 3, (1, 1), 'A', 1, 0), (4, 3, (3, 5), 'B', 3, (1, 2)), (4, 3, (3, 3), 'B', 3, 0),
         (4, 3, (2, 4), 'A', 3, 2), (1, 2, (1, 1), 'B', 3, 1)]


def make(case, dtype, random_mask=False):
    out_channels, in_channels, ksize, kind, colors, pad = case
    random = np.random.RandomState(0)
    x = random.normal(size=(3, in_channels, 6, 5)).astype(dtype)
    W = random.normal(size=(out_channels, in_channels) + ksize).astype(dtype)
    b = random.normal(size=out_channels).astype(dtype)
    mask = make_mask(W.shape, kind, colors, dtype)
    if random_mask:
        mask = random.randint(0, 2, W.shape).astype(dtype)
    return x, W, b, mask, pad


def check_equals_chainers(device, x, W, b, mask, pad, tolerance):
    x, W, mask = [device.send(array) for array in (x, W, mask)]
    inputs = [chainer.Variable(array) for array in (x, W)]
    if b is not None:
        inputs.append(chainer.Variable(device.send(b)))
    bias = inputs[2] if b is not None else None
    y = masked_convolution_2d(inputs[0], inputs[1], bias, mask, pad)
    expected = F.convolution_2d(inputs[0], inputs[1] * mask, bias, pad=pad)
    assert y.shape == expected.shape and y.dtype == expected.dtype
    gy = chainer.Variable(device.send(
        np.random.RandomState(1).normal(size=y.shape).astype(y.dtype)))
    pairs = [(y, expected)] + list(zip(chainer.grad([y], inputs, [gy]),
                                       chainer.grad([expected], inputs, [gy])))
    for ours, chainers in pairs:
        scale = max(1, float(abs(chainers.array).max()))
        np.testing.assert_allclose(cuda.to_cpu(ours.array), cuda.to_cpu(chainers.array),
                                   rtol=0, atol=tolerance * scale)
    gW = pairs[2][0].array
    assert (gW[mask == 0] == 0).all()


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('dtype, tolerance', [('f', 1e-6), ('d', 1e-14)])
@pytest.mark.parametrize('bias', [True, False])
def test_equals_chainers_convolution(case, dtype, tolerance, bias, device):
    x, W, b, mask, pad = make(case, dtype)
    check_equals_chainers(device, x, W, b if bias else None, mask, pad, tolerance)


@pytest.mark.parametrize('case', CASES[:3])
def test_any_mask_will_do(case, device):
    x, W, b, mask, pad = make(case, 'd', random_mask=True)
    check_equals_chainers(device, x, W, b, mask, pad, 1e-14)


def test_a_mask_of_nothing_leaves_the_bias():
    x, W, b, mask, pad = make((4, 3, (3, 3), 'B', 3, 1), 'f')
    y = masked_convolution_2d(x, W, b, np.zeros_like(mask), pad).array
    assert (y == b[:, None, None]).all() and y.shape == (3, 4, 6, 5)


@pytest.mark.parametrize('case', CASES[:4])
def test_gradients_by_finite_differences(case, device):
    from chainer import gradient_check
    x, W, b, mask, pad = make(case, 'd')
    mask = device.send(mask)
    arrays = tuple(device.send(array) for array in (x, W, b))
    random = np.random.RandomState(2)
    shape = masked_convolution_2d(*arrays, mask, pad).shape
    gy = device.send(random.normal(size=shape))
    ggs = tuple(device.send(random.normal(size=array.shape)) for array in arrays)

    def function(x, W, b):
        return masked_convolution_2d(x, W, b, mask, pad)

    gradient_check.check_backward(function, arrays, gy, atol=1e-7, rtol=1e-7, dtype='d')
    gradient_check.check_double_backward(function, arrays, gy, ggs, atol=1e-7, rtol=1e-7, dtype='d')


@pytest.mark.parametrize('case', CASES[:3])
@pytest.mark.parametrize('x_needs_a_gradient', [True, False])
def test_a_relu_before_it(case, device, x_needs_a_gradient):
    x, W, b, mask, pad = [device.send(array) if i < 4 else array
                          for i, array in enumerate(make(case, 'd'))]
    x = chainer.Variable(x, requires_grad=x_needs_a_gradient)
    inputs = [variable for variable in (x, chainer.Variable(W), chainer.Variable(b))
              if variable.requires_grad]
    W, b = inputs[-2:]
    before = x.array.copy()
    y = masked_convolution_2d(x, W, b, mask, pad, relu=True)
    expected = F.convolution_2d(F.relu(x), W * mask, b, pad=pad)
    gy = chainer.Variable(device.send(np.random.RandomState(1).normal(size=y.shape)))
    for ours, chainers in [(y, expected)] + list(zip(
            chainer.grad([y], inputs, [gy]), chainer.grad([expected], inputs, [gy]))):
        np.testing.assert_allclose(cuda.to_cpu(ours.array), cuda.to_cpu(chainers.array),
                                   rtol=0, atol=1e-13)
    assert (x.array == before).all()


@pytest.mark.parametrize('batch', [1, 2, 17, 40])
@pytest.mark.parametrize('images', [1, 2, 100])
def test_any_number_of_parts_and_cores(monkeypatch, batch, images):
    """Results are equal to the bit for any number of cores, with few or many images at a time."""
    x, W, b, mask, pad = make((13, 14, (3, 3), 'B', 3, 1), 'f')
    x = np.random.RandomState(3).normal(size=(batch, 14, 6, 5)).astype('f')
    monkeypatch.setattr(threads, 'CACHE', (1 + 14 * 5) * 30 * images)
    results = []
    for workers in (1, 2, 3):
        monkeypatch.setattr(threads, 'WORKERS', workers)
        inputs = [chainer.Variable(array) for array in (x, W, b)]
        y = masked_convolution_2d(*inputs, mask, pad)
        results.append([y] + chainer.grad([y], inputs, [chainer.Variable(np.ones_like(y.array))]))
    for other in results[1:]:
        assert all((a.array == b.array).all() for a, b in zip(results[0], other))
    check_equals_chainers(chainer.get_device('@numpy'), x, W, b, mask, pad, 2e-6)


@pytest.mark.parametrize('x_needs_a_gradient', [True, False])
def test_an_empty_batch(device, x_needs_a_gradient):
    x, W, b, mask, pad = make((7, 4, (7, 7), 'A', 3, 3), 'f')
    x = chainer.Variable(device.send(x[:0]), requires_grad=x_needs_a_gradient)
    parameters = [chainer.Variable(device.send(array)) for array in (W, b)]
    y = masked_convolution_2d(x, *parameters, device.send(mask), pad)
    assert y.shape == (0, 7, 6, 5)
    inputs = [x] * x_needs_a_gradient + parameters
    for variable, gradient in zip(inputs, chainer.grad([y], inputs, [y])):
        assert gradient.shape == variable.shape and (gradient.array == 0).all()


@pytest.mark.parametrize('change', [
    lambda x, W, b: (x[:, 1:], W, b), lambda x, W, b: (x, W[1:], b), lambda x, W, b: (x, W, b[1:]),
    lambda x, W, b: (x.astype('d'), W, b), lambda x, W, b: (x, W, b.astype('d')),
    lambda x, W, b: (x[0], W, b), lambda x, W, b: (x[:, :, :0, :0], W, b),
    lambda x, W, b: (x.astype('i'), W.astype('i'), b.astype('i'))])
def test_what_does_not_fit_is_refused(change):
    x, W, b, mask, pad = make((7, 4, (7, 7), 'A', 3, 2), 'f')
    with pytest.raises(type_check.InvalidType):
        masked_convolution_2d(*change(x, W, b), mask, pad)


def make_chain(dtype, colors=3, maps=(7, 5, 4, 7)):
    """An input and the three layers of a block. Three does not divide the numbers of maps."""
    random = np.random.RandomState(4)
    layers = []
    for n, ksize in enumerate((1, 3, 1)):
        W = random.normal(size=(maps[n + 1], maps[n], ksize, ksize)).astype(dtype)
        layers.append([W, random.normal(size=len(W)).astype(dtype),
                       make_mask(W.shape, 'B', colors, dtype), ksize // 2])
    return random.normal(size=(5, maps[0], 6, 4)).astype(dtype), layers


def chainers_chain(x, layers, relu, shortcut):
    y = x
    for n, (W, b, mask, pad) in enumerate(layers):
        y = F.convolution_2d(F.relu(y) if n or relu else y, W * mask, b, pad=pad)
    return x + y if shortcut else y


@pytest.mark.parametrize('relu', [True, False])
@pytest.mark.parametrize('shortcut', [True, False])
@pytest.mark.parametrize('colors, maps', [
    (3, (7, 5, 4, 7)), (1, (7, 5, 4, 7)), (2, (4, 4, 4, 4)), (3, (2, 1, 1, 2)), (4, (9, 8, 5, 9))])
@pytest.mark.parametrize('x_needs_a_gradient', [True, False])
def test_a_chain_equals_chainers_convolutions(
        relu, shortcut, colors, maps, x_needs_a_gradient, device):
    x, layers = make_chain('d', colors, maps)
    x = chainer.Variable(device.send(x), requires_grad=x_needs_a_gradient)
    layers = [[chainer.Variable(device.send(W)), chainer.Variable(device.send(b)),
               device.send(mask), pad] for W, b, mask, pad in layers]
    wanted = [x] * x_needs_a_gradient + [array for layer in layers for array in layer[:2]]
    before = x.array.copy()
    y = masked_chain_2d(x, layers, relu, shortcut)
    expected = chainers_chain(x, layers, relu, shortcut)
    gy = chainer.Variable(device.send(np.random.RandomState(5).normal(size=y.shape)))
    for ours, chainers in [(y, expected)] + list(zip(
            chainer.grad([y], wanted, [gy]), chainer.grad([expected], wanted, [gy]))):
        np.testing.assert_allclose(cuda.to_cpu(ours.array), cuda.to_cpu(chainers.array),
                                   rtol=0, atol=1e-12)
    assert (x.array == before).all()


def test_gradients_of_a_chain_by_finite_differences(device):
    from chainer import gradient_check
    x, layers = make_chain('d')
    arrays = [x] + [array for W, b, _, _ in layers for array in (W, b)]
    arrays = [device.send(array) for array in arrays]
    random = np.random.RandomState(6)
    gy = device.send(random.normal(size=x.shape))
    ggs = [device.send(random.normal(size=array.shape)) for array in arrays]

    def function(x, *parameters):
        return masked_chain_2d(x, [
            (W, b, device.send(mask), pad) for W, b, (_, _, mask, pad) in zip(
                parameters[::2], parameters[1::2], layers)], shortcut=True)

    gradient_check.check_backward(function, arrays, gy, atol=1e-6, rtol=1e-6, dtype='d')
    gradient_check.check_double_backward(function, arrays, gy, ggs, atol=1e-6, rtol=1e-6, dtype='d')


def test_a_chain_whose_shortcut_does_not_fit_is_refused():
    x, layers = make_chain('f')
    with pytest.raises(type_check.InvalidType):
        masked_chain_2d(x, layers[:2], shortcut=True)


def test_without_colours_and_parts_as_on_a_gpu(monkeypatch):
    """On a GPU one product computes all maps of all images. This is the same code on a CPU."""
    x, layers = make_chain('d')
    expected = masked_chain_2d(x, layers, shortcut=True).array
    monkeypatch.setattr(products, '_colors', lambda masks: 1)
    monkeypatch.setattr(masked_convolution, '_images_at_a_time',
                        lambda x, layers, sizes: x.shape[1])
    layers = [(W, b, mask.copy(), pad) for W, b, mask, pad in layers]
    inputs = [chainer.Variable(x)] + [chainer.Variable(W) for W, _, _, _ in layers]
    y = masked_chain_2d(x, layers, shortcut=True)
    np.testing.assert_allclose(y.array, expected, rtol=0, atol=1e-13)
    layers = [(W, b, mask, pad) for W, (_, b, mask, pad) in zip(inputs[1:], layers)]
    y = masked_chain_2d(inputs[0], layers, shortcut=True)
    chainers = chainers_chain(inputs[0], layers, True, True)
    gy = chainer.Variable(np.random.RandomState(7).normal(size=y.shape))
    gradients = [chainer.grad([result], inputs, [gy]) for result in (y, chainers)]
    for ours, theirs in zip(*gradients):
        np.testing.assert_allclose(ours.array, theirs.array, rtol=0, atol=1e-12)
