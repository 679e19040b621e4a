"""Runs of train.py that are stopped, spoiled and resumed; see also test_kill.py."""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers import ROOT, SMALL, check_error, contents, one_line, results
from wavenet import pictures, serialization
from wavenet.storage import model_file
from wavenet.storage.npz import save_npz
from wavenet.training import snapshots


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def send(number):
    return lambda updater: os.kill(os.getpid(), number)


# To the bit. Epochs end within iterations 3, 5 and 8.

@pytest.mark.parametrize('options', [
    [], ['--binarize', '--loss', 'sigmoid'], ['--stats', '--clip', 1, '--levels', 8],
    ['--average', 0.9, '--lr_decay', 0.7]])
def test_a_run_that_was_interrupted_twice_is_the_run(train, tmp_path, options):
    assert train('--epoch', 3, '--out', 'whole', *options).returncode == 0
    options = options + ['--epoch', 3, '--resume', 'auto']
    run = train(*options, at={1: send(signal.SIGTERM)})
    assert run.returncode == 143 and '--resume out/snapshot_iter_1 ' in run.stderr
    run = train(*options, at={4: send(signal.SIGINT)})
    assert run.returncode == 130 and '--resume out/snapshot_iter_4 ' in run.stderr
    run = train(*options)
    assert run.returncode == 0 and run.stderr == 'train.py: going on from out/snapshot_iter_4\n'
    whole = results(tmp_path / 'whole')
    assert sorted(whole) == ['best.npz', 'log', 'loss.png', 'model.npz', 'samples/epoch_1.png',
                             'samples/epoch_2.png', 'samples/epoch_3.png']
    assert results(tmp_path / 'out') == whole
    assert len(snapshots.find(str(tmp_path / 'out'))) == 3


def test_numpys_random_state_goes_on(train, tmp_path):
    draws = {}

    def drawing(name, stop=None):
        def draw(updater):
            draws[name, updater.iteration] = np.random.normal(size=3).tolist()
            if updater.iteration == stop:
                send(signal.SIGTERM)(updater)
        return dict.fromkeys(range(1, 6), draw)

    train('--epoch', 2, at=drawing('whole'))
    train('--epoch', 2, '--out', 'cut', at=drawing('cut', stop=4))
    train('--epoch', 2, '--out', 'cut', '--resume', 'auto', at=drawing('cut'))
    assert all(draws['whole', n] == draws['cut', n] for n in range(1, 6))


def test_the_same_run_gives_the_same_bytes(process, images, tmp_path):
    for out, seed in (('a', '1'), ('b', '2')):
        assert process('train.py', '--dataset', images, *SMALL, '--iteration', 1, '--out', out,
                       PYTHONHASHSEED=seed).returncode == 0
    assert (tmp_path / 'a/model.npz').read_bytes() == (tmp_path / 'b/model.npz').read_bytes()


def test_auto_without_snapshots_starts_from_the_beginning(train, tmp_path):
    run = train('--iteration', 1, '--resume', 'auto')
    one_line(run, 0, 'no snapshot in out', 'from the beginning')
    assert (tmp_path / 'out/model.npz').exists()


@pytest.mark.parametrize('lost', ['model.npz', 'loss.png', 'samples/epoch_2.png'])
def test_a_run_that_ended_before_its_last_files_writes_them_later(train, tmp_path, lost):
    train('--epoch', 2)
    before = results(tmp_path / 'out')
    (tmp_path / 'out' / lost).unlink()
    run = train('--epoch', 2, '--resume', 'auto')
    assert run.returncode == 0 and 'is at epoch 2 already' in run.stderr
    assert results(tmp_path / 'out') == before


def test_a_model_that_is_newer_than_the_snapshot_stays(train, tmp_path):
    train('--epoch', 3)
    before = results(tmp_path / 'out')
    run = train('--epoch', 4, '--resume', 'out/snapshot_iter_3', at={4: send(signal.SIGTERM)})
    assert run.returncode == 143 and results(tmp_path / 'out') == before


def test_long_epochs_have_snapshots_too(train, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, 'EVERY', -1)
    train('--iteration', 4)
    assert sorted(path.name for path in (tmp_path / 'out').glob('snapshot*')) == [
        f'snapshot_iter_{n}' for n in (2, 3, 4)]


# Damaged snapshots

