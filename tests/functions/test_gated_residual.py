import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet.functions import threads
from wavenet.functions.gated_residual import concat_elu, gated_residual


def check(device, ours, theirs, inputs, gy, tolerance):
    """Values and gradients of two functions are the same."""
    inputs = [chainer.Variable(device.send(array)) for array in inputs]
    gy = chainer.Variable(device.send(gy))
    found = []
    for function in (ours, theirs):
        y = function(*inputs)
        found.append([y, *chainer.grad([y], inputs, [gy])])
    for ours, theirs in zip(*found):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(cuda.to_cpu(ours.array), cuda.to_cpu(theirs.array),
                                   rtol=tolerance, atol=tolerance)


@pytest.fixture(params=[(3, 4, 5, 6), (1, 1, 1, 1), (0, 2, 3, 3)])
def arrays(request, monkeypatch):
    """x, d and gradients of twice as many maps and of as many; in small parts on a CPU."""
    monkeypatch.setattr(threads, 'CACHE', 100)
    batch, maps, *size = request.param
    random = np.random.RandomState(0)
    return [random.normal(0, 2, (batch, count, *size)) for count in (maps, 2 * maps, maps)]


@pytest.mark.parametrize('dtype, tolerance', [('f', 1e-6), ('d', 1e-14)])
def test_concat_elu(arrays, dtype, tolerance, device):
    x, gy, _ = [array.astype(dtype) for array in arrays]
    x.flat[:1] = 0
    check(device, concat_elu, lambda x: F.elu(F.concat([x, -x])), [x], gy, tolerance)


@pytest.mark.parametrize('dtype, tolerance', [('f', 1e-6), ('d', 1e-14)])
def test_gated_residual(arrays, dtype, tolerance, device):
    def expected(x, d):
        p, q = F.split_axis(d, 2, axis=1)
        return x + p * F.sigmoid(q)

    x, d, gy = [array.astype(dtype) for array in arrays]
    check(device, gated_residual, expected, [x, d], gy, tolerance)


def test_large_values_do_not_overflow():
    x = np.array([-1e4, 1e4], 'f')[None, :, None, None]
    with np.errstate(all='raise', under='ignore'):
        assert concat_elu(x).array.ravel().tolist() == [-1, 1e4, 1e4, -1]
        d = np.concatenate([x, x], axis=1)
        assert gated_residual(x, d).array.ravel().tolist() == [-1e4, 2e4]


def test_shapes_that_do_not_fit_are_refused():
    x = np.ones((2, 3, 4, 4), 'f')
    for d in (x, x.astype('d'), np.ones((2, 6, 4, 3), 'f')):
        with pytest.raises(type_check.InvalidType):
            gated_residual(x, d)
