"""The folder of a training: free as soon as the training ends; an earlier run is not replaced."""
import gc
import os
import signal

import pytest

from helpers import check_error, contents


@pytest.fixture
def without_garbage_collection():
    gc.disable()
    yield
    gc.enable()


def fail(updater):
    raise RuntimeError('a bug')


def spoil(updater):
    updater.get_optimizer('main').target.predictor.conv2.W.array[...] = float('nan')


def interrupt(updater):
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize('last_act, status', [
    (lambda updater: None, 0), (spoil, 1), (interrupt, 130), (fail, RuntimeError)])
def test_a_second_run_in_the_same_process_can_claim_it(
        train, last_act, status, without_garbage_collection):
    if status is RuntimeError:
        with pytest.raises(RuntimeError) as kept:  # its traceback holds all that the run used
            train('--epoch', 2, at={5: last_act})
        assert kept
    else:
        assert train('--epoch', 2, at={5: last_act}).returncode == status
    second = train('--epoch', 3, '--resume', 'auto')
    assert second.returncode == 0, second.stderr


def test_an_earlier_run_is_replaced_only_when_asked(train, tmp_path):
    assert train('--epoch', 1).returncode == 0
    before = contents(tmp_path)
    check_error(train('--epoch', 1), '--resume auto', '--overwrite', 'another --out', 'model.npz')
    assert contents(tmp_path) == before
    assert train('--epoch', 1, '--out', 'other').returncode == 0
    check_error(train('--epoch', 2, '--resume', 'other/snapshot_iter_3'), 'another --out')
    check_error(train('--epoch', 2, '--resume', 'auto', '--overwrite'), 'give one')
    assert {name: content for name, content in contents(tmp_path).items()
            if not name.startswith('other')} == before


def test_a_model_without_its_snapshots_is_an_earlier_run(train, tmp_path):
    assert train('--epoch', 1).returncode == 0
    for name in os.listdir(tmp_path / 'out'):
        if name != 'model.npz' and name != 'samples':
            os.unlink(tmp_path / 'out' / name)
    for options in ([], ['--resume', 'auto']):
        check_error(train('--epoch', 1, *options), 'out/model.npz')


def test_overwriting_leaves_nothing_of_the_earlier_run(train, tmp_path):
    """Even if the new run is interrupted at once."""
    assert train('--epoch', 3).returncode == 0
    (tmp_path / 'out/mine.png').write_bytes(b'not of the training')
    assert train('--epoch', 3, '--seed', 1, '--overwrite', at={1: interrupt}).returncode == 130
    assert {'mine.png', 'snapshot_iter_1'} <= set(os.listdir(tmp_path / 'out'))
    assert not {'loss.png', 'snapshot_iter_8', 'log'} & set(os.listdir(tmp_path / 'out'))
    assert train('--epoch', 3, '--seed', 1, '--resume', 'auto').returncode == 0
    assert train('--epoch', 3, '--seed', 1, '--out', 'anew').returncode == 0
    names = set(os.listdir(tmp_path / 'anew/samples'))
    assert set(os.listdir(tmp_path / 'out/samples')) == names


def test_a_refused_command_overwrites_nothing(train, tmp_path):
    assert train('--epoch', 1).returncode == 0
    before = contents(tmp_path)
    check_error(train('--epoch', 1, '--overwrite', '--batchsize', 1000), '--batchsize')
    assert contents(tmp_path) == before
