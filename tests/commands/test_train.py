"""train.py and generate.py, run as a user runs them."""
import os
import types

import numpy as np
import pytest
from PIL import Image

from helpers import SMALL, check_error, equal, log, parameters
from wavenet import models, serialization
from wavenet.commands import generate as generate_script
from wavenet.commands import train as train_script
from wavenet.data.load import load_dataset
from wavenet.functions import threads
from wavenet.training.outputs import LossPlot

# What a run leaves

def test_a_run_and_its_files(train, command, tmp_path):
    result = train('--epoch', 4, '--levels', 4, '--stats', '--gradclip', 1, '--clip', 5)
    assert (result.returncode, result.stderr) == (0, '')
    lines = result.stdout.splitlines()[3:]  # after the announcement
    assert lines[0].split() == ['epoch', 'main/nll', 'validation/main/nll',
                                'validation/main/bits/dim']
    assert [line.split()[0] for line in lines[1:5]] == ['1', '2', '3', '4']
    assert '\033' not in result.stdout and '\r' not in result.stdout

    # 40 images in batches of 16: epochs end within iterations 3, 5, 8 and 10
    assert sorted(os.listdir(str(tmp_path / 'out'))) == [
        'best.npz', 'log', 'loss.png', 'model.npz', 'samples',
        'snapshot_iter_10', 'snapshot_iter_5', 'snapshot_iter_8']
    assert sorted(os.listdir(str(tmp_path / 'out/samples'))) == [
        f'epoch_{n}.png' for n in (1, 2, 3, 4)]
    entries = log(tmp_path)
    assert len(entries) == 4 and {
        'epoch', 'iteration', 'elapsed_time', 'main/nll', 'main/bits/dim', 'validation/main/nll',
        'validation/main/bits/dim', 'conv1/W/data/mean', 'conv4/b/grad/percentile/0'
    } <= set(entries[-1])
    assert entries[-1]['validation/main/nll'] == pytest.approx(
        entries[-1]['validation/main/bits/dim'] * 20 * np.log(2))

    # It ends with the command that generates from the model
    assert lines[-1] == 'python generate.py --model out/model.npz'
    result = command('generate.py', '--model', 'out/model.npz', '--count', 3, '--scale', 1)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'samples.png\n', '')
    with Image.open(str(tmp_path / 'samples.png')) as picture:
        assert picture.size == (3 * 5, 3 * 4)
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert {'height': 4, 'width': 5, 'levels': 4, 'hidden_dims': 4, 'epoch': 4, 'iteration': 10,
            'seed': 0}.items() <= about.items()


def test_a_run_of_the_gated_model(command, tmp_path):
    random = np.random.RandomState(0)
    np.savez(str(tmp_path / 'labelled.npz'),
             train_x=random.randint(0, 256, (20, 4, 5)).astype('u1'), train_y=np.arange(20) % 3,
             test_x=random.randint(0, 256, (4, 4, 5)).astype('u1'), test_y=np.arange(4))
    args = ['--dataset', 'labelled.npz', '--model', 'gated'] + SMALL
    result = command('train.py', *args, '--epoch', 2, '--stats')
    assert (result.returncode, result.stderr) == (0, '')
    entry = log(tmp_path)[-1]                                # nats per image
    assert entry['validation/main/nll'] == pytest.approx(
        entry['validation/main/bits/dim'] * 20 * np.log(2))
    assert entry['validation/main/bits/dim'] == pytest.approx(1, abs=0.3)
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert {'model': 'gated', 'form': 'paper', 'hidden_dims': 2, 'num_classes': 4,
            'block_num': 1}.items() <= about.items()

    for form in ('paper', 'author'):
        result = command('train.py', *args, '--form', form, '--epoch', 3, '--out', form)
        assert result.returncode == 0, result.stderr
    result = command('train.py', *args, '--epoch', 3, '--resume', 'out/snapshot_iter_3')
    assert result.returncode == 0, result.stderr
    assert equal(tmp_path / 'out/model.npz', tmp_path / 'paper/model.npz')
    args += ['--epoch', 4, '--resume', 'author/snapshot_iter_4', '--out', 'fourth']
    check_error(command('train.py', *args), 'form author (here paper)')
    check_error(command('train.py', *args, '--model', 'pixelcnn'), 'gated (here pixelcnn)')


@pytest.mark.parametrize('model, defaults, others', [
    ('pixelcnn', ['--clip', 0, '--weight_decay', 0], ['--weight_decay', 0.0001]),
    ('gated', ['--clip', 1, '--weight_decay', 0.0001], ['--weight_decay', 0]),
    # The loss is the mean over values, of which gradients are small: clipping at 1 changes nothing
    ('gated', ['--clip', 0], ['--clip', 0.0001])])