@pytest.fixture
def three(train, tmp_path):
    """out/snapshot_iter_3, _5 and _8, and what the whole run gives"""
    assert train('--epoch', 4, '--out', 'whole').returncode == 0
    assert train('--epoch', 3).returncode == 0
    return results(tmp_path / 'whole')


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def other_architecture(path):
    with np.load(str(path)) as npz:
        arrays = dict(npz)
    prefix = 'updater/model:main/predictor/conv2/'
    arrays[prefix + 'W'], arrays[prefix + 'b'] = np.zeros((9, 4, 1, 1), 'f'), np.zeros(9, 'f')
    arrays['updater/model:main/predictor/conv4/W'] = np.zeros((2, 9, 1, 1), 'f')
    model_file.save_arrays(str(path), arrays)


def hanging(path):
    path.unlink()
    os.mkfifo(str(path))


DAMAGE = {'truncated': lambda path: os.truncate(str(path), 3000),
          'empty': lambda path: os.truncate(str(path), 0), 'flipped': flip,
          'other': other_architecture, 'text': lambda path: path.write_bytes(b'text'),
          'pipe': hanging}


@pytest.mark.parametrize('damage', sorted(DAMAGE))
def test_a_damaged_snapshot_is_passed_over(train, three, tmp_path, damage):
    DAMAGE[damage](tmp_path / 'out/snapshot_iter_8')
    before = contents(tmp_path / 'out')
    one_line(train('--epoch', 4, '--resume', 'out/snapshot_iter_8'), 2, 'error',
             'out/snapshot_iter_8', 'another architecture' if damage == 'other' else '')
    assert contents(tmp_path / 'out') == before
    run = train('--epoch', 4, '--resume', 'auto')
    assert run.returncode == 0
    reason, chosen = run.stderr.splitlines()
    assert reason.startswith('train.py: ') and 'out/snapshot_iter_8' in reason
    assert reason.endswith('; trying the one before it')
    assert chosen == 'train.py: going on from out/snapshot_iter_5'
    assert results(tmp_path / 'out') == three


def test_without_a_good_snapshot_nothing_is_touched(train, three, tmp_path):
    for n in (3, 5, 8):
        flip(tmp_path / f'out/snapshot_iter_{n}')
    before = contents(tmp_path / 'out')
    one_line(train('--epoch', 4, '--resume', 'auto'), 2, 'error', 'another --out', 'cannot go on',
             'snapshot_iter_3', 'snapshot_iter_8')
    assert contents(tmp_path / 'out') == before


def test_the_reason_for_several_snapshots_is_said_once(train, three):
    result = train('--epoch', 4, '--resume', 'auto', '--seed', 5)
    one_line(result, 2, 'out/snapshot_iter_8, out/snapshot_iter_5, out/snapshot_iter_3: cannot')
    assert result.stderr.count('seed 0 (here 5)') == 1


def test_damaged_snapshots_do_not_push_out_good_ones(train, three, tmp_path):
    flip(tmp_path / 'out/snapshot_iter_8')
    flip(tmp_path / 'out/snapshot_iter_5')
    run = train('--epoch', 4, '--resume', 'auto', at={4: send(signal.SIGTERM)})
    assert run.returncode == 143
    assert {'snapshot_iter_3', 'snapshot_iter_4'} <= set(os.listdir('out'))


# Signals, as processes get them

