"""What a training says: the announcement, the estimate, a line each minute, the progress bar."""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from types import SimpleNamespace

import pytest

from helpers import ROOT, SMALL
from wavenet.training import progress


@pytest.fixture
def run_steps(capsys):
    """Calls a Progress after each step of a training; each step takes some seconds by its clock.

    Returns: what it printed, and what it wrote to standard error.
    """
    def run(steps, seconds, minutes=None, each_minute=True, is_large=True, calls=None):
        now = [0.]
        said = progress.Progress(steps, minutes, each_minute, is_large, clock=lambda: now[0])
        trainer = SimpleNamespace(observation={'main/nll': 81.25},
                                  updater=SimpleNamespace(iteration=0, epoch_detail=0))
        for step in range(1, 1 + (calls or steps)):
            now[0] += seconds if step > 1 else 1000  # the first step is no measure for the others
            trainer.updater.iteration, trainer.updater.epoch_detail = step, step / 100
            said(trainer)
        captured = capsys.readouterr()
        return captured.out.splitlines(), captured.err
    return run


def test_the_estimate_comes_after_the_first_steps(run_steps):
    assert run_steps(1006, 0.5, calls=6) == (['0.5 s a step: about 8 minutes 20 seconds'], '')
    assert run_steps(1000, 0.5, calls=5) == ([], '')
    assert run_steps(1000, 0.001, calls=1000) == ([], '')       # it is over within a second
    assert run_steps(1002, 36, calls=2) == (['36 s a step: about 10 hours'], '')


def test_the_estimate_says_where_minutes_end_the_training(run_steps):
    assert run_steps(10 ** 6, 0.5, minutes=5, calls=6) == (
        ['0.5 s a step: --minutes 5 ends it near step 606 of 1,000,000'], '')


def test_a_line_each_minute(run_steps):
    lines, _ = run_steps(1000, 1, calls=130)
    assert lines[1:] == [
        'step 61 of 1,000, epoch 0.61: main/nll 81.25, 1 s a step, 15 minutes 39 seconds left',
        'step 121 of 1,000, epoch 1.21: main/nll 81.25, 1 s a step, 14 minutes 39 seconds left']
    lines, _ = run_steps(1000, 1, each_minute=False, calls=130)
    assert len(lines) == 1


def test_a_size_that_takes_days_on_a_cpu_is_answered_with_a_smaller_one(run_steps):
    _, error = run_steps(10 ** 6, 1, calls=10)
    assert '11 days 13 hours' in error and '--preset cpu' in error and error.count('\n') == 1
    assert run_steps(10 ** 6, 1, is_large=False, calls=10)[1] == ''
    assert run_steps(10 ** 6, 1, minutes=10, calls=10)[1] == ''
    assert run_steps(10 ** 4, 1, calls=10)[1] == ''


@pytest.mark.parametrize('seconds, words', [
    (0, '0 seconds'), (0.2, '1 second'), (59, '59 seconds'), (60, '1 minute'),
    (3601, '1 hour'), (3660, '1 hour 1 minute'), (90061, '1 day 1 hour'), (172800, '2 days')])
def test_duration(seconds, words):
    assert progress.duration(seconds) == words


def test_the_start_says_what_will_be_done(train):
    lines = train('--epoch', 2).stdout.splitlines()
    assert lines[0].startswith('PixelCNN: 290 ') and 'parameters, on the CPU (' in lines[0]
    assert lines[1] == '40 images of 4×5 (grayscale, 2 levels) to train on, 10 to test on'
    assert lines[2] == '2 epochs, 5 steps of 16 images, into out'
    assert lines[3].startswith('epoch ')
    lines = train('--iteration', 9, '--minutes', 5, '--resume', 'auto').stdout.splitlines()
    assert lines[2] == '9 steps of 16 images, at most 5 minutes, from step 5 on, into out'


def test_a_run_that_has_ended_announces_nothing(train):
    assert train('--epoch', 1).returncode == 0
    assert train('--epoch', 1, '--resume', 'auto').stdout.count('\n') == 2


def test_lines_are_written_whole_and_move_no_cursor(capsys):
    out = progress.Lines()
    for text in ('\033[J', '1  ', '2.5', '\n'):
        assert capsys.readouterr().out == ''
        out.write(text)
    out.flush()
    assert capsys.readouterr().out == '1  2.5\n'


@pytest.mark.parametrize('columns', [20, 60, 200])
def test_the_bar_fits_into_the_terminal(tmp_path, columns):
    """A bar that is wider than its terminal would begin a new line each time."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    command = [sys.executable, os.path.join(ROOT, 'train.py'), '--dataset', 'digits', *SMALL,
               '--iteration', 90]
    process = subprocess.Popen(
        list(map(str, command)), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
        cwd=str(tmp_path), env={**os.environ, 'PYTHONPATH': ROOT, 'COLUMNS': ''})
    os.close(theirs)
    shown = b''
    while True:
        try:
            part = os.read(ours, 10000)
        except OSError:  # the terminal was closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    process.communicate()
    assert process.returncode == 0
    bars = shown.decode().replace('\033[A', '').replace('\n', '\r').split('\r')
    assert any('training' in bar for bar in bars)
    assert max(map(len, bars)) <= columns
