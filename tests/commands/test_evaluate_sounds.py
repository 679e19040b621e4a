"""The command python -m wavenet.evaluate on recordings, and the likelihood that it prints."""
import csv
import math

import numpy as np
import pytest

from families.wavenet.test_model import random_wavenet
from wavenet import serialization
from wavenet.data.load_sound import load_windows
from wavenet.data.recordings import join
from wavenet.data.sound import decode
from wavenet.data.windows import SoundDataset
from wavenet.sound_likelihood import recording_nats, summarize

RATE, LEVELS = 1000, 16
LENGTHS = 1, 40, 300, 7, 120, 90, 33, 64, 200, 150, 12, 250


@pytest.fixture
def run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *args: command('-m', 'wavenet.evaluate', *args)


def recordings(num_classes=3):
    random = np.random.RandomState(0)
    sounds = [random.randint(LEVELS, size=length).astype('u1') for length in LENGTHS]
    classes = np.arange(len(LENGTHS)) % num_classes, ['ann', 'bob', 'cy'][:num_classes]
    return join(sounds, [str(n) for n in range(len(LENGTHS))], RATE, classes)


def write_npz(path, test=True):
    some = recordings()
    is_test = {'test': np.arange(len(some)) % 2 == 0} if test else {}
    np.savez(path, samples=decode(some.levels, LEVELS), lengths=some.lengths, rate=RATE,
             classes=some.class_ids, class_names=some.class_names, speaker=some.class_ids,
             speakers=some.class_names, **is_test)


def model_of(num_classes=3, **about):
    model = random_wavenet('paper', num_classes, LEVELS)
    names = dict(class_names=['ann', 'bob', 'cy']) if num_classes else {}
    serialization.save_model('model.npz', model, rate=RATE, **names, **about)
    return model


def whole_nats(model, some, k=None):
    """Each recording by itself, in one piece."""
    result = []
    for number in range(len(some)):
        levels = some[number][None].astype('i')
        class_id = np.array([some.class_ids[number] if k is None else k], 'i')
        result.append(float(model.distribution.nll(model(levels, class_id).array.astype('d'),
                                                   levels).array[0]))
    return np.array(result)


@pytest.mark.parametrize('window', [5, 64, 5120])
def test_nats_of_windows_are_those_of_whole_recordings(window, device):
    model = random_wavenet('paper', 3, LEVELS)
    some = recordings()
    expected = whole_nats(model, some)
    of_classes = [whole_nats(model, some, k) for k in range(3)]
    dataset = SoundDataset(some, LEVELS, model.config.receptive_field, window=window)
    model.to_device(device)
    dataset.to_device(device)
    np.testing.assert_allclose(recording_nats(model, dataset, 4), expected, rtol=1e-5)
    np.testing.assert_allclose(recording_nats(model, dataset, 4, range(3)), of_classes, rtol=1e-5)


def test_data_that_do_not_fit():
    model = random_wavenet('paper', 2, LEVELS)
    context = model.config.receptive_field
    for dataset, words in ((SoundDataset(recordings(), 8, context), '16 levels'),
                           (SoundDataset(recordings(), LEVELS, context - 1), 'context'),
                           (SoundDataset(recordings(), LEVELS, context), 'classes 0 to 1')):
        with pytest.raises(ValueError, match=words):
            recording_nats(model, dataset)
    model.conv3.b.array[:] = np.nan
    with pytest.raises(ValueError, match='not finite'):
        recording_nats(model, SoundDataset(recordings(2), LEVELS, context))


def test_the_error_is_that_of_the_mean_over_samples():
    """Against many draws of test sets."""
    random = np.random.RandomState(0)
    means, errors = [], []
    for _ in range(2000):
        lengths = random.randint(50, 200, size=100)
        nats = lengths * random.normal(3, 0.2, size=100)
        result = summarize(nats, lengths)
        means.append(result.nats)
        errors.append(result.nats_error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.06)
    result = summarize(np.array([6.0, 12.0]), np.array([2, 4]))
    assert (result.nats, result.bits, result.nats_error) == (3, 3 / math.log(2), 0)
    assert math.isnan(summarize(np.array([6.0]), np.array([2])).nats_error)


