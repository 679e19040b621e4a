"""Models of labels, `train.py --labels`, through all commands."""
import json

import numpy as np
import pytest

import wavenet
from helpers import SMALL, check_error, log, one_line
from wavenet.data.image_files import read_images
from wavenet.families import registry

KINDS = 13


@pytest.fixture
def tiles(tmp_path):
    """An .npz of labels: a random one of KINDS, and then always the next one."""
    random = np.random.RandomState(0)
    first = random.randint(0, KINDS, (80, 1, 1))
    maps = (first + np.arange(20).reshape(4, 5)) % KINDS
    classes = first[:, 0, 0] % 2
    np.savez(tmp_path / 'tiles.npz', train_x=maps[:60].astype('u1'), train_y=classes[:60],
             test_x=maps[60:].astype('u1'), test_y=classes[60:])
    return tmp_path / 'tiles.npz'


@pytest.fixture
def train_tiles(command, tiles):
    def run(*args, model='pixelcnn', levels=KINDS):
        depth = '--layers_num' if model in ('rowlstm', 'diagonal_bilstm') else '--blocks_num'
        return command('train.py', '--model', model, '--dataset', tiles, '--labels',
                       '--levels', levels, '--hidden_dim', 8, depth, 2, '--learning_rate', 0.03,
                       *args)
    return run


def about(path):
    with np.load(path) as npz:
        return json.loads(str(npz['config']))


@pytest.mark.parametrize('model', [
    name for name, family in registry.FAMILIES.items() if family.takes_labels])
def test_labels_are_learned_sampled_and_measured(train_tiles, command, tmp_path, tiles, model):
    """Only the first label is random: of 20 labels, it takes log(13) = 2.56 nats, or with its class
    log(6.5) = 1.87 or so, and all others together next to nothing."""
    result = train_tiles('--iteration', 150, '--samples', 0, model=model)
    assert result.returncode == 0, result.stderr
    assert '60 images of 4×5 (grayscale, labels 0 to 12) to train on' in result.stdout
    said = about(tmp_path / 'out/model.npz')
    assert (said['labels'], said['one_hot'], said['levels'], said['channels']) == (
        True, True, KINDS, 1)
    nats = log(tmp_path)[-1]['validation/main/nll']
    assert 1.7 < nats < 5

    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', tiles)
    assert result.returncode == 0, result.stderr
    line = result.stdout.splitlines()[-1]
    assert line.startswith('labels 0 to 12 ') and float(line.split()[4]) == pytest.approx(
        nats, abs=0.006)

    loaded = wavenet.load(str(tmp_path / 'out/model.npz'))
    assert loaded.labels and loaded.levels == KINDS
    class_ids = 0 if loaded.num_classes else None
    samples = loaded.sample(20, seed=0, class_ids=class_ids)
    assert samples.dtype == np.uint8
    follow = samples.reshape(20, -1)
    assert ((follow[:, 1:] - follow[:, :-1]) % KINDS == 1).mean() > 0.8
    assert (loaded.log_prob(samples, class_ids)
            == loaded.log_prob(samples, class_ids, as_levels=True)).all()
    assert loaded.logits(samples, class_ids).shape == (20, KINDS, 1, 4, 5)
    completed = loaded.sample(20, seed=1, given=samples, mask=2, class_ids=class_ids)
    assert (completed[:, :2] == samples[:, :2]).all()
    with pytest.raises(ValueError, match='levels are whole numbers from 0 to 12'):
        loaded.log_prob(samples + KINDS, class_ids)


def test_a_picture_of_labels_is_read_as_the_same_labels(train_tiles, command, tmp_path, tiles):
    assert train_tiles('--iteration', 20).returncode == 0
    result = command('generate.py', '--model', 'out/model.npz', '--seed', 0, '--count', 1)
    assert result.returncode == 0, result.stderr
    labels = wavenet.load(str(tmp_path / 'out/model.npz')).sample(1, seed=0)
    read = read_images([tmp_path / 'samples.png'], 1, labels_of=KINDS)
    assert (np.rint(read[:, 0] * (KINDS - 1)) == labels).all()
    # And completed, as a test image is: two rows stay
    with np.load(tiles) as npz:
        test_x = npz['test_x']
    for image, original in (('samples.png', labels[0]), (f'{tiles}:3', test_x[3])):
        result = command('generate.py', '--model', 'out/model.npz', '--seed', 1, '--number', 2,
                         '--complete', image, '--rows', 2, '--output', 'completed.npz')
        assert result.returncode == 0, result.stderr
        with np.load(tmp_path / 'completed.npz') as npz:
            assert npz.files == ['levels']                  # no intensities
            assert (npz['levels'][:, :2] == original[:2]).all()


def test_a_run_of_labels_goes_on_to_the_bit_and_only_as_labels(
        train_tiles, command, tiles, tmp_path):
    assert train_tiles('--iteration', 6, '--out', 'whole').returncode == 0
    assert train_tiles('--iteration', 4).returncode == 0
    assert train_tiles('--iteration', 6, '--resume', 'auto').returncode == 0
    model, other = [(tmp_path / folder / 'model.npz').read_bytes() for folder in ('whole', 'out')]
    assert model == other
    snapshot = tmp_path / 'out/snapshot_iter_6'
    loaded = wavenet.load(str(snapshot))
    assert loaded.labels and loaded.image_size == (4, 5)
    expected = wavenet.load(str(tmp_path / 'out/model.npz'))
    assert (loaded.sample(3, seed=0) == expected.sample(3, seed=0)).all()
    # Intensities of the same file, many enough that they are not refused themselves
    result = command('train.py', '--dataset', tiles, '--levels', 256, '--channels', 1,
                     '--hidden_dim', 8, '--blocks_num', 2, '--resume', snapshot, '--out', 'other')
    one_line(result, 2, '--labels', 'snapshot_iter_6')


