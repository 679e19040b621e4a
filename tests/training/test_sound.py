"""train.py with sound: what holds for images holds here, too."""
import json
import os
import signal

import numpy as np
import pytest
import soundfile
from chainer.backends import cuda
from PIL import Image

from data.sounds import write_sounds
from helpers import check_error, log, results
from training.test_data_parallel import SAID, same_to_rounding
from wavenet import devices, serialization
from wavenet.data.load_sound import load_windows
from wavenet.families.wavenet.loss import SoundClassifier
from wavenet.training import snapshots

SMALL = ['--model', 'wavenet', '--stacks_num', 2, '--layers_num', 3, '-d', 4, '--out_hidden_dim', 6,
         '--levels', 16, '--batchsize', 4, '--rate', 1000]
LENGTHS = 1, 700, 60, 1300, 9000, 350, 40, 500, 900, 8000, 77, 12000


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sounds(tmp_path):
    for number, speaker in enumerate(('ann', 'bob')):
        write_sounds(tmp_path / 'sounds' / speaker, LENGTHS[number::2])
    return 'sounds'


@pytest.fixture
def train_sounds(train_at, sounds):
    return lambda *args, at=None: train_at('--dataset', sounds, *SMALL, *args, at=at)


def interrupt(number):
    return lambda updater: os.kill(os.getpid(), number)


@pytest.mark.parametrize('options', [[], ['--form', 'author', '--average', 0.9],
                                     ['--kernel_width', 3, '--unconditional', '--validation', 2]])
def test_a_run_that_was_interrupted_twice_is_the_run(train_sounds, tmp_path, options):
    result = train_sounds('--epoch', 3, '--samples', 2, '--out', 'whole', *options)
    assert result.returncode == 0, result.stderr
    options = [*options, '--epoch', 3, '--samples', 2, '--resume', 'auto']
    assert train_sounds(*options, at={1: interrupt(signal.SIGTERM)}).returncode == 143
    assert train_sounds(*options, at={4: interrupt(signal.SIGINT)}).returncode == 130
    result = train_sounds(*options)
    assert result.returncode == 0 and 'going on from out/snapshot_iter_4' in result.stderr
    whole = results(tmp_path / 'whole')
    assert sorted(whole) == sorted(
        ['best.npz', 'log', 'loss.png', 'model.npz']
        + [f'samples/epoch_{n}.{ending}' for n in (1, 2, 3) for ending in ('wav', 'png')])
    assert results(tmp_path / 'out') == whole
    assert len(snapshots.find(str(tmp_path / 'out'))) == 3


def test_samples_are_sounds_of_a_second_and_their_spectrograms(train_sounds, tmp_path):
    assert train_sounds('--iteration', 1, '--samples', 3).returncode == 0
    sound, rate = soundfile.read('out/samples/iteration_1.wav')
    assert (len(sound), rate) == (3 * 1000 + 2 * 250, 1000)      # and silence between them
    assert (sound[1000:1250] == 0).all() and len(np.unique(sound[:1000])) > 8
    with Image.open('out/samples/iteration_1.png') as image:
        assert len(np.unique(image)) > 50 and image.size[0] > 500


def test_the_loss_is_the_mean_over_all_samples(train_sounds, sounds):
    """In the log and at the best model, whatever the batches; and its gradient is Adam's."""
    result = train_sounds('--epoch', 2, '--samples', 0)
    assert result.returncode == 0, result.stderr
    entry = log_of('out')[-1]
    model = serialization.load_model('out/model.npz', 'sound')
    _, test = load_windows(sounds, model.config.receptive_field, 1000, 16)
    nats = [float(model.distribution.nll(model(levels[None].astype('i'), class_ids), levels[
        None].astype('i')).array[0]) for levels, class_ids in zip(
            test.recordings, test.recordings.class_ids[:, None])]
    expected = sum(nats) / test.recordings.lengths.sum()
    assert entry['validation/main/nll'] == pytest.approx(expected, rel=1e-5)
    assert entry['validation/main/bits/dim'] == pytest.approx(expected / np.log(2), rel=1e-5)
    batch = test.batch(range(len(test)))
    assert float(SoundClassifier(model)(*batch).array) == pytest.approx(expected, rel=1e-5)


def log_of(folder):
    with open(os.path.join(folder, 'log')) as file:
        return json.load(file)


def test_the_file_says_what_it_is(train_sounds):
    assert train_sounds('--iteration', 1).returncode == 0
    model = serialization.load_model('out/model.npz', 'sound')
    about = model.about
    assert (about['rate'], about['dataset']) == (1000, 'sounds')
    assert about['class_names'] == ['ann', 'bob']
    assert model.num_classes == 2 and about['trained_classes'] == [0, 1]
    assert model.config.dilations == [1, 2, 4, 1, 2, 4]
    with pytest.raises(ValueError, match='a WaveNet is a model of sound, not of images'):
        serialization.load_model('out/model.npz', 'images')