@pytest.mark.parametrize('number, status', [
    (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_run_after_a_snapshot(start, tmp_path, number, status):
    process = start('--epoch', 10 ** 9)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status and err.count('\n') == 1
    word = err.split('--resume ')[1].split()[0]
    for path in (word, 'out/model.npz'):
        assert serialization.load_model(path)
    assert not list(tmp_path.rglob('*.tmp'))


def catches(process, number):
    """Whether a process has a handler for a signal."""
    status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
    caught = int(re.search(r'SigCgt:\s*(\w+)', status).group(1), 16)
    return bool(caught >> number - 1 & 1)


def test_a_second_signal_stops_at_once(start, tmp_path):
    # An iteration of this model takes minutes
    process = start('--dataset', 'digits', '--batchsize', 1500, '-d', 128, '-n', 30,
                    wait_for='out/samples')
    while not catches(process, signal.SIGHUP):  # which only a running training does
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err == 'train.py: interrupted at iteration 0; there is no snapshot yet\n'
    assert os.listdir(str(tmp_path / 'out')) == ['samples']


def test_what_the_parent_ignores_stays_ignored(start):
    process = start('--epoch', 10 ** 9, ignored=[signal.SIGINT, signal.SIGHUP])
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    before = newest = snapshots.find('out')[0]
    while newest == before:                     # an epoch later it goes on
        assert process.poll() is None
        newest = snapshots.find('out')[0]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


# A folder is for one run

def test_two_runs_do_not_mix(start, train, tmp_path):
    first = start('--epoch', 10 ** 9)
    for options in ([], ['--resume', 'auto'], ['--resume', 'out/model.npz']):
        check_error(train('--epoch', 1, *options), 'out', 'another process')
    assert train('--iteration', 1, '--out', 'other').returncode == 0
    assert first.poll() is None
    first.kill()
    first.communicate()
    result = train('--iteration', 1, '--overwrite')
    assert (result.returncode, result.stderr) == (0, '')


# Disks

@pytest.fixture
def small_disk(tmp_path):
    """A disk of 400 kB, mounted at out; with root's rights only."""
    out = tmp_path / 'out'
    out.mkdir()
    if subprocess.call(['mount', '-t', 'tmpfs', '-o', 'size=400k', 'none', str(out)],
                       stderr=subprocess.DEVNULL):
        pytest.skip('nothing can be mounted here')
    yield out
    subprocess.check_call(['umount', str(out)])


def test_a_disk_that_fills_ends_the_run(train, small_disk):
    assert train('--epoch', 2).returncode == 0
    with open(str(small_disk / 'ballast'), 'wb', 0) as file:
        with pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
    os.truncate(str(small_disk / 'ballast'), os.path.getsize(str(small_disk / 'ballast')) - 8192)
    before = contents(small_disk)
    run = train('--epoch', 9, '--resume', 'auto')
    notice, error = run.stderr.splitlines()
    assert run.returncode == 1 and notice.startswith('train.py: going on from out/snapshot_iter_5')
    assert error == (
        "train.py: error: 'out/snapshot_iter_8': No space left on device; with the same options, "
        '--resume out/snapshot_iter_5 goes on from the last snapshot')
    after = contents(small_disk)
    assert after.pop('log')[:2] == before.pop('log') and after == before
    (small_disk / 'ballast').unlink()                      # there is room again
    assert train('--epoch', 3, '--resume', 'auto').returncode == 0


def test_a_limit_on_the_size_of_files(images, train, tmp_path):
    assert train('--epoch', 2).returncode == 0
    before = contents(tmp_path)
    size = os.path.getsize(str(tmp_path / 'out/snapshot_iter_5'))
    run = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'train.py'), '--dataset', images, '--resume',
         'out/snapshot_iter_5'] + [str(arg) for arg in SMALL], cwd=str(tmp_path),
        capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2)))
    one_line(run, 1, "'out/snapshot_iter_8': File too large", '--resume out/snapshot_iter_5 ')
    after = contents(tmp_path)
    assert after.pop('out/log')[:2] == before.pop('out/log') and after == before


def test_a_folder_that_vanishes_ends_the_run(train, tmp_path):
    run = train('--epoch', 3, at={4: lambda updater: shutil.rmtree('out')})
    one_line(run, 1, 'error', "'out/log': No such file or directory")
    assert not (tmp_path / 'out').exists()


def test_a_folder_that_is_locked_ends_the_run(train, tmp_path):
    (tmp_path / 'locked').mkdir(0o500)
    if os.access(str(tmp_path / 'locked'), os.W_OK):
        pytest.skip('root can write every folder')
    run = train('--epoch', 3, at={4: lambda updater: os.chmod('out', 0o500)})
    os.chmod('out', 0o700)
    one_line(run, 1, 'error', "'out/log': Permission denied", 'snapshot_iter_3')
    assert len(contents(tmp_path / 'out')['log']) == 1


# Numbers that are none

def spoil(updater):
    updater.get_optimizer('main').target.predictor.conv2.W.array[0] = np.nan


def spoil_moment(updater):
    param = updater.get_optimizer('main').target.predictor.conv2.W
    param.update_rule.state['v'][0] = np.inf


NUMBERS = ['iteration', 'learning rate of 0.001', 'gradient norm of ', '--learning_rate', '--clip',
           '--resume out/snapshot_iter_3 ']


def test_a_loss_that_is_none_stops_the_run(train, tmp_path):
    run = train('--epoch', 3, at={4: spoil})
    one_line(run, 1, 'the loss is nan at iteration 5', *NUMBERS)
    assert np.isfinite(serialization.load_model('out/model.npz').conv2.W.array).all()
    assert train('--epoch', 3, '--resume', 'auto').returncode == 0


