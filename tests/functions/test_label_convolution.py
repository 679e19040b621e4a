import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda
from chainer.utils import type_check

from wavenet.functions import threads
from wavenet.functions.label_convolution import label_tables, look_up, to_labels
from wavenet.functions.masked_convolution import masked_convolution_2d
from wavenet.models import make_mask

# (outputs, kinds, colours, kernel, mask, pad)
CASES = [(7, 5, 3, (7, 7), 'A', 3), (4, 9, 1, (7, 7), 'A', 3), (5, 2, 3, (1, 7), 'A', (0, 3)),
         (3, 4, 1, (3, 3), 'B', 0), (2, 3, 2, (1, 1), 'B', 1),
         (3, 200, 1, (3, 3), 'A', 1)]                # most kinds do not occur


def one_hot(labels, kinds):
    """Labels (B, C, H, W) → float64 (B, K · C, H, W), channel k · C + c."""
    channels = [labels[:, c] == k for k in range(kinds) for c in range(labels.shape[1])]
    return np.stack(channels, axis=1).astype('d')


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('dtype, tolerance', [('f', 1e-6), ('d', 1e-14)])
def test_equals_the_convolution_of_one_hot_channels(case, dtype, tolerance, device):
    outputs, kinds, colors, ksize, kind, pad = case
    random = np.random.RandomState(0)
    labels = random.randint(-3, kinds + 2, (3, colors, 6, 5)).astype('i')   # some have no channel
    W, b = random.normal(size=(outputs, kinds * colors, *ksize)), random.normal(size=outputs)
    mask = make_mask(W.shape, kind, colors, dtype)
    W, b, mask = [device.send(array.astype(dtype)) for array in (W, b, mask)]
    inputs = [chainer.Variable(array) for array in (W, b)]
    y = masked_convolution_2d(device.send(labels), *inputs, mask, pad)
    x = device.send(one_hot(labels, kinds).astype(dtype))
    expected = F.convolution_2d(x, inputs[0] * mask, inputs[1], pad=pad)
    assert y.shape == expected.shape and y.dtype == expected.dtype == dtype
    gy = chainer.Variable(device.send(random.normal(size=y.shape).astype(dtype)))
    pairs = [(y, expected), *zip(chainer.grad([y], inputs, [gy]),
                                 chainer.grad([expected], inputs, [gy]))]
    for ours, theirs in pairs:
        scale = max(1, float(abs(theirs.array).max()))
        np.testing.assert_allclose(cuda.to_cpu(ours.array), cuda.to_cpu(theirs.array),
                                   rtol=0, atol=tolerance * scale)
    assert (pairs[1][0].array[mask == 0] == 0).all()


def test_any_number_of_cores_gives_the_same(monkeypatch):
    random = np.random.RandomState(0)
    labels = random.randint(0, 9, (40, 1, 6, 5)).astype('i')
    W = random.normal(size=(8, 9, 7, 7)).astype('f')
    mask, results = make_mask(W.shape, 'A', 1), []
    for workers in (1, 3):
        monkeypatch.setattr(threads, 'WORKERS', workers)
        weights = chainer.Variable(W)
        y = masked_convolution_2d(labels, weights, None, mask, 3)
        F.sum(y * y).backward()
        results.append((y.array, weights.grad))
    for one, other in zip(*results):
        assert (one == other).all()


def test_an_empty_batch():
    W = chainer.Variable(np.ones((4, 6, 7, 7), 'f'))
    y = masked_convolution_2d(np.empty((0, 3, 5, 6), 'i'), W, None, np.ones((4, 6, 7, 7), 'f'), 3)
    assert y.shape == (0, 4, 5, 6)
    F.sum(y).backward()
    assert (W.grad == 0).all()


def test_channels_that_are_not_those_of_the_labels_are_refused():
    W = np.ones((4, 7, 1, 1), 'f')
    with pytest.raises(type_check.InvalidType):
        masked_convolution_2d(np.zeros((1, 3, 5, 6), 'i'), W, None, W, 0)


@pytest.mark.parametrize('levels', [2, 3, 23, 255, 256, 257, 1000, 4099, 65535, 65536])
def test_values_become_their_labels_exactly(levels):
    labels = np.arange(levels)
    x = labels.astype('f') / (levels - 1)                       # as a data set makes them
    assert x.dtype == np.float32 and (to_labels(x, levels) == labels).all()
    samples = np.zeros(levels, 'f')
    samples[:] = labels / (levels - 1)                          # as generation does, from float64
    assert (to_labels(samples, levels) == labels).all()


def test_labels_are_looked_up():
    weights = np.arange(2 * 6, dtype='f').reshape(2, 6)         # 2 outputs, 3 kinds, 2 colours
    tables = label_tables(weights, 2)
    assert tables.shape == (2, 4, 2)
    # Label 2 of the first colour is channel 4; the second colour has no label
    assert look_up(tables, np.array([[2], [3]])).tolist() == [[4, 10]]
    assert look_up(tables, np.array([[0], [1]])).tolist() == [[0 + 3, 6 + 9]]