def test_defaults_are_the_authors(command):
    result = command('train.py', '--model', 'wavenet', '--iteration', 1, '--layers_num', 1,
                     '--stacks_num', 1, '--samples', 0)
    assert result.returncode == 0, result.stderr
    assert '4 recordings of 21.44 s (8000 Hz, 256 levels) to train on, 1 to test on' in \
        result.stdout
    assert '1 step of 16 windows' in result.stdout
    model = serialization.load_model('out/model.npz')
    assert (model.config.hidden_dim, model.config.out_hidden_dim) == (32, 32)
    assert (model.about['clip'], model.about['weight_decay']) == (1, 0.0001)


@pytest.mark.parametrize('options, words', [
    (['--channels', 1], '--channels is for models of images'),
    (['--flip'], '--flip is for models of images'),
    (['--loss', 'softmax'], '--loss is for models of images'),
    (['--blocks_num', 2], '--blocks_num is for --model pixelcnn and gated'),
    (['--levels', 257], '--levels: must be from 2 to 256'),
    (['--kernel_width', 1], '--kernel_width: must be from 2'),
    (['--rate', 0], '--rate'),
    (['--classes', 'digits'], 'subfolders'),
    (['--batchsize', 300], 'there are only 11 windows to train on')])
def test_mistakes(train_sounds, options, words):
    check_error(train_sounds(*options), words)


def test_options_of_sound_are_not_of_images(train):
    for options in (['--rate', 8000], ['--classes', 'x'], ['--strict']):
        check_error(train(*options), f'{options[0]} is for models of sound')


def test_a_run_goes_on_only_with_the_same_recordings(train_sounds, tmp_path):
    assert train_sounds('--iteration', 1, '--samples', 0).returncode == 0
    resume = ['--iteration', 2, '--samples', 0, '--resume', 'auto']
    for options, words in ((['--rate', 2000], 'it was trained with other recordings'),
                           (['--levels', 8], 'out_dims 16 (here 8)|levels 16 (here 8)')):
        result = train_sounds(*resume, *options)
        assert result.returncode == 2
        assert any(word in result.stderr for word in words.split('|')), result.stderr
    write_sounds(tmp_path / 'sounds' / 'ann', [500])         # replaces another one
    check_error(train_sounds(*resume), 'it was trained with other recordings')


def test_a_bad_file_is_left_out_or_an_error(train_sounds, tmp_path):
    (tmp_path / 'sounds/ann/broken.wav').write_bytes(b'RIFF')
    result = train_sounds('--iteration', 1, '--samples', 0)
    assert result.returncode == 0 and 'broken.wav' in result.stderr
    check_error(train_sounds('--iteration', 1, '--strict', '--out', 'other'), 'broken.wav')


def test_a_batch_that_does_not_fit_is_refused_with_one_that_does(train_sounds, monkeypatch):
    monkeypatch.setattr(devices, 'memory_limit', lambda device=None: (0.152e9, 'this machine has'))
    result = train_sounds('-d', 64, '--batchsize', 9)
    check_error(result, '--batchsize 9 on windows of 1500 samples', 'a smaller --hidden_dim')
    result = train_sounds('-d', 8, '--batchsize', 9)
    check_error(result, 'at most --batchsize 1 fits')


@pytest.mark.parametrize('options', [[], ['--form', 'author', '--clip', 0.01]])
def test_two_ranks_are_one_process_with_batches_of_both(
        command, ranks, sounds, tmp_path, options):
    """The parts of the ranks have different numbers of samples."""
    options = ['--dataset', sounds, *SMALL, '--epoch', 3, '--samples', 1, *options]
    assert command('train.py', *options, '--out', 'one').returncode == 0
    result = ranks(2, 'train.py', *options, '--batchsize', 2, '--out', 'two')
    assert (result.returncode, result.stderr) == (0, SAID)
    same_to_rounding(tmp_path, 'one', 'two')
    assert sorted(results(tmp_path / 'one')) == sorted(results(tmp_path / 'two'))


@pytest.mark.gpu
def test_a_gpu_trains_as_a_cpu_does(train_sounds, tmp_path):
    assert train_sounds('--iteration', 3, '--out', 'cpu').returncode == 0
    assert train_sounds('--iteration', 3, '--out', 'gpu', '--gpu', 0).returncode == 0
    on_cpu, on_gpu = log(tmp_path, 'cpu')[-1], log(tmp_path, 'gpu')[-1]
    assert on_gpu['main/nll'] == pytest.approx(on_cpu['main/nll'], rel=1e-4)
    assert cuda.to_cpu(serialization.load_model('gpu/model.npz').conv1.W.array).any()
