"""Options against overfitting, other starts, and samples during a training."""
import os
import signal
from types import SimpleNamespace

import chainer
import numpy as np
import pytest
from chainer.backends import cuda
from PIL import Image

from helpers import check_error, equal, log
from wavenet import serialization
from wavenet.data.images import ImageDataset
from wavenet.families import registry
from wavenet.families.made.model import Made
from wavenet.families.pixelcnn_pp.model import PixelCNNPP
from wavenet.families.pixelrnn.model import DiagonalBiLSTMNet, RowLSTMNet
from wavenet.training.dropout import DropoutSeed


def interrupt(updater):
    os.kill(os.getpid(), signal.SIGINT)


# --dropout, --flip

@pytest.mark.parametrize('options', [['--dropout', 0.3], ['--flip'],
                                     ['--dropout', 0.3, '--model', 'gated', '--flip']])
def test_a_run_goes_on_to_the_bit(train, tmp_path, options):
    assert train('--epoch', 2, *options, '--out', 'whole').returncode == 0
    assert train('--epoch', 2, *options, at={2: interrupt}).returncode == 130
    assert train('--epoch', 2, *options, '--resume', 'auto').returncode == 0
    assert equal(tmp_path / 'out/model.npz', tmp_path / 'whole/model.npz')
    assert train('--epoch', 2, '--out', 'without', *options[2:4]).returncode == 0
    assert log(tmp_path, 'without')[-1]['main/nll'] != log(tmp_path)[-1]['main/nll']
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert (about['dropout'], about['flip']) == (0.3 if '--dropout' in options else 0,
                                                 '--flip' in options)


@pytest.mark.parametrize('family', sorted(registry.FAMILIES))
def test_dropout_is_of_the_training_alone(family, random_model, random_gated_model):
    model = {'pixelcnn': random_model, 'gated': random_gated_model,
             'pixelcnn++': lambda channels: PixelCNNPP(channels, 1, 4, 2),
             'made': lambda channels: Made(channels, 6, 5, [20], 2),
             'rowlstm': lambda channels: RowLSTMNet(channels, 3, 1, 4, 2),
             'diagonal_bilstm': lambda channels: DiagonalBiLSTMNet(channels, 3, 1, 4, 2)}[family](1)
    random = np.random.RandomState(0)
    x, class_ids = random.rand(2, 1, 6, 5).astype('f'), np.array([0, 1], 'i')
    expected = model(x, class_ids).array
    model.dropout = 0.5
    first, second = [model(x, class_ids).array for _ in range(2)]
    assert not (first == expected).all() and not (first == second).all()
    with chainer.using_config('train', False):
        assert (model(x, class_ids).array == expected).all()


def test_dropout_keeps_the_mean(random_model):
    """What is not dropped is scaled up, so that the layers after it see the same mean."""
    model = random_model(1, block_num=1, hidden_dims=32)
    h = np.random.RandomState(0).normal(size=(64, 32, 6, 6)).astype('f')
    plain = model.blocks(h).array - h
    dropped = model.blocks(h, 0.25).array - h
    kept = dropped != 0
    assert kept.mean() == pytest.approx(0.75, abs=0.01)
    np.testing.assert_allclose(dropped[kept], plain[kept] / 0.75, rtol=1e-3, atol=1e-5)


def test_flips_are_drawn_anew_in_each_epoch_and_not_for_tests(device):
    images = np.random.RandomState(0).randint(0, 256, (200, 3, 2, 3)).astype('u1')
    dataset = ImageDataset(images, np.zeros(200), 3, 256)
    dataset.to_device(device)
    plain = dataset.batch(range(200)).targets
    dataset.flip = True
    assert (dataset.batch(range(200)).targets == plain).all()   # epoch 0: as of a test
    epochs = [dataset.batch(epoch * 200 + np.arange(200)) for epoch in (1, 2, 1)]
    flipped = []
    for batch in epochs:
        same = (batch.targets == plain).all(axis=(1, 2, 3))
        mirrored = (batch.targets == plain[..., ::-1]).all(axis=(1, 2, 3))
        assert (same ^ mirrored).all()
        assert (batch.x == batch.targets.astype('f') / 255).all()
        flipped.append(mirrored)
    assert 70 < int(flipped[0].sum()) < 130
    assert (flipped[0] == flipped[2]).all() and not (flipped[0] == flipped[1]).all()


