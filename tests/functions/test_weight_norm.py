import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet.functions.weight_norm import normalized_kernel


@pytest.mark.parametrize('transposed', [False, True])
@pytest.mark.parametrize('size', [None, (2, 5), (4, 4)])
@pytest.mark.parametrize('dtype, tolerance', [('f', 1e-5), ('d', 1e-13)])
def test_equals_chainers_functions(transposed, size, dtype, tolerance, device):
    random = np.random.RandomState(0)
    V, g = random.normal(size=(2, 4, 3, 5)), random.normal(size=3 if transposed else 5)
    V, g = [chainer.Variable(device.send(array.astype(dtype))) for array in (V, g)]
    W = normalized_kernel(V, g, transposed, size)
    out_axis = 2 if transposed else 3
    norm = F.sqrt(F.sum(V ** 2, axis=tuple(set(range(4)) - {out_axis}), keepdims=True))
    scale = F.reshape(g, (3, 1) if transposed else (5,))
    expected = F.transpose(V / F.broadcast_to(norm, V.shape) * F.broadcast_to(scale, V.shape),
                           (3, 2, 0, 1))
    height, width = size or (2, 4)
    expected = F.pad(expected, ((0, 0), (0, 0), (0, height - 2), (0, width - 4)), 'constant')
    gW = chainer.Variable(device.send(random.normal(size=W.shape).astype(dtype)))
    pairs = [(W, expected), *zip(chainer.grad([W], [V, g], [gW]),
                                 chainer.grad([expected], [V, g], [gW]))]
    for ours, theirs in pairs:
        assert ours.dtype == dtype
        ours, theirs = cuda.to_cpu(ours.array), cuda.to_cpu(theirs.array)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_the_size_of_V_does_not_matter_unless_it_is_0():
    V, g = np.random.RandomState(0).normal(size=(2, 3, 4, 5)), np.ones(5)
    W = normalized_kernel(V, g).array
    np.testing.assert_allclose(normalized_kernel(V * 1e-5, g).array, W, rtol=1e-10)
    assert (normalized_kernel(V * 0, g).array == 0).all()


def test_shapes_that_do_not_fit_are_refused():
    V = np.ones((2, 3, 4, 5))
    for g in (np.ones(4), np.ones((5, 1)), np.ones(5, 'f')):
        with pytest.raises(type_check.InvalidType):
            normalized_kernel(V, g)
