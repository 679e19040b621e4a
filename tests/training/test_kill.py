"""Training that is killed at random moments and resumed until it is done.

The default run has one round, `-m exhaustive` several; `KILL_ROUNDS=20` sets their number.
"""
import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers import ROOT, SMALL, contents
from wavenet import serialization
from wavenet.storage import npz
from wavenet.training import snapshots

ROUNDS = int(os.environ.get('KILL_ROUNDS', 5))
KILLS = 8  # in a round, at most; then the run may end
OPTIONS = ['--epoch', 40, '--levels', 4]  # 100 iterations


def start(folder, images):
    return subprocess.Popen(
        [sys.executable, os.path.join(ROOT, 'train.py'), '--dataset', images, '--resume', 'auto']
        + [str(arg) for arg in SMALL + OPTIONS], cwd=str(folder), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, universal_newlines=True)


def wait_for_a_moment(process, out, moments):
    """Waits for one of three kinds of moments: while Python starts or reads the snapshot, at any
    place of some iteration, while a file is written."""
    kind = moments.choice(['start', 'iteration', 'file'])
    if kind == 'start':
        time.sleep(moments.uniform(0, 1.5))
        return
    target = newest(out) + moments.randint(1, 20)
    while newest(out) < target and process.poll() is None:
        time.sleep(0.005)
    if kind == 'iteration':
        time.sleep(moments.uniform(0, 0.05))
        return
    prefix = moments.choice(['.snapshot', '.model', '.l', ''])
    while process.poll() is None:
        names = os.listdir(str(out))
        if any(name.startswith(prefix) and name.endswith('.tmp') for name in names):
            break


def newest(out):
    """The iteration of the newest snapshot, 0 without one."""
    return max((int(path.name.rsplit('_', 1)[1]) for path in out.glob('snapshot_iter_*')),
               default=0)


def check_all_is_whole(out):
    for path in snapshots.find(str(out)):
        with npz.open_npz(path) as file:
            assert file.sealed and all(file[name] is not None for name in file.files)
    if (out / 'model.npz').exists():
        serialization.load_model(str(out / 'model.npz'))


@pytest.mark.slow
@pytest.mark.parametrize('numbers', [
    [0], pytest.param(range(1, ROUNDS), marks=pytest.mark.exhaustive, id='more')])
def test_a_run_survives_being_killed(train, images, tmp_path, numbers):
    assert train(*OPTIONS, '--out', 'whole').returncode == 0
    whole = contents(tmp_path / 'whole')
    killed = leftovers = 0
    for number in numbers:
        moments = random.Random(number)
        folder = tmp_path / f'round{number}'
        out = folder / 'out'
        folder.mkdir()
        for attempt in range(KILLS + 1):
            process = start(folder, images)
            if attempt < KILLS:
                wait_for_a_moment(process, out, moments)
                process.kill()
            _, err = process.communicate()
            if process.returncode == 0:
                break
            assert process.returncode == -9, err
            killed += 1
            leftovers += len(list(folder.rglob('*.tmp')))
            check_all_is_whole(out)
        assert process.returncode == 0, err
        # Snapshots hold times; everything else is the same to the byte, and nothing is left over
        after = contents(out)
        assert sorted(after) == sorted(whole)
        for name in whole:
            if 'snapshot' not in name:
                assert after[name] == whole[name], (number, name)
    print(f'{len(numbers)} rounds, killed {killed} times, {leftovers} of them during a write')
    assert killed >= 2 * len(numbers)


def test_the_check_would_notice(tmp_path):
    (tmp_path / 'snapshot_iter_1').write_bytes(b'PK')
    with pytest.raises(ValueError):
        check_all_is_whole(tmp_path)
    np.savez(str(tmp_path / 'snapshot_iter_1.npz'), a=0)   # whole, but not sealed by the project
    os.replace(str(tmp_path / 'snapshot_iter_1.npz'), str(tmp_path / 'snapshot_iter_1'))
    with pytest.raises(ValueError, match='sealed'):
        check_all_is_whole(tmp_path)