def test_dropout_draws_the_same_when_a_run_goes_on(device):
    drawn = []
    for iteration, rank in [(7, 0), (7, 0), (8, 0), (7, 1)]:
        seed = DropoutSeed(device.xp, 3, rank)
        seed.initialize(SimpleNamespace(updater=SimpleNamespace(iteration=iteration)))
        drawn.append(cuda.to_cpu(device.xp.random.rand(4)).tolist())
    assert drawn[0] == drawn[1] and drawn[2] != drawn[0] != drawn[3]


# --init

def test_another_model_is_the_start(train, tmp_path):
    assert train('--epoch', 2, '--out', 'first').returncode == 0
    result = train('--iteration', 1, '--learning_rate', 1e-30, '--init', 'first/model.npz')
    assert result.returncode == 0, result.stderr
    first, ours = [serialization.load_model(str(tmp_path / out / 'model.npz'))
                   for out in ('first', 'out')]
    for theirs, param in zip(first.params(), ours.params()):
        np.testing.assert_allclose(param.array, theirs.array, atol=1e-20)
    assert ours.about['init'] == 'first/model.npz' and ours.about['iteration'] == 1


def test_a_model_of_other_sizes_is_not_the_start(train):
    assert train('--epoch', 1, '--out', 'first').returncode == 0
    options = ['--epoch', 1, '--init', 'first/model.npz']
    check_error(train(*options, '--blocks_num', 2), '--init first/model.npz',
                'block_num 1 (here 2)')
    check_error(train(*options, '--model', 'gated'), 'PixelCNN (here Gated PixelCNN)')
    check_error(train('--epoch', 1, '--init', 'missing.npz'), 'missing.npz: there is no such file')


def test_a_pretrained_model_is_the_start_by_its_name(train):
    result = train('--init', 'mnist', '--iteration', 1)
    check_error(result, '--init mnist', 'hidden_dims 32 (here 4)')


# Samples

def test_samples_of_an_interval_stay(train, tmp_path):
    assert train('--iteration', 6, '--interval', 2).returncode == 0
    assert sorted(os.listdir(tmp_path / 'out/samples')) == [
        'epoch_1.png', 'epoch_2.png', 'iteration_2.png', 'iteration_4.png', 'iteration_6.png']


@pytest.mark.parametrize('count, columns, rows', [(5, 2, 3), (16, 4, 4), (17, 4, 5)])
def test_the_number_of_samples(train, tmp_path, count, columns, rows):
    assert train('--iteration', 1, '--samples', count).returncode == 0
    with Image.open(tmp_path / 'out/samples/iteration_1.png') as image:
        assert image.size == (columns * 6 * 12, rows * 5 * 12)


def test_no_samples(train, tmp_path):
    assert train('--epoch', 1, '--samples', 0).returncode == 0
    assert os.listdir(tmp_path / 'out/samples') == []


def test_the_first_samples_come_early(train, tmp_path):
    assert train('--dataset', 'digits', '--batchsize', 1, '--iteration', 101).returncode == 0
    assert sorted(os.listdir(tmp_path / 'out/samples')) == ['iteration_100.png',
                                                             'iteration_101.png']


def test_a_run_that_is_interrupted_early_leaves_a_model(train, command, tmp_path):
    result = train('--epoch', 3, at={1: interrupt})
    assert result.returncode == 130
    assert 'interrupted at iteration 1; out/model.npz is the model so far; ' in result.stderr
    assert command('generate.py', '--model', 'out/model.npz', '--count', 1).returncode == 0
    assert train('--epoch', 3, '--resume', 'auto').returncode == 0
    assert train('--epoch', 3, '--out', 'whole').returncode == 0
    assert equal(tmp_path / 'out/model.npz', tmp_path / 'whole/model.npz')
