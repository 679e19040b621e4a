"""Training that is killed at random moments and resumed until it is done.

A few rounds are enough for every change; `KILL_ROUNDS=20` runs more.
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

ROUNDS = int(os.environ.get('KILL_ROUNDS', 2))
KILLS = 12  # in a round, at most; then it may end
OPTIONS = ['--epoch', 60, '--levels', 4]


def start(folder, images):
    return subprocess.Popen(
        [sys.executable, os.path.join(ROOT, 'train.py'), '--dataset', images, '--resume', 'auto']
        + [str(arg) for arg in SMALL + OPTIONS], cwd=str(folder), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, universal_newlines=True)


def wait_for_a_moment(process, out, moments):
    """Half of the moments are any, half are those at which a file is being written."""
    until = time.monotonic() + moments.uniform(0, 4)
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    if moments.random() < 0.5:
        kind = moments.choice(['.snapshot', '.model', '.l', ''])
        while process.poll() is None:
            names = os.listdir(str(out)) if out.exists() else []
            if any(name.startswith(kind) and name.endswith('.tmp') for name in names):
                break


def check_all_is_whole(out):
    for path in snapshots.find(str(out)):
        with npz.open_npz(path) as file:
            assert file.sealed and all(file[name] is not None for name in file.files)
    if (out / 'model.npz').exists():
        serialization.load_model(str(out / 'model.npz'))


@pytest.mark.slow
def test_a_run_survives_being_killed(tmp_path, images):
    (tmp_path / 'whole').mkdir()
    process = start(tmp_path / 'whole', images)
    assert process.wait(120) == 0, process.stderr.read()
    whole = contents(tmp_path / 'whole/out')
    killed = leftovers = 0
    for number in range(ROUNDS):
        moments = random.Random(number)
        folder = tmp_path / 'round{}'.format(number)
        out = folder / 'out'
        folder.mkdir()
        for attempt in range(KILLS + 1):
            process = start(folder, images)
            if attempt < KILLS:
                wait_for_a_moment(process, out, moments)
            else:
                process.wait(120)
            process.kill()
            _, err = process.communicate()
            if process.returncode == 0:
                break
            assert process.returncode == -9, err
            killed += 1
            leftovers += len(list(folder.rglob('*.tmp')))
            check_all_is_whole(out)
        assert process.returncode == 0, err
        # Snapshots hold times, too; all else is the same to the byte, and nothing else is there
        after = contents(out)
        assert sorted(after) == sorted(whole)
        for name in whole:
            if 'snapshot' not in name:
                assert after[name] == whole[name], (number, name)
    print('{} rounds, killed {} times, {} of them while a file was written'.format(
        ROUNDS, killed, leftovers))
    assert killed >= 2 * ROUNDS


def test_the_check_would_notice(tmp_path):
    (tmp_path / 'snapshot_iter_1').write_bytes(b'PK')
    with pytest.raises(ValueError):
        check_all_is_whole(tmp_path)
    np.savez(str(tmp_path / 'snapshot_iter_1.npz'), a=0)   # whole, but not by us
    os.replace(str(tmp_path / 'snapshot_iter_1.npz'), str(tmp_path / 'snapshot_iter_1'))
    with pytest.raises(ValueError, match='sealed'):
        check_all_is_whole(tmp_path)
