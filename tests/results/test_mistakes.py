"""The mistakes do what they are named for, and are gone afterwards."""
import itertools
import json

import wavenet  # noqa: F401  before Chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import evaluate, models, serialization
from wavenet.data.images import ImageDataset
from wavenet.data.load import load_dataset
from wavenet.data.pixels import INTENSITY
from wavenet.results import mistakes
from wavenet.training import extensions

PIXEL = 3, 4


def reach(mistake, color):
    """Which of a pixel's own logits (C,) change with the value of one of its colours, and whether
    any before it, and any after it, do."""
    random = np.random.RandomState(0)
    with mistakes.made(mistake):
        np.random.seed(0)
        model = models.PixelCNN(3, 24, 2, 24, 4)
        x = random.rand(2, 3, 7, 8).astype('f')
        before = model(x).array
        x[:, color, PIXEL[0], PIXEL[1]] += 0.5
        changed = (model(x).array != before).any(axis=(0, 1))        # (C, H, W)
    flat = changed.transpose(1, 2, 0).reshape(-1, 3)                 # in the order of the pixels
    number = PIXEL[0] * 8 + PIXEL[1]
    return flat[number].tolist(), bool(flat[:number].any()), bool(flat[number + 1:].any())


@pytest.mark.parametrize('mistake, own', [
    (None, [[False, True, True], [False, False, True], [False] * 3]),
    ('no-colour-masks', [[False] * 3] * 3),                          # each colour for itself
    ('wrong-colour-masks', [[True] * 3, [True] * 3, [False] * 3]),   # R sees R: the order is broken
    ('relu-after', [[False, True, True], [False, False, True], [False] * 3])])
def test_what_a_pixel_sees_of_itself(mistake, own):
    for color in range(3):
        assert reach(mistake, color) == (own[color], False, True)


@pytest.mark.parametrize('mistake', [None, *mistakes.OF_THE_MODEL])
def test_only_where_no_value_sees_itself_the_probabilities_sum_to_1(mistake):
    labels = np.array(list(itertools.product((0, 1), repeat=12))).reshape(-1, 3, 2, 2)
    images = ImageDataset((255 * labels).astype('u1'), np.zeros(len(labels)), 3, 2)
    with mistakes.made(mistake):
        np.random.seed(0)
        model = models.PixelCNN(3, 24, 1, 12, 2)
        model.conv4.W.array *= 10
        total = np.exp(-evaluate.image_nats(model, images, 4096)).sum()
    assert (abs(total - 1) < 1e-4) == (mistake not in mistakes.NO_LIKELIHOOD)


@pytest.mark.parametrize('mistake', mistakes.OF_THE_MODEL)
def test_a_model_with_a_mistake_is_for_nothing_else(mistake, tmp_path):
    path = str(tmp_path / 'model.npz')
    with mistakes.made(mistake):
        serialization.save_model(path, models.PixelCNN(3, 6, 1, 6, 2))
        serialization.load_model(path)
    with pytest.raises(ValueError, match=mistake):
        serialization.load_model(path)


def test_masks_without_colours_are_those_of_the_context():
    with mistakes.made('no-colour-masks'):
        first, other = models.make_mask((6, 3, 3, 3), 'A', 3), models.make_mask((6, 6, 1, 1), 'B', 3)
    expected = np.broadcast_to([[1, 1, 1], [1, 0, 0], [0, 0, 0]], (6, 3, 3, 3))
    assert (first == expected).all() and (other == 1).all()


def test_a_relu_after_each_convolution():
    with mistakes.made('relu-after'):
        block, = models.ResidualBlockList(1, 6, colors=3)
    x = np.random.RandomState(0).normal(size=(2, 6, 5, 4)).astype('f')

    def convolve(h, link):
        return F.convolution_2d(h, link.W * link.mask, link.b, pad=link.pad)

    h = F.relu(convolve(x, block.conv1))
    h = F.relu(convolve(h, block.conv2))
    expected = F.relu(x + convolve(h, block.conv3)).array
    assert abs(block(x).array - expected).max() < 1e-5
    assert abs(models.ResidualBlock.forward(block, x).array - expected).max() > 0.01


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('colors', [1, 3])
def test_real_inputs(device, channels, colors):
    images = np.random.RandomState(0).randint(0, 256, (5, colors, 4, 3)).astype('u1')
    right = ImageDataset(images, np.arange(5), channels, 8)
    wrong = mistakes.RealInputs(images, np.arange(5), channels, 8)
    for dataset in (right, wrong):
        dataset.to_device(device)
    numbers = [3, 5 + 1]                                             # the second in another epoch
    x, labels, classes = map(cuda.to_cpu, wrong.batch(numbers))
    _, right_labels, right_classes = map(cuda.to_cpu, right.batch(numbers))
    assert x.dtype == np.float32 and x.shape == labels.shape == (2, channels, 4, 3)
    assert (labels == right_labels).all() and (classes == right_classes).all()
    if channels >= colors:
        assert (x == np.broadcast_to(INTENSITY[images[[3, 1]]], x.shape)).all()
    assert (np.minimum((x * 8).astype(int), 7) == labels).all()
    assert len(np.unique(x)) > 8


def test_real_inputs_are_not_binarized():
    with mistakes.made('real-inputs'), pytest.raises(ValueError, match='binarized'):
        load_dataset('digits', 1, binarize=True)


@pytest.mark.parametrize('mistake', sorted(mistakes.MISTAKES))
def test_it_is_gone_after_the_block(mistake):
    where, name, _ = mistakes.MISTAKES[mistake]
    right = getattr(where, name), extensions.SampleGrid.__call__
    with pytest.raises(ZeroDivisionError), mistakes.made(mistake):
        assert getattr(where, name) is not right[0]
        assert extensions.SampleGrid.__call__ is not right[1]
        1 / 0
    assert (getattr(where, name), extensions.SampleGrid.__call__) == right


def test_training_with_a_mistake(command, tmp_path):
    args = ['--dataset', 'digits', '--channels', 3, '-d', 3, '-n', 1, '--interval', 1]
    for out, mistake, iterations in (('a', 'wrong-colour-masks', 2), ('b', 'wrong-colour-masks', 1)):
        result = command('-m', 'wavenet.results.mistakes', '--mistake', mistake, '--iteration', iterations,
                         '--out', out, *args)
        assert (result.returncode, result.stderr) == (0, '')
    result = command('-m', 'wavenet.results.mistakes', '--mistake', mistake, '--iteration', 2, '--out', 'b',
                     '--resume', 'auto', *args)
    assert result.returncode == 0
    assert (tmp_path / 'a/model.npz').read_bytes() == (tmp_path / 'b/model.npz').read_bytes()
    assert list((tmp_path / 'a/samples').iterdir()) == []
    result = command('train.py', '--iteration', 2, '--out', 'c', *args)
    losses = [json.loads((tmp_path / out / 'log').read_text())[-1]['main/nll'] for out in 'abc']
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize('args, word', [
    (['--mistake', 'other'], 'relu-after'), ([], '--mistake'),
    (['--mistake', 'relu-after', '--model', 'gated'], 'gated')])
def test_a_users_mistake(command, args, word):
    result = command('-m', 'wavenet.results.mistakes', *args)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert word in result.stderr