@pytest.mark.parametrize('spoil', [spoil, spoil_moment])
@pytest.mark.parametrize('iteration', [5, 4])
def test_a_state_that_is_none_reaches_no_file(train, tmp_path, spoil, iteration):
    def spoil_and_stop(updater):                           # after a loss that was finite
        spoil(updater)
        if iteration == 4:                                 # within an epoch
            send(signal.SIGTERM)(updater)

    before = {}
    run = train('--epoch', 3, at={4: lambda updater: before.update(contents(tmp_path / 'out')),
                                       iteration: spoil_and_stop} if iteration == 5 else
                     {3: lambda updater: None, 4: spoil_and_stop})
    one_line(run, 1, f'at iteration {iteration}', *NUMBERS)
    assert serialization.load_model('out/model.npz').about['iteration'] == 3
    assert snapshots.find('out') == ['out/snapshot_iter_3']
    log = json.loads((tmp_path / 'out/log').read_text())
    assert all(np.isfinite(value) for entry in log for value in entry.values())


# What is no reason to lose a run

@pytest.mark.parametrize('error, reason', [
    (OSError(28, 'No space left on device', 'out/samples/epoch_1.png'),
     "'out/samples/epoch_1.png': No space left on device"),
    (RuntimeError('no display'), 'no display'), (MemoryError(), 'not enough memory')])
def test_a_picture_that_fails_is_shown_and_the_run_goes_on(
        train, tmp_path, monkeypatch, error, reason):
    train('--epoch', 2, '--out', 'whole')
    monkeypatch.setattr(pictures, 'save', lambda *args: (_ for _ in ()).throw(error))
    run = train('--epoch', 2)
    one_line(run, 0, 'warning: SampleGrid: ' + reason, 'the training goes on')
    whole = results(tmp_path / 'whole')
    assert results(tmp_path / 'out') == {
        name: content for name, content in whole.items() if 'epoch' not in name}


def test_a_reader_that_goes_away_is_no_reason(images, tmp_path):
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'train.py'), '--dataset', images, '--epoch', '2']
        + [str(arg) for arg in SMALL], cwd=str(tmp_path), stdout=write, stderr=subprocess.PIPE,
        text=True)
    os.close(write)
    assert serialization.load_model(str(tmp_path / 'out/model.npz')).about['epoch'] == 2
    assert run.returncode == 1 and run.stderr.splitlines() == [
        'train.py: warning: PrintReport: [Errno 32] Broken pipe; the training goes on',
        'train.py: error: [Errno 32] Broken pipe']


# The data of a snapshot

def test_a_snapshot_knows_its_images(train, images, tmp_path):
    assert train('--epoch', 1).returncode == 0
    with np.load(images) as npz:
        arrays = dict(npz)
    for change in (dict(train_x=255 - arrays['train_x']), dict(train_x=arrays['train_x'][:30])):
        np.savez(images, **dict(arrays, **change))
        one_line(train('--epoch', 2, '--resume', 'auto'), 2, 'it was trained with other images')
    np.savez(images, **dict(arrays, test_x=arrays['test_x'][:5]))
    assert train('--epoch', 2, '--resume', 'auto').returncode == 0


def test_a_snapshot_of_another_split_is_refused(train, images):
    with np.load(images) as npz:
        np.savez(images, train_x=npz['train_x'])
    assert train('--epoch', 1).returncode == 0
    path = snapshots.find('out')[0]
    with np.load(path) as npz:
        arrays = dict(npz)
    settings = json.loads(str(arrays[snapshots.SETTINGS_PATH]))
    del settings['data']                                   # as an earlier version wrote it
    arrays[snapshots.SETTINGS_PATH] = np.array(json.dumps(settings))
    save_npz(path, arrays)
    one_line(train('--epoch', 2, '--resume', 'auto'), 2, 'held out every tenth image',
             'folders train and test')


def test_a_changed_recipe_is_said_and_kept(train):
    assert train('--epoch', 1).returncode == 0
    run = train('--epoch', 2, '--resume', 'auto', '--learning_rate', 0.01, '--clip', 2)
    assert run.returncode == 0 and run.stderr.splitlines() == [
        'train.py: --learning_rate: 0.001 → 0.01, from iteration 3 on',
        'train.py: --clip: 0 → 2.0, from iteration 3 on',
        'train.py: going on from out/snapshot_iter_3']
    changes = [{'iteration': 3, 'learning_rate': [0.001, 0.01], 'clip': [0, 2.0]}]
    assert serialization.load_model('out/model.npz').about['changes'] == changes
    run = train('--epoch', 3, '--resume', 'auto', '--learning_rate', 0.01, '--clip', 2)
    assert run.stderr == 'train.py: going on from out/snapshot_iter_5\n'
    assert serialization.load_model('out/model.npz').about['changes'] == changes
    run = train('--epoch', 4, '--resume', 'auto', '--learning_rate', 0.01, '--clip', 2,
                '--batchsize', 20)
    assert '--batchsize: 16 → 20, from iteration 8 on' in run.stderr
    assert len(serialization.load_model('out/model.npz').about['changes']) == 2
