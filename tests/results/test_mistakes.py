"""Each mistake does what its name says, and generate.py refuses models that have one."""
import itertools
import json

import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import evaluate, models, sampling, serialization
from wavenet.data.images import ImageDataset
from wavenet.data.load import load_dataset
from wavenet.data.pixels import INTENSITY
from wavenet.families import registry
from wavenet.families.pixelcnn import PIXELCNN
from wavenet.models import PixelCNNConfig
from wavenet.results import mistakes
from wavenet.results.real_inputs import RealInputs
from wavenet.storage import npz
from wavenet.training.kinds import KINDS

FAMILIES = {'pixelcnn': PIXELCNN, **mistakes.MISTAKES}
OF_THE_MODEL = ('no-colour-masks', 'wrong-colour-masks', 'relu-after')
PIXEL = 3, 4


def build(name, *sizes):
    np.random.seed(0)
    return FAMILIES[name].build(PixelCNNConfig(*sizes))


def reach(model, color):
    """What a changed colour of PIXEL changes.

    Returns: which of the pixel's own logits (C,), whether any before it, and whether any after it.
    """
    x = np.random.RandomState(0).rand(2, 3, 7, 8).astype('f')
    before = model(x).array
    x[:, color, PIXEL[0], PIXEL[1]] += 0.5
    changed = (model(x).array != before).any(axis=(0, 1))            # (C, H, W)
    in_order = changed.transpose(1, 2, 0).reshape(-1, 3)             # (H · W, C)
    number = PIXEL[0] * 8 + PIXEL[1]
    return in_order[number].tolist(), bool(in_order[:number].any()), \
        bool(in_order[number + 1:].any())


@pytest.mark.parametrize('name, own', [
    ('pixelcnn', [[False, True, True], [False, False, True], [False] * 3]),
    ('no-colour-masks', [[False] * 3] * 3),                          # each colour for itself
    ('wrong-colour-masks', [[True] * 3, [True] * 3, [False] * 3]),   # R sees R: the order is broken
    ('relu-after', [[False, True, True], [False, False, True], [False] * 3])])
def test_what_a_pixel_sees_of_itself(name, own):
    model = build(name, 3, 24, 2, 24, 4)
    for color in range(3):
        assert reach(model, color) == (own[color], False, True)


@pytest.mark.parametrize('name', ['pixelcnn', *OF_THE_MODEL])
def test_the_probabilities_sum_to_1_unless_a_value_sees_itself(name):
    targets = np.array(list(itertools.product((0, 1), repeat=12))).reshape(-1, 3, 2, 2)
    images = ImageDataset((255 * targets).astype('u1'), np.zeros(len(targets)), 3, 2)
    model = build(name, 3, 24, 1, 12, 2)
    model.conv4.W.array *= 10
    total = np.exp(-evaluate.image_nats(model, images, 4096)).sum()
    assert (abs(total - 1) < 1e-4) == (name not in mistakes.NO_LIKELIHOOD)


def test_masks_without_colours_are_those_of_the_context():
    model = build('no-colour-masks', 3, 6, 1, 6, 2)
    context = np.zeros((7, 7))
    context[:3] = context[3, :3] = 1
    assert (model.conv1.mask == np.broadcast_to(context, (6, 3, 7, 7))).all()
    assert (model.conv2.mask == 1).all() and (model.blocks[0].conv1.mask == 1).all()


def test_a_relu_after_each_convolution():
    block, = build('relu-after', 3, 6, 1, 6, 2).blocks
    x = np.random.RandomState(0).normal(size=(2, 6, 5, 4)).astype('f')

    def convolve(h, link):
        return F.convolution_2d(h, link.W * link.mask, link.b, pad=link.pad)

    h = F.relu(convolve(x, block.conv1))
    h = F.relu(convolve(h, block.conv2))
    expected = F.relu(x + convolve(h, block.conv3)).array
    assert abs(block(x).array - expected).max() < 1e-5
    assert abs(models.ResidualBlock.forward(block, x).array - expected).max() > 0.01


# Real inputs

@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('colors', [1, 3])
def test_real_inputs(device, channels, colors):
    images = np.random.RandomState(0).randint(0, 256, (5, colors, 4, 3)).astype('u1')
    quantized, real = [dataset_class(images, np.arange(5), channels, 8)
                       for dataset_class in (ImageDataset, RealInputs)]
    for dataset in (quantized, real):
        dataset.to_device(device)
    numbers = [3, 5 + 1]                                             # the second in another epoch
    x, targets, class_ids = map(cuda.to_cpu, real.batch(numbers))
    _, right_targets, right_class_ids = map(cuda.to_cpu, quantized.batch(numbers))
    assert x.dtype == np.float32 and x.shape == targets.shape == (2, channels, 4, 3)
    assert (targets == right_targets).all() and (class_ids == right_class_ids).all()
    if channels >= colors:
        assert (x == np.broadcast_to(INTENSITY[images[[3, 1]]], x.shape)).all()
    assert (np.minimum((x * 8).astype(int), 7) == targets).all()
    assert len(np.unique(x)) > 8


