"""Fixtures for all tests."""
import os
import subprocess
import sys

import pytest

pytest.register_assert_rewrite('helpers')  # before it is imported

import wavenet  # noqa: F401  makes Chainer importable
# isort: split
import chainer
import numpy as np
from chainer.backends import cuda
from chainer.training import StandardUpdater

import in_process
from helpers import DATA, ROOT, SMALL
from wavenet import models
from wavenet.families.gated import model as gated


def pytest_collection_modifyitems(items):
    if not _gpu_works():
        for item in items:
            if item.get_closest_marker('gpu'):   # keywords also hold the folder's name
                item.add_marker(pytest.mark.skip(reason='no NVIDIA GPU with CuPy here'))


def _gpu_works():
    try:
        cuda.get_device_from_id(0).use()
    except Exception:
        return False
    return True


@pytest.fixture(params=['@numpy', pytest.param('@cupy:0', marks=pytest.mark.gpu)])
def device(request):
    """Each kind of device there is."""
    device = chainer.get_device(request.param)
    device.use()
    return device


@pytest.fixture(scope='session')
def reference():
    """What the author's code computes: see tests/data/README.md."""
    with np.load(os.path.join(DATA, 'pixelcnn_blog.npz')) as npz:
        return {name: npz[name] for name in npz.files}


@pytest.fixture
def reference_model(reference):
    """A PixelCNN with the author's parameters, those of the start."""
    model = models.PixelCNN(**{name: int(reference['config/' + name]) for name in (
        'in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims')})
    for name, param in model.namedparams():
        param.array[...] = reference['params' + name]
    return model


@pytest.fixture
def random_model():
    """Makes small models of random weights and biases: an ignored bias would show."""
    def make(in_channels=3, hidden_dims=12, block_num=3, out_hidden_dims=8, out_dims=4, seed=0):
        random = np.random.RandomState(seed)
        model = models.PixelCNN(in_channels, hidden_dims, block_num, out_hidden_dims, out_dims)
        for _, param in sorted(model.namedparams()):
            scale = 0.1 if param.ndim == 1 else np.prod(param.shape[1:]) ** -0.5
            param.array[...] = random.normal(0, scale, param.shape)
        return model
    return make


@pytest.fixture
def random_gated_model():
    """Makes small models of random weights and biases, none of which is small."""
    def make(in_channels=3, hidden_dims=12, block_num=2, out_hidden_dims=8, out_dims=4,
             num_classes=10, form='paper', one_hot=False, seed=0):
        random = np.random.RandomState(seed)
        model = gated.GatedPixelCNN(
            in_channels, hidden_dims, block_num, out_hidden_dims, out_dims, num_classes, form,
            one_hot)
        for _, param in sorted(model.namedparams()):
            scale = 0.1 if param.ndim == 1 else 2 * np.prod(param.shape[1:]) ** -0.5
            param.array[...] = random.normal(0, scale, param.shape)
        return model
    return make


@pytest.fixture
def command(tmp_path):
    """Runs a script, or, after '-m', a module, in this process, in an empty folder.

    Returns: an `in_process.Result`.
    """
    return lambda *words: in_process.run(words, tmp_path)


@pytest.fixture
def process(tmp_path):
    """The same in a process of its own, as a user does. Takes environment variables by name."""
    def run(script, *args, **env):
        script = script if script == '-m' else os.path.join(ROOT, script)
        return subprocess.run(
            [sys.executable, script] + [str(arg) for arg in args],
            cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=ROOT, **env),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    return run


@pytest.fixture
def images(tmp_path):
    """An .npz of 40 + 10 random images of 4 × 5 pixels."""
    random = np.random.RandomState(0)
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=random.randint(0, 256, (40, 4, 5)).astype('u1'),
             test_x=random.randint(0, 256, (10, 4, 5)).astype('u1'))
    return path


@pytest.fixture
def train_at(command, monkeypatch):
    """Runs train.py in this process.

    `at` maps an iteration to a function that is called with the updater after its update.
    """
    update = StandardUpdater.update

    def run(*args, at=None):
        if at is None:
            at = {}
        def update_and_call(updater):
            update(updater)
            if updater.iteration in at:
                at[updater.iteration](updater)

        monkeypatch.setattr(StandardUpdater, 'update', update_and_call)
        return command('train.py', *args)
    return run


@pytest.fixture
def train(train_at, images):
    """The same on the images of `images`, with a small model."""
    return lambda *args, at=None: train_at('--dataset', images, *SMALL, *args, at=at)