def test_clipping_and_weight_decay(train, tmp_path, model, defaults, others):
    for out, args in (('a', []), ('b', defaults), ('c', others)):
        result = train('--model', model, '--iteration', 3, '--out', out, *args)
        assert result.returncode == 0, result.stderr
    assert equal(tmp_path / 'a/model.npz', tmp_path / 'b/model.npz')
    assert not equal(tmp_path / 'a/model.npz', tmp_path / 'c/model.npz')


def test_the_average_of_the_weights_is_tested_and_saved(train, images, tmp_path):
    for out, options in (('plain', []), ('out', ['--average', 0.9])):
        result = train('--iteration', 4, '--out', out, *options)
        assert result.returncode == 0, result.stderr
    # The same training, another model in the end
    weights = 'updater/model:main/predictor/conv4/W'
    with np.load(str(tmp_path / 'plain/snapshot_iter_4')) as plain, \
            np.load(str(tmp_path / 'out/snapshot_iter_4')) as averaged:
        assert (plain[weights] == averaged[weights]).all()
        assert (averaged['extensions/WeightAverage/predictor/conv4/W'] != plain[weights]).any()
    assert not equal(tmp_path / 'plain/model.npz', tmp_path / 'out/model.npz')
    assert log(tmp_path)[-1]['main/nll'] == log(tmp_path, 'plain')[-1]['main/nll']
    model = serialization.load_model(str(tmp_path / 'out/model.npz'))
    assert model.about['average'] == 0.9
    snapshot = serialization.load_model(str(tmp_path / 'out/snapshot_iter_4'))
    assert all((param.array == other.array).all()
               for param, other in zip(model.params(), snapshot.params()))

    _, test = load_dataset(images, channels=1)
    x, t, _ = test.batch(range(10))
    nll = float(models.Classifier(model)(x, t).array)
    assert log(tmp_path)[-1]['validation/main/nll'] == pytest.approx(nll, rel=1e-5)
    assert log(tmp_path, 'plain')[-1]['validation/main/nll'] != pytest.approx(nll, rel=1e-5)
    check_error(train('--iteration', 5, '--resume', 'out/snapshot_iter_4'),
                'average 0.9 (here 0.0)')


def test_the_learning_rate_decays(train, tmp_path):
    options = {'plain': [], 'one': ['--lr_decay', 1], 'half': ['--lr_decay', 0.5]}
    for out, args in options.items():
        for n in (1, 2):
            result = train('--iteration', n, '--out', f'{out}{n}', *args)
            assert result.returncode == 0, result.stderr
    model = {name: parameters(tmp_path / name / 'model.npz')
             for name in ('plain1', 'plain2', 'half1', 'half2')}
    assert equal(tmp_path / 'plain2/model.npz', tmp_path / 'one2/model.npz')
    for name in model['plain1']:    # the first step is the same, the second half as long
        assert (model['plain1'][name] == model['half1'][name]).all()
        np.testing.assert_allclose(
            model['half2'][name] - model['half1'][name],
            (model['plain2'][name] - model['plain1'][name]) / 2, atol=1e-7)


def test_training_learns(command, tmp_path):
    result = command('train.py', '--dataset', 'digits', '--levels', 4, '-d', 8, '-n', 2, '-e', 2,
                     '--learning-rate', 0.01)
    assert result.returncode == 0, result.stderr
    first, second = log(tmp_path)
    assert second['validation/main/bits/dim'] < first['validation/main/bits/dim'] < 1.5  # 2: chance


def test_the_same_seed_gives_the_same_model(train, tmp_path):
    for out, seed in (('a', 3), ('b', 3), ('c', 4)):
        assert train('--epoch', 2, '--binarize', '--seed', seed, '--out', out).returncode == 0
    assert equal(tmp_path / 'a/model.npz', tmp_path / 'b/model.npz')
    assert not equal(tmp_path / 'a/model.npz', tmp_path / 'c/model.npz')


@pytest.mark.parametrize('options', [[], ['--binarize', '--loss', 'sigmoid']])
def test_a_resumed_run_is_the_run(train, tmp_path, options):
    assert train('--epoch', 3, '--out', 'whole', *options).returncode == 0
    assert train('--epoch', 2, '--out', 'half', *options).returncode == 0
    result = train('--epoch', 3, '--out', 'rest', '--resume', 'half/snapshot_iter_5', *options)
    assert result.returncode == 0, result.stderr
    assert equal(tmp_path / 'whole/model.npz', tmp_path / 'rest/model.npz')
    times = ('elapsed_time',)
    assert [{k: v for k, v in entry.items() if k not in times} for entry in log(tmp_path, 'rest')] \
        == [{k: v for k, v in entry.items() if k not in times} for entry in log(tmp_path, 'whole')]