def test_real_inputs_are_not_binarized():
    with pytest.raises(ValueError, match='binarized'):
        load_dataset('digits', 1, binarize=True, dataset_class=RealInputs)


# Families and files

def test_the_families_are_there_only_inside_the_block():
    before = list(registry.FAMILIES), list(KINDS)
    with pytest.raises(ZeroDivisionError), mistakes.registered():
        assert list(registry.FAMILIES) == [*before[0], *mistakes.MISTAKES]
        assert all(family.data in KINDS for family in mistakes.MISTAKES.values())
        raise ZeroDivisionError
    assert (list(registry.FAMILIES), list(KINDS)) == before


def without_families(path):
    """Rewrites a file of `save_model` as it was before files named their families."""
    with np.load(path) as file:
        arrays = dict(file)
    config = json.loads(str(arrays['config']))
    config = dict(config, model='PixelCNN', mistake=config['model'])
    arrays['config'] = np.array(json.dumps(config))
    npz.save_npz(path, arrays)


@pytest.mark.parametrize('earlier', [False, True])
@pytest.mark.parametrize('name', OF_THE_MODEL)
def test_only_results_generates_from_a_model_with_a_mistake(name, earlier, command, tmp_path):
    path = str(tmp_path / 'model.npz')
    model = build(name, 3, 6, 1, 6, 2)
    serialization.save_model(path, model)
    if earlier:
        without_families(path)
    with mistakes.registered():
        loaded = serialization.load_model(path)
        assert type(loaded) is type(model)
        samples, expected = [sampling.generate(one, (2, 3, 2, 3), 0, method)
                             for one, method in ((loaded, 'cached'), (model, 'naive'))]
        assert (samples == expected).all()
    result = command('generate.py', '--model', 'model.npz')
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert f'{name!r}' in result.stderr and 'python -m wavenet.results' in result.stderr


# The command

DIGITS = ['--dataset', 'digits', '--channels', 3, '-d', 3, '-n', 1, '--interval', 1]


@pytest.fixture
def train(command):
    def run(name, *args):
        result = command('-m', 'wavenet.results.mistakes', '--mistake', name, *DIGITS, *args)
        assert result.returncode == 0, result.stderr
        return result
    return run


def test_training_with_a_mistake(train, command, tmp_path):
    assert train('wrong-colour-masks', '--iteration', 2, '--out', 'a').stderr == ''
    train('wrong-colour-masks', '--iteration', 1, '--out', 'b')
    train('wrong-colour-masks', '--iteration', 2, '--out', 'b', '--resume', 'auto')
    assert (tmp_path / 'a/model.npz').read_bytes() == (tmp_path / 'b/model.npz').read_bytes()
    assert list((tmp_path / 'a/samples').iterdir()) == []      # the plain loop would take too long
    with np.load(tmp_path / 'a/model.npz') as file:
        assert json.loads(str(file['config']))['model'] == 'wrong-colour-masks'
    command('train.py', *DIGITS, '--iteration', 2, '--out', 'c')
    losses = [json.loads((tmp_path / out / 'log').read_text())[-1]['main/nll'] for out in 'abc']
    assert losses[0] == losses[1] != losses[2]


def test_a_model_of_real_inputs_is_a_pixelcnn(train, command, tmp_path):
    train('real-inputs', '--iteration', 1, '--levels', 4)
    command('train.py', *DIGITS, '--iteration', 1, '--levels', 4, '--out', 'quantized')
    losses = [json.loads((tmp_path / out / 'log').read_text())[-1]['main/nll']
              for out in ('out', 'quantized')]
    assert losses[0] != losses[1]
    result = command('generate.py', '--model', 'out/model.npz', '--count', 1)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize('args, word', [
    (['--mistake', 'other'], 'relu-after'), ([], '--mistake'),
    (['--mistake', 'relu-after', '--model', 'gated'], 'gated'),
    (['--mistake', 'relu-after', '--model', 'pixelcnn'], '--model pixelcnn'),
    (['--model', 'real-inputs', '--mistake', 'relu-after'], '--model real-inputs')])
def test_a_users_mistake(command, args, word):
    result = command('-m', 'wavenet.results.mistakes', *args)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert word in result.stderr