def test_labels_need_no_more_than_the_kinds_that_are_there(command, tmp_path):
    """Kinds beyond 8 bits, as int64, which is what NumPy makes."""
    labels = np.random.RandomState(0).randint(0, 5000, (12, 4, 4))
    labels[0, 0, 0] = 4999
    np.savez(tmp_path / 'codes.npz', train_x=labels[:8], test_x=labels[8:])
    result = command('train.py', '--dataset', 'codes.npz', '--labels', '--levels', 5000, *SMALL,
                     '--channels', 1, '--iteration', 3)
    assert result.returncode == 0, result.stderr
    model = wavenet.load(str(tmp_path / 'out/model.npz'))
    samples = model.sample(4, seed=0)
    assert samples.dtype == np.uint16 and samples.max() > 255
    assert np.allclose(model.log_prob(samples), -16 * np.log(5000), rtol=0.1)
    generate = 'generate.py', '--model', 'out/model.npz', '--number', 4, '--seed', 0, '--separate'
    assert command(*generate).returncode == 0
    files = [tmp_path / f'samples/0000{n}.png' for n in range(4)]
    read = read_images(files, 1, labels_of=5000)
    assert (np.rint(read[:, 0] * 4999) == samples).all()


def test_colours_of_too_many_kinds_are_no_separate_images(command, tmp_path):
    codes = np.random.RandomState(0).randint(0, 300, (12, 4, 4, 3))
    np.savez(tmp_path / 'codes.npz', train_x=codes[:8], test_x=codes[8:])
    result = command('train.py', '--dataset', 'codes.npz', '--labels', '--levels', 300, *SMALL,
                     '--channels', 3, '--iteration', 1)
    assert result.returncode == 0, result.stderr
    generate = 'generate.py', '--model', 'out/model.npz', '--number', 2
    check_error(command(*generate, '--separate'), '--separate', '300 levels', '.npz')
    assert command(*generate, '--output', 'a.npz').returncode == 0
    with np.load(tmp_path / 'a.npz') as npz:
        assert npz['levels'].shape == (2, 4, 4, 3) and npz['levels'].max() > 255


# Mistakes

def test_labels_that_do_not_fit_are_refused(command, tmp_path):
    random = np.random.RandomState(0)
    good = random.randint(0, 5, (20, 4, 4))
    cases = {'many': (random.randint(0, 14, (20, 4, 4)), '--levels 14'),
             'negative': (good - 1, '-1 to 3'), 'float': (good / 5, 'float64'),
             'large': (good + 70000, '70004')}
    for name, (train_x, word) in cases.items():
        for part, other in (('train_x', 'test_x'), ('test_x', 'train_x')):
            np.savez(tmp_path / f'{name}.npz', **{part: train_x, other: good})
            result = command('train.py', '--dataset', f'{name}.npz', '--labels', '--levels', 5)
            check_error(result, f'{name}.npz', word)


@pytest.mark.parametrize('args, words', [
    (['--labels', '--binarize'], ['--binarize', '--labels']),
    (['--levels', 257], ['--levels', '2 to 256', 'got 257', '--labels']),
    (['--labels', '--levels', 65537], ['--levels', '2 to 65536'])])
def test_options_that_do_not_go_with_labels(command, args, words):
    check_error(command('train.py', '--dataset', 'digits', *args), *words)


def test_small_numbers_are_not_taken_as_intensities(command, tiles):
    for levels in (2, KINDS):
        result = command('train.py', '--dataset', tiles, '--levels', levels, '--channels', 1)
        check_error(result, 'tiles.npz', '--labels')


def test_evaluate_refuses_other_labels(train_tiles, command, tmp_path):
    assert train_tiles('--iteration', 1).returncode == 0
    np.savez(tmp_path / 'other.npz', test_x=np.full((3, 4, 5), KINDS, 'u1'))
    evaluate = '-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset'
    check_refusal(command(*evaluate, 'other.npz'), 'other.npz: its largest label is 13')


def test_two_labels_are_not_binarized(command, tmp_path):
    coins = np.random.RandomState(0).randint(0, 2, (60, 4, 5)).astype('u1')
    np.savez(tmp_path / 'coins.npz', train_x=coins[:40], test_x=coins[40:])
    result = command('train.py', '--dataset', 'coins.npz', '--labels', *SMALL, '--iteration', 40,
                     '--learning_rate', 0.01)
    assert result.returncode == 0, result.stderr
    evaluate = '-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'coins.npz'
    *_, line = command(*evaluate).stdout.splitlines()
    assert line.startswith('labels 0 to 1 ') and 0.95 < float(line.split()[6]) < 1.1   # bits/dim
    check_refusal(command(*evaluate, '--binarization', 'static'), '--binarization')


def check_refusal(result, words):
    assert result.returncode == 2 and words in result.stderr
    assert result.stderr.count('\n') == 1


def test_weights_of_intensities_do_not_start_a_model_of_labels(command, train_tiles):
    assert command('train.py', '--dataset', 'digits', '--channels', 1, '--levels', KINDS,
                   '--hidden_dim', 8, '--blocks_num', 2, '--iteration', 1,
                   '--out', 'former').returncode == 0
    check_error(train_tiles('--init', 'former/model.npz'), '--init', 'one_hot')
