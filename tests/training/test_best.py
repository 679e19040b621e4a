"""best.npz, the images that choose it, and --patience."""
import os
import shutil
import signal

import numpy as np
import pytest

from helpers import check_error, equal, log
from wavenet import serialization
from wavenet.data.load import read
from wavenet.data.split import set_aside

WILD = ['--learning_rate', 0.1, '--levels', 4, '--epoch', 6]  # the test loss goes up and down


def least(folder, out='out'):
    return min(log(folder, out), key=lambda entry: entry['validation/main/nll'])


def test_it_is_the_model_of_the_least_test_loss(train, command, images, tmp_path):
    result = train(*WILD)
    entry = least(tmp_path)
    assert 1 < entry['epoch'] < 6
    best = serialization.load_model(str(tmp_path / 'out/best.npz'))
    assert {name: best.about[name] for name in ('iteration', 'epoch', 'chosen_on')} == {
        'iteration': entry['iteration'], 'epoch': entry['epoch'], 'chosen_on': 'test'}
    assert best.about['chosen_nll'] == entry['validation/main/nll']
    assert serialization.load_model(str(tmp_path / 'out/model.npz')).about['chosen_on'] is None
    assert result.stdout.splitlines()[-2] == (
        f'least loss of the test images: {entry["validation/main/nll"]:.5g} nats at iteration '
        f'{entry["iteration"]}, epoch {entry["epoch"]}: out/best.npz')
    # The run that ends there has the same model
    assert train(*WILD[:-1], entry['epoch'], '--out', 'short').returncode == 0
    model = serialization.load_model(str(tmp_path / 'short/model.npz'))
    for ours, theirs in zip(best.params(), model.params()):
        assert (ours.array == theirs.array).all()

    measured = command('-m', 'wavenet.evaluate', '--model', 'out/best.npz', '--dataset', images)
    assert 'chosen on the test set' in measured.stdout
    assert f'{entry["validation/main/nll"]:.2f}' in measured.stdout
    measured = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', images)
    assert 'chosen' not in measured.stdout


def test_it_survives_an_interruption_and_can_be_written_again(train, tmp_path):
    assert train(*WILD, '--out', 'whole').returncode == 0
    stop = least(tmp_path, 'whole')['iteration'] + 2
    stopped = train(*WILD, at={stop: lambda updater: os.kill(os.getpid(), signal.SIGTERM)})
    assert stopped.returncode == 143
    os.unlink(tmp_path / 'out/best.npz')
    assert train(*WILD, '--resume', 'auto').returncode == 0
    assert equal(tmp_path / 'out/best.npz', tmp_path / 'whole/best.npz')
    # The snapshot alone is enough
    os.mkdir(tmp_path / 'copy')
    newest = max((tmp_path / 'out').glob('snapshot*'), key=lambda path: int(path.name[14:]))
    shutil.copy(newest, tmp_path / 'copy')
    assert train(*WILD, '--out', 'copy', '--resume', 'auto').returncode == 0
    assert equal(tmp_path / 'copy/best.npz', tmp_path / 'whole/best.npz')


def test_it_is_the_average_where_there_is_one(train, tmp_path):
    assert train(*WILD, '--average', 0.5).returncode == 0
    best = serialization.load_model(str(tmp_path / 'out/best.npz'))
    assert train(*WILD, '--average', 0.5, '--iteration', best.about['iteration'], '--out',
                 'short').returncode == 0
    model = serialization.load_model(str(tmp_path / 'short/model.npz'))
    assert all((ours.array == theirs.array).all()
               for ours, theirs in zip(best.params(), model.params()))


def test_patience(train, tmp_path):
    assert train(*WILD, '--out', 'whole').returncode == 0
    losses = [entry['validation/main/nll'] for entry in log(tmp_path, 'whole')]
    ends = next(n for n in range(3, 7) if min(losses[:n - 2]) < min(losses[n - 2:n]))
    result = train(*WILD, '--patience', 2)
    assert ends < 6
    assert [entry['validation/main/nll'] for entry in log(tmp_path)] == losses[:ends]
    assert '--patience 2: 2 tests without a better loss' in result.stdout
    check_error(train(*WILD, '--patience', 2, '--resume', 'out/snapshot_iter_'
                      + str(log(tmp_path)[-1]['iteration'])),
                '2 tests without a better one already: give a larger --patience')
    # More patience goes on as if it had been there from the start
    assert train(*WILD, '--patience', 100, '--resume', 'auto').returncode == 0
    assert equal(tmp_path / 'out/model.npz', tmp_path / 'whole/model.npz')
    assert equal(tmp_path / 'out/best.npz', tmp_path / 'whole/best.npz')


def test_validation_images_are_of_the_training_images_and_of_all_classes(tmp_path):
    random = np.random.RandomState(0)
    np.savez(tmp_path / 'data.npz', train_x=random.randint(0, 256, (50, 4, 5)).astype('u1'),
             train_y=np.arange(50) % 5, test_x=np.zeros((3, 4, 5), 'u1'), test_y=[0, 1, 2])
    train = read(str(tmp_path / 'data.npz')).train
    parts = set_aside(train, 10, seed=3)
    assert np.bincount(parts.test.class_ids).tolist() == [2] * 5
    assert sorted(part.tobytes() for part in (*parts.train.pixels, *parts.test.pixels)) == sorted(
        image.tobytes() for image in train.pixels)
    again, other = set_aside(train, 10, seed=3), set_aside(train, 10, seed=4)
    assert (again.test.pixels == parts.test.pixels).all()
    assert not (other.test.pixels == parts.test.pixels).all()
    with pytest.raises(ValueError, match='--validation 50: there are only 50 images'):
        set_aside(train, 50)


def test_validation_chooses_without_the_test_images(train, command, images, tmp_path):
    result = train(*WILD, '--validation', 9)
    assert '31 images of 4×5 (grayscale, 4 levels) to train on, 9 to validate on' in result.stdout
    assert 'least loss of the validation images: ' in result.stdout
    about = serialization.load_model(str(tmp_path / 'out/best.npz')).about
    assert (about['chosen_on'], about['validation']) == ('validation', 9)
    with np.load(images) as npz:
        arrays = dict(npz)
    np.savez(tmp_path / 'other.npz', train_x=arrays['train_x'], test_x=255 - arrays['test_x'])
    other = train(*WILD, '--validation', 9, '--dataset', 'other.npz', '--out', 'other')
    assert other.returncode == 0
    for ours, theirs in zip(log(tmp_path), log(tmp_path, 'other')):
        assert ours['validation/main/nll'] == theirs['validation/main/nll']
    measured = command('-m', 'wavenet.evaluate', '--model', 'out/best.npz', '--dataset', images)
    assert 'chosen on the validation set' in measured.stdout and ': 10, 5×4' in measured.stdout
    check_error(train(*WILD, '--validation', 8, '--resume', 'auto'), 'validation 9 (here 8)')
    check_error(train(*WILD, '--validation', 40, '--out', 'more'), '--validation 40', '40 images')