def test_the_table(run):
    model = model_of(iteration=7)
    write_npz('sounds.npz')
    status, stdout, stderr = run('--model', 'model.npz', '--dataset', 'sounds.npz')
    assert (status, stderr) == (0, '')
    first, _, row = stdout.splitlines()
    assert first == ('WaveNet, conditioned on the class, trained for 7 iterations; test recordings '
                     'of sounds.npz: 6, 0.666 s, 1000 Hz, 16 levels')
    test = recordings().select(slice(0, None, 2))
    expected = summarize(whole_nats(model, test), test.lengths)
    assert row.startswith('666 samples')
    assert [float(word) for word in row.split()[-4:]] == pytest.approx(expected[2:], abs=1e-4)


def test_marginal_classify_and_the_table_of_each(run, tmp_path):
    model = model_of()
    write_npz('sounds.npz')
    test = recordings().select(slice(0, None, 2))
    of_classes = np.array([whole_nats(model, test, k) for k in range(3)])
    options = ['--model', 'model.npz', '--dataset', 'sounds.npz']
    status, stdout, _ = run(*options, '--classify', '--classes', 'speaker', '--per_recording',
                            'each.csv')
    right = (of_classes.argmin(axis=0) == test.class_ids).sum()
    assert status == 0 and f"class by Bayes' rule: {right} of 6 right" in stdout
    with open('each.csv') as file:
        rows = list(csv.DictReader(file))
    assert [row['class'] for row in rows] == [['ann', 'bob', 'cy'][k] for k in test.class_ids]
    assert [int(row['samples']) for row in rows] == test.lengths.tolist()
    np.testing.assert_allclose([float(row['nats']) for row in rows],
                               of_classes[test.class_ids, range(6)], rtol=1e-5)
    status, stdout, _ = run(*options, '--marginal', '--per_image', 'each.csv')
    assert status == 0 and 'mean over all classes' in stdout
    with open('each.csv') as file:
        nats = [float(row['nats']) for row in csv.DictReader(file)]
    np.testing.assert_allclose(nats, np.log(3) - np.logaddexp.reduce(-of_classes), rtol=1e-5)


def test_the_recordings_that_were_held_out_are_measured(run, train_at):
    write_npz('own.npz', test=False)
    result = train_at('--model', 'wavenet', '--dataset', 'own.npz', '--stacks_num', 1,
                      '--layers_num', 2, '-d', 4, '--levels', LEVELS, '--rate', RATE,
                      '--iteration', 1, '--samples', 0, '--batchsize', 4)
    assert result.returncode == 0, result.stderr
    _, test = load_windows('own.npz', 1, RATE, LEVELS)
    status, stdout, _ = run('--model', 'out/model.npz', '--dataset', 'own.npz')
    assert status == 0 and f'test recordings of own.npz: {test.amount}, ' in stdout
    assert '(standard error' in run('--model', 'out/model.npz', '--dataset', 'own.npz',
                                    '--classify').stdout


@pytest.mark.parametrize('args, words', [
    (['--binarization', 'static'], '--binarization is for models of images; model.npz is one of'),
    (['--map', 'x.png'], '--map is for models of images'),
    (['--dataset', 'nowhere'], '--dataset nowhere'),
    (['--dataset', 'speech'], 'speech: it has no classes, and the model has 3'),
    (['--classes', 'digits'], "it contains no 'digits'"),
    (['--marginal', '--classify'], 'not allowed with')])
def test_mistakes(run, args, words):
    model_of()
    write_npz('sounds.npz')
    result = run('--model', 'model.npz', '--dataset', 'sounds.npz', *args)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count('\n') == 1


def test_a_model_without_classes_classifies_nothing(run):
    model_of(0)
    write_npz('sounds.npz')
    result = run('--model', 'model.npz', '--dataset', 'sounds.npz', '--classify')
    assert result.returncode == 2 and '--classify is for models with classes' in result.stderr
    assert run('--model', 'model.npz', '--dataset', 'sounds.npz').returncode == 0