def test_iterations_instead_of_epochs(train, tmp_path):
    assert train('--iteration', 4).returncode == 0
    assert [entry['iteration'] for entry in log(tmp_path)] == [3, 4]
    assert serialization.load_model(str(tmp_path / 'out/model.npz')).about['iteration'] == 4


def test_an_interval(train, tmp_path):
    result = train('--iteration', 8, '--interval', 2)
    assert (result.returncode, result.stderr) == (0, '')
    # 40 images in batches of 16: epochs end within iterations 3, 5 and 8
    assert [entry['iteration'] for entry in log(tmp_path)] == [2, 3, 4, 5, 6, 8]
    lines = [line.split() for line in result.stdout.splitlines()[3:]]
    assert [line[0] for line in lines[:7]] == ['iteration', '2', '3', '4', '5', '6', '8']
    # The plot is against the iteration
    report = types.SimpleNamespace(log=log(tmp_path))
    trainer = types.SimpleNamespace(out=str(tmp_path), get_extension=lambda name: report)
    LossPlot(['main/nll', 'validation/main/nll'], 'iteration')(trainer)
    assert (tmp_path / 'out/loss.png').read_bytes() == (tmp_path / 'loss.png').read_bytes()


def test_minutes(train, tmp_path):
    options = ['--epoch', 10 ** 6, '--interval', 1, '--minutes']
    result = train(*options, 0.01)
    assert (result.returncode, result.stderr) == (0, '')
    # It stops with the first iteration that begins its test after 0.6 s; the log is written later
    *before, _, last = log(tmp_path)
    assert all(entry['elapsed_time'] < 0.6 for entry in before) and last['elapsed_time'] >= 0.6
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert about['iteration'] == last['iteration']

    model = (tmp_path / 'out/model.npz').read_bytes()
    result = train(*options, 0.01, '--resume', 'auto')   # no time is left
    assert result.returncode == 0 and 'larger --minutes' in result.stderr
    check_error(train(*options, 0.01, '--resume', f'out/snapshot_iter_{last["iteration"]}'),
                'larger --minutes')
    assert (tmp_path / 'out/model.npz').read_bytes() == model
    os.unlink(str(tmp_path / 'out/model.npz'))           # as if the run had been killed before
    train(*options, 0.01, '--resume', 'auto')
    assert (tmp_path / 'out/model.npz').read_bytes() == model

    result = train(*options, 0.02, '--resume', 'auto')   # it goes on
    assert result.returncode == 0
    assert log(tmp_path)[-1]['elapsed_time'] >= 1.2
    assert log(tmp_path)[-1]['iteration'] > last['iteration']


def test_minutes_that_are_not_needed(train, tmp_path):
    assert train('--minutes', 60, '--iteration', 3).returncode == 0
    assert train('--iteration', 3, '--out', 'other').returncode == 0
    assert equal(tmp_path / 'out/model.npz', tmp_path / 'other/model.npz')


def test_hyphens_and_underscores(train, tmp_path):
    result = train('--iteration', 1, '--out-hidden-dim=5', '--test-limit', '3')
    assert result.returncode == 0, result.stderr
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert about['out_hidden_dims'] == 5


def test_the_authors_defaults():
    expected = dict(batchsize=16, epoch=20, gpu=-1, resume='', out='out', hidden_dim=128,
                    out_hidden_dim=16, blocks_num=15, gradclip=None, clip=0,
                    weight_decay=0, model='pixelcnn', form=None,
                    learning_rate=0.001, levels=2, dataset='mnist', channels=3, loss='softmax',
                    binarize=False, stats=False, lr_decay=1, average=0)
    assert expected.items() <= vars(train_script.make_parser().parse_args([])).items()


# Errors: one line, status 2, and what was there is left

