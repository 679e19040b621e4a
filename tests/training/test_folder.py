"""The folder of a training is free as soon as the training ends, however it ends."""
import gc
import os
import signal

import pytest


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
