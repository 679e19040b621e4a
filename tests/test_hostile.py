"""Hostile and broken input: see tests/hostile."""
import itertools
import os
import re
import subprocess
import sys

import pytest

from helpers import HERE, check_error
from hostile import data_sets, model_files

LEAST = {'model_files': 1000, 'data_sets': 300, 'command_lines': 200}


@pytest.fixture(scope='module')
def processes():
    """All kinds at once, on the cores that there are"""
    processes = {kind: subprocess.Popen(
        [sys.executable, '-m', 'hostile', kind], cwd=HERE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, universal_newlines=True) for kind in LEAST}
    yield processes
    for process in processes.values():
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize('kind', sorted(LEAST))
def test_each_is_refused_in_one_line(processes, kind):
    output, _ = processes[kind].communicate(timeout=900)
    print(output)
    assert processes[kind].returncode == 0 and ' 0 failed' in output
    assert int(re.search(r'(\d+) tried', output).group(1)) >= LEAST[kind]


SAMPLE = {
    'model file: an array of objects': ['generate.py', '--model', 'file'],
    'model file: noise in a zip 0': ['generate.py', '--model', 'file'],
    'model file: a pipe': ['train.py', '--resume', 'file', '--dataset', 'digits'],
    'model file: zeros without end': ['generate.py', '--model', 'file'],
    'data set: npz, 500 megabytes of zeros': ['train.py', '--dataset', 'data'],
    'data set: npz, train_x as objects': ['train.py', '--dataset', 'data'],
    'data set: a pipe that is called as an image': ['train.py', '--dataset', 'data'],
    'data set: a pipe as the folder of mnist': ['train.py', '--dataset', 'mnist', '--data', 'data']}
CASES = {case.name: case for case in itertools.chain(
    model_files.no_zips(b'PK'), model_files.no_files(), data_sets.npz(), data_sets.paths())}


@pytest.mark.parametrize('name', sorted(SAMPLE))
def test_a_sample_as_a_user_would_try_it(command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    CASES[name].make('.')
    before = sorted(os.listdir('.'))
    check_error(command(*SAMPLE[name]))
    assert sorted(os.listdir('.')) == before
