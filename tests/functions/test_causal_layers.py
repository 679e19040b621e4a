"""The layers of WaveNet in one function: what Chainer's functions compute, and their gradients."""
import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer import gradient_check
from chainer.backends import cuda

from wavenet.functions import causal_layers as module
from wavenet.functions import threads
from wavenet.functions.causal_layers import causal_layers

MAPS, LENGTH = 3, 5


@pytest.fixture(autouse=True, params=[4 * 2 * MAPS, 1000])
def tile(request, monkeypatch):
    monkeypatch.setattr(module, 'TILE', request.param)


def plain(x, layers, begun, length):
    """The same in Chainer's own functions, layer by layer."""
    skips = 0
    for W, b, W_out, b_out, dilation, size in layers:
        past = (W.shape[2] - 1) * dilation
        padded = F.pad(x, ((0, 0), (0, 0), (past, 0)), 'constant')[:, :, None]
        gates = F.convolution_2d(padded, W[:, :, None], dilate=(1, dilation))[:, :, 0]
        gates = gates[:, :, gates.shape[2] - size:]
        b = F.broadcast_to(b, (len(x), W.shape[0])) if b.ndim == 1 else b
        gates += F.broadcast_to(b[:, :, None], gates.shape)
        h = F.tanh(gates[:, :MAPS]) * F.sigmoid(gates[:, MAPS:])
        y = F.convolution_2d(h[:, :, None], W_out[:, :, None, None], b_out)[:, :, 0]
        skips += y[:, -MAPS:, size - length:]
        x = x[:, :, x.shape[2] - size:] + y[:, :MAPS]
        x *= begun[:, None, begun.shape[1] - size:].astype(x.dtype)
    return x[:, :, x.shape[2] - length:], skips


def case(width=2, own_skips=False, of_each=False, sizes=(14, 9, 6), inputs=17, batch=3,
         dtype='d'):
    """Random arguments of `causal_layers`: inputs as a list, and a function of them."""
    random = np.random.RandomState(0)
    arrays = [random.normal(size=(batch, MAPS, inputs)).astype(dtype)]
    outputs = 2 * MAPS if own_skips else MAPS
    for _ in sizes:
        shapes = ((2 * MAPS, MAPS, width), (batch, 2 * MAPS) if of_each else (2 * MAPS,),
                  (outputs, MAPS), (outputs,))
        arrays += [random.normal(0, 0.6, shape).astype(dtype) for shape in shapes]
    begun = np.ones((batch, inputs + 4), bool)
    begun[1, :12] = False
    begun[2, -2:] = False

    def call(function, *arrays):
        fours = zip(*[iter(arrays[1:])] * 4)
        layers = [(*four, 2 ** number, size)
                  for number, (four, size) in enumerate(zip(fours, sizes))]
        device = chainer.backend.get_device_from_array(arrays[0].array if isinstance(
            arrays[0], chainer.Variable) else arrays[0])
        return function(arrays[0], layers, device.send(begun), LENGTH)

    return arrays, call


CASES = [dict(), dict(width=3), dict(own_skips=True), dict(of_each=True, width=3, own_skips=True),
         dict(sizes=(17, 17, 17)),          # from the first position on
         dict(sizes=(5,), inputs=5), dict(sizes=(17, 16, 5, 5), width=4)]


@pytest.mark.parametrize('options', CASES)
@pytest.mark.parametrize('dtype, atol', [('d', 1e-12), ('f', 1e-5)])
def test_it_is_what_chainers_functions_compute(options, dtype, atol, device):
    arrays, call = case(dtype=dtype, **options)
    results = []
    for function in causal_layers, plain:
        variables = [chainer.Variable(device.send(array)) for array in arrays]
        outputs = call(function, *variables)
        assert all(y.dtype == dtype for y in outputs)
        loss = sum(F.sum(y * device.send(weights)) for y, weights in zip(outputs, weights_of(
            outputs, dtype)))
        loss.backward()
        results.append([*(y.array for y in outputs), *(variable.grad for variable in variables)])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(cuda.to_cpu(ours), cuda.to_cpu(theirs), rtol=0,
                                   atol=atol * max(1, np.abs(cuda.to_cpu(theirs)).max()))


def weights_of(outputs, dtype):
    random = np.random.RandomState(1)
    return [random.normal(size=y.shape).astype(dtype) for y in outputs]


@pytest.mark.parametrize('options', CASES[:4])
def test_gradients_by_finite_differences(options):
    arrays, call = case(**options)
    random = np.random.RandomState(2)
    gradients = [random.normal(size=(3, MAPS, LENGTH)) for _ in range(2)]
    gradient_check.check_backward(lambda *variables: call(causal_layers, *variables), arrays,
                                  gradients, eps=1e-5, rtol=1e-6, atol=1e-8)


def test_one_output_alone_has_a_gradient():
    arrays, call = case()
    for number in range(2):
        gradients = []
        for function in causal_layers, plain:
            x = chainer.Variable(arrays[0])
            F.sum(call(function, x, *arrays[1:])[number]).backward()
            gradients.append(x.grad)
        np.testing.assert_allclose(*gradients, rtol=0, atol=1e-12)


@pytest.mark.parametrize('of_each', [False, True])
def test_the_number_of_threads_does_not_change_a_bit(monkeypatch, of_each):
    arrays, call = case(batch=40, of_each=of_each, dtype='f')
    monkeypatch.setattr(threads, 'CACHE', 2000)        # a few recordings at once
    results = []
    for workers in (1, 2):
        monkeypatch.setattr(threads, 'WORKERS', workers)
        variables = [chainer.Variable(array) for array in arrays]
        outputs = call(causal_layers, *variables)
        F.sum(outputs[0] * outputs[1]).backward()
        results.append([*(y.array for y in outputs), *(variable.grad for variable in variables)])
    assert all((one == two).all() for one, two in zip(*results))


def test_an_output_depends_on_no_later_input():
    arrays, call = case(sizes=(17, 17, 17))
    before = call(causal_layers, *arrays)
    for position in range(12, 17):
        arrays[0][:, :, position] += 1
        after = call(causal_layers, *arrays)
        for one, other in zip(before, after):
            same = (one.array == other.array).all(axis=(0, 1))
            assert same[:position - 12].all() and not same[position - 12]
        arrays[0][:, :, position] -= 1
        before = call(causal_layers, *arrays)


def test_without_backward_nothing_is_kept(monkeypatch):
    arrays, call = case(batch=40, dtype='f')
    monkeypatch.setattr(threads, 'CACHE', 2000)
    monkeypatch.setattr(threads, 'WORKERS', 2)
    kept = {}
    forward = module.CausalLayersFunction.forward

    def look(function, inputs):
        outputs = forward(function, inputs)
        kept[chainer.config.enable_backprop] = sum(map(len, function.kept.values()))
        return outputs

    monkeypatch.setattr(module.CausalLayersFunction, 'forward', look)
    expected = call(causal_layers, *map(chainer.Variable, arrays))
    with chainer.no_backprop_mode():
        outputs = call(causal_layers, *map(chainer.Variable, arrays))
    assert kept[True] > 3 and kept[False] == 0
    assert all((one.array == other.array).all() for one, other in zip(outputs, expected))


def test_it_cannot_be_differentiated_twice():
    arrays, call = case()
    x = chainer.Variable(arrays[0])
    loss = F.sum(call(causal_layers, x, *arrays[1:])[0])
    with pytest.raises(RuntimeError, match='twice'):
        loss.backward(enable_double_backprop=True)