@pytest.mark.parametrize('args, words', [
    (['--dataset', 'nothing'], ['unknown dataset', 'digits']),
    (['--gpu', 99], ['--gpu -1']), (['--device', '@cupy:99'], ['--gpu -1']),
    (['--device', 'nonsense'], ['nonsense']), (['--gpu', 0, '--device', '@numpy'], ['--device']),
    (['--levels', 1], ['--levels', '2 to 256']), (['--levels', 257], ['--levels']),
    (['--hidden_dim', 0], ['--hidden_dim', 'at least 1']), (['--batchsize', 'x'], ['--batchsize']),
    (['--learning_rate', 0], ['--learning_rate']), (['--epoch', -1], ['--epoch']),
    (['--binarize', '--levels', 4], ['--binarize', '--levels 2']),
    (['--loss', 'sigmoid', '--levels', 4], ['sigmoid', '--levels 2']),
    (['--channels', 2], ['--channels']), (['--data', 'nowhere', '--dataset', 'mnist'], ['nowhere']),
    (['--out', 'images.npz'], ['images.npz']), (['--out', ''], ['--out']),
    (['--device', ''], ['--gpu -1']), (['--tf32'], ['--gpu']),
    (['--hidden_dim', 10 ** 8], ['memory']), (['--blocks_num', 10 ** 12], ['from 0 to 10000']),
    (['--out_hidden_dim', 10 ** 20], []), (['--data', '.'], ['--data']),
    (['--out', 'images.npz/out'], ['images.npz']),
    (['--resume', 'nowhere'], ['nowhere']), (['--resume', 'images.npz'], ['images.npz']),
    (['--model', 'other'], ['--model', 'gated']),
    (['--form', 'paper'], ['--form', '--model gated']),
    (['--model', 'gated', '--form', 'other'], ['--form']),
    (['--clip', -1], ['--clip', '0 or above']),
    (['--lr_decay', 1.5], ['--lr_decay', 'at most 1']), (['--lr_decay', 0], ['--lr_decay']),
    (['--average', 1], ['--average', 'below 1']), (['--average', 'x'], ['--average', 'number']),
    (['--weight_decay', 'nan'], ['--weight_decay']), (['--minutes', 0], ['--minutes']),
    (['--interval', 0], ['--interval']), (['--nonsense'], ['--nonsense'])])
def test_a_users_mistake(train, tmp_path, args, words):
    check_error(train(*args), *words)
    assert os.listdir(str(tmp_path)) == ['images.npz']


def test_a_missing_gpu_names_the_way_out(process, images):
    check_error(process('train.py', '--dataset', images, '--gpu', 0, CUDA_VISIBLE_DEVICES=''),
                '--gpu -1')


def test_resuming_another_architecture(train, tmp_path):
    assert train('--iteration', 1).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / 'out').iterdir()
              if path.is_file()}
    check_error(train('--hidden_dim', 3, '--resume', 'out/snapshot_iter_1'),
                'another architecture', 'hidden_dims 4 (here 6)')
    assert before == {path.name: path.read_bytes() for path in (tmp_path / 'out').iterdir()
                      if path.is_file()}


@pytest.mark.parametrize('args', [['--iteration', 1], ['--iteration', 3], ['--epoch', 1]])
def test_resuming_what_is_done(train, tmp_path, args):
    assert train('--iteration', 4).returncode == 0
    before = (tmp_path / 'out/model.npz').read_bytes()
    check_error(train('--resume', 'out/snapshot_iter_4', *args), args[0], 'already')
    assert (tmp_path / 'out/model.npz').read_bytes() == before


@pytest.mark.parametrize('workers, options', [(1, []), (2, []), (1, ['--average', 0.9])])
def test_a_loss_that_is_no_number_ends_the_run(train, tmp_path, monkeypatch, workers, options):
    monkeypatch.setattr(threads, 'WORKERS', workers)
    result = train('--learning_rate', 1e30, *options)
    assert result.returncode == 1 and result.stderr.count('\n') == 1
    assert 'the loss is nan' in result.stderr and '--learning_rate' in result.stderr
    assert not (tmp_path / 'out/model.npz').exists()


def test_resuming_with_other_data(train, command, tmp_path):
    assert train('--iteration', 1).returncode == 0
    check_error(command('train.py', '--dataset', 'digits', '--out', 'other', '--resume',
                        'out/snapshot_iter_1', *SMALL), 'snapshot_iter_1')
    assert not (tmp_path / 'other').exists()


@pytest.mark.skipif(os.geteuid() == 0, reason='root can write every folder')
def test_a_folder_that_cannot_be_written(train, tmp_path):
    (tmp_path / 'locked').mkdir(mode=0o500)
    check_error(train('--out', 'locked'), 'locked')
    check_error(train('--out', 'locked/out'), 'locked')


@pytest.mark.parametrize('script', [train_script, generate_script])
def test_help_describes_every_option(script):
    descriptions = [action.help for action in script.make_parser()._actions]
    assert all(description and len(description) > 10 for description in descriptions)
    assert len(set(descriptions)) == len(descriptions)
