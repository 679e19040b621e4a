import chainer
import numpy as np
import pytest
from chainer import gradient_check
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet.families.gated.gates import gates
from wavenet.functions import threads


def make_inputs(batch=3, maps=4, height=2, width=3, dtype='f', vertical=True):
    random = np.random.RandomState(0)
    shapes = [(batch, 2 * maps, height, width)] * 2 + [(maps, maps, 1, 1)] * 2 + [(maps,)] * 2 + \
        [(batch, 2 * maps)] * (2 if vertical else 1)
    return [random.normal(0, 0.7, shape).astype(dtype) for shape in shapes]


def expected(v, h, W_t, W_s, b_t, b_s, class_h, class_v=None):
    """The formulas of the docstring, image by image and pixel by pixel."""
    p = len(b_t)

    def gate(t, s):
        return np.tanh(t) / (1 + np.exp(-s))

    def pixel(v, h, class_h, class_v):
        y_v = gate(v[:p] + class_v[:p], v[p:] + class_v[p:])
        return y_v, gate(h[:p] + W_t[:, :, 0, 0].dot(v[:p]) + b_t + class_h[:p],
                         h[p:] + W_s[:, :, 0, 0].dot(v[p:]) + b_s + class_h[p:])

    class_v = np.zeros_like(class_h) if class_v is None else class_v
    ys = np.zeros((2, len(v), p) + v.shape[2:])
    for b, i, j in np.ndindex(len(v), *v.shape[2:]):
        ys[:, b, :, i, j] = pixel(v[b, :, i, j], h[b, :, i, j], class_h[b], class_v[b])
    return ys


@pytest.mark.parametrize('vertical', [True, False])
@pytest.mark.parametrize('dtype, tolerance', [('f', 1e-6), ('d', 1e-12)])
def test_outputs_equal_the_formulas(vertical, dtype, tolerance, device):
    inputs = make_inputs(dtype=dtype, vertical=vertical)
    y_v, y_h = gates(*map(device.send, inputs))
    expected_v, expected_h = expected(*inputs)
    np.testing.assert_allclose(cuda.to_cpu(y_h.array), expected_h, atol=tolerance)
    assert y_h.dtype == dtype
    if vertical:
        np.testing.assert_allclose(cuda.to_cpu(y_v.array), expected_v, atol=tolerance)
    else:
        assert y_v is None


@pytest.mark.parametrize('vertical', [True, False])
def test_gradients(vertical, device):
    inputs = make_inputs(dtype='d', vertical=vertical)
    random = np.random.RandomState(1)
    gys = tuple(random.normal(size=(3, 4, 2, 3)) for _ in range(1 + vertical))

    def function(*inputs):
        y_v, y_h = gates(*inputs)
        return (y_h, y_v) if vertical else y_h

    gradient_check.check_backward(function, tuple(map(device.send, inputs)),
                                  tuple(map(device.send, gys)), dtype='d', atol=1e-7, rtol=1e-7)


def test_gradients_if_only_one_output_is_used():
    inputs = [chainer.Variable(array) for array in make_inputs()]
    for n, name in enumerate(('vertical', 'horizontal')):
        chainer.functions.sum(gates(*inputs)[n]).backward()
        h, class_h, class_v = inputs[1], inputs[6], inputs[7]
        assert (h.grad != 0).any() == (class_h.grad != 0).any() == (name == 'horizontal')
        assert (class_v.grad != 0).any() == (name == 'vertical')
        for x in inputs:
            x.cleargrad()


def test_results_are_the_same_in_parts_of_the_batch(monkeypatch):
    inputs = make_inputs(batch=7, dtype='d')

    def results():
        variables = [chainer.Variable(array) for array in inputs]
        ys = gates(*variables)
        (chainer.functions.sum(ys[0] ** 2) + chainer.functions.sum(ys[1])).backward()
        return [y.array for y in ys] + [x.grad for x in variables]

    whole = results()
    values = 2 * inputs[0][0].size
    monkeypatch.setattr(threads, 'CACHE', 2 * values)        # two images, and one at the end
    for one, other in zip(whole, results()):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize('vertical', [True, False])
def test_an_empty_batch(device, vertical):
    inputs = [chainer.Variable(device.send(array))
              for array in make_inputs(batch=0, vertical=vertical)]
    ys = [y for y in gates(*inputs) if y is not None]
    assert [y.shape for y in ys] == [(0, 4, 2, 3)] * (1 + vertical)
    for variable, gradient in zip(inputs, chainer.grad(ys, inputs, ys)):
        assert gradient.shape == variable.shape and (gradient.array == 0).all()


@pytest.mark.parametrize('form', ['paper', 'author'])
def test_an_empty_batch_through_the_model(random_gated_model, device, form):
    model = random_gated_model(form=form)
    model.to_device(device)
    x, class_ids = np.zeros((0, 3, 4, 5), 'f'), np.zeros(0, 'i')
    logits = model(device.send(x), device.send(class_ids))
    assert logits.shape == (0, 4, 3, 4, 5)
    model.cleargrads()
    chainer.functions.sum(logits).backward()
    assert all((param.grad == 0).all() for param in model.params())


def test_any_order_of_memory():
    inputs = make_inputs()
    others = [np.asfortranarray(array) for array in inputs]
    for one, other in zip(gates(*inputs), gates(*others)):
        np.testing.assert_allclose(one.array, other.array, atol=1e-6)


@pytest.mark.parametrize('wrong', range(1, 8))
def test_shapes_that_do_not_fit_are_refused(wrong):
    inputs = make_inputs()
    inputs[wrong] = np.concatenate([inputs[wrong]] * 2)
    with pytest.raises(type_check.InvalidType):
        gates(*inputs)


def test_dtypes_that_do_not_fit_are_refused():
    inputs = make_inputs()
    with pytest.raises(type_check.InvalidType):
        gates(*inputs[:-1], inputs[-1].astype('d'))


def test_a_second_derivative_is_refused():
    v = chainer.Variable(make_inputs()[0])
    y_v, y_h = gates(v, *make_inputs()[1:])
    with pytest.raises(RuntimeError, match='twice'):
        chainer.grad([y_h], [v], enable_double_backprop=True)
