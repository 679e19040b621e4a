"""Hostile and broken input: see tests/hostile."""
import itertools
import os
import re
import subprocess
import sys

import pytest

from helpers import HERE, check_error
from hostile import data_sets, model_files

# Cases that there are
LEAST = {'model_files': 1600, 'data_sets': 600, 'sounds': 1300, 'command_lines': 1200}


@pytest.mark.parametrize('one_in', [8, pytest.param(1, marks=[
    pytest.mark.exhaustive, pytest.mark.slow])])
@pytest.mark.parametrize('kind', sorted(LEAST))
def test_each_is_refused_in_one_line(kind, one_in):
    tried = subprocess.run([sys.executable, '-m', 'hostile', '--one-in', str(one_in), kind],
                           cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(tried.stdout)
    assert tried.returncode == 0 and ' 0 failed' in tried.stdout
    assert int(re.search(r'(\d+) tried', tried.stdout).group(1)) >= LEAST[kind] // one_in


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
def test_a_sample_as_a_user_would_try_it(process, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    CASES[name].make('.')
    before = sorted(os.listdir('.'))
    check_error(process(*SAMPLE[name]))
    assert sorted(os.listdir('.')) == before
