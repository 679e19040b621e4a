"""Files of earlier versions load and go on: see tests/data/README.md."""
import os
import shutil

import numpy as np
import pytest

from helpers import DATA, equal, parameters
from wavenet import serialization
from wavenet.storage import model_file

FILES = os.path.join(DATA, 'fdec748')
OPTIONS = ['--dataset', 'images.npz', '--channels', 1, '-d', 1, '-n', 1, '--out_hidden_dim', 2,
           '--batchsize', 16, '--lr_decay', 0.9, '--seed', 1]
KINDS = {'pixelcnn': ['--binarize', '--average', 0.9],
         'gated': ['--model', 'gated', '--levels', 4]}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """A kind of model. Its snapshot after 4 iterations is in `out`, beside the images."""
    random = np.random.RandomState(0)
    np.savez(str(tmp_path / 'images.npz'),
             train_x=random.randint(0, 256, (40, 4, 5)).astype('u1'), train_y=np.arange(40) % 3,
             test_x=random.randint(0, 256, (10, 4, 5)).astype('u1'), test_y=np.arange(10) % 3)
    (tmp_path / 'out').mkdir()
    shutil.copy(os.path.join(FILES, request.param, 'snapshot_iter_4'), str(tmp_path / 'out'))
    return request.param


def difference(path, other):
    """The root mean square of the differences of all parameters."""
    expected = parameters(other)
    values = np.concatenate([(value - expected[name]).ravel()
                             for name, value in parameters(path).items()])
    return np.sqrt((values.astype('d') ** 2).mean())


def test_a_training_goes_on_from_a_snapshot(command, tmp_path, kind):
    expected = os.path.join(FILES, kind, 'model.npz')
    options = [*OPTIONS, *KINDS[kind]]
    result = command('train.py', *options, '--iteration', 8, '--resume', 'auto')
    assert result.returncode == 0
    assert result.stderr == 'train.py: going on from out/snapshot_iter_4\n'
    # To the bit only with the same NumPy and BLAS
    assert difference(tmp_path / 'out/model.npz', expected) < 1e-5

    # A step of training changes more
    result = command('train.py', *options, '--iteration', 7, '--out', 'other', '--resume',
                     'out/snapshot_iter_5')
    assert result.returncode == 0, result.stderr
    assert difference(tmp_path / 'other/model.npz', expected) > 5e-5


def test_a_snapshot_that_was_written_in_a_terminal_is_taken(command, tmp_path, kind):
    """Earlier versions saved the state of the progress bar that a terminal has."""
    path = str(tmp_path / 'out/snapshot_iter_4')
    with np.load(path) as npz:
        arrays = {name: npz[name] for name in npz.files}
    arrays['extension_triggers/ProgressBar/previous_iteration'] = np.asarray(4)
    model_file.save_arrays(path, arrays)
    result = command('train.py', *OPTIONS, *KINDS[kind], '--iteration', 5, '--resume', 'auto')
    assert result.returncode == 0, result.stderr


def test_its_settings_still_count(command, kind):
    result = command('train.py', *OPTIONS, *KINDS[kind], '--seed', 2, '--resume', 'auto')
    assert result.returncode == 2 and 'trained with seed 1 (here 2)' in result.stderr


def test_a_model_file_loads(tmp_path, kind):
    path = os.path.join(FILES, kind, 'model.npz')
    model = serialization.load_model(path)
    assert model.family == kind and model.about['iteration'] == 8
    assert model.about['hidden_dims'] == (2 if kind == 'pixelcnn' else 1)
    assert model.num_classes == (0 if kind == 'pixelcnn' else 3)
    serialization.save_model(str(tmp_path / 'model.npz'), model)
    assert equal(path, tmp_path / 'model.npz')
