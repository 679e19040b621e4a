"""What tests of several files share. Fixtures are in conftest.py."""
import gzip
import json
import os

import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda

from wavenet.data import idx as idx_files

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DATA = os.path.join(HERE, 'data')

# Options of a small model and its batches, for the 40 + 10 images of the fixture `images`
SMALL = ['--channels', 1, '-d', 2, '-n', 1, '--out_hidden_dim', 4, '--batchsize', 16]


# What a training leaves

def log(folder, out='out'):
    return json.loads((folder / out / 'log').read_text())


def parameters(path):
    """{name: array} of a model file."""
    with np.load(str(path)) as npz:
        return {name: npz[name] for name in npz.files if name != 'config'}


def equal(path, other):
    """Whether two model files hold the same parameters, to the bit."""
    a, b = parameters(path), parameters(other)
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def contents(folder):
    """{relative path: bytes} of all files below a folder; of a log, the entries without times."""
    found = {}
    for path in folder.rglob('*'):
        if path.is_file():
            content = path.read_bytes()
            if path.name == 'log':
                content = [{name: value for name, value in entry.items() if name != 'elapsed_time'}
                           for entry in json.loads(content)]
            found[str(path.relative_to(folder))] = content
    return found


def results(folder):
    """`contents` without the snapshots, which hold times."""
    return {name: content for name, content in contents(folder).items() if 'snapshot' not in name}


# What a command says

def check_error(result, *words):
    """A refusal: status 2, and one line on standard error, which has these words."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == '' and result.stderr.count('\n') == 1
    assert result.stderr.split(': ')[:2] in (['train.py', 'error'], ['generate.py', 'error'])
    for word in words:
        assert word in result.stderr


def one_line(result, status, *words):
    """train.py ended with this status, and one line on standard error, which has these words."""
    assert result.returncode == status, result.stderr
    assert result.stderr.count('\n') == 1 and result.stderr.startswith('train.py: ')
    for word in words:
        assert word in result.stderr


# What the author's code computes, see data/README.md

def check_loss_and_gradients(reference, model, loss):
    """The loss of the first batch and its gradients are the author's."""
    model.cleargrads()
    loss.backward()
    assert abs(float(loss.array) - reference['loss']) <= 1e-5 * reference['loss']
    for name, param in model.namedparams():
        expected = reference['grads' + name]
        np.testing.assert_allclose(cuda.to_cpu(param.grad), expected, rtol=0,
                                   atol=1e-5 * abs(expected).max(), err_msg=name)


def check_adam(reference, model, loss_of, hooks=(), loss_tolerance=1e-4, tolerance=5e-4):
    """Eight steps of Adam give the author's losses and parameters; loss_of(step) is the loss."""
    optimizer = chainer.optimizers.Adam(0.001).setup(model)
    for hook in hooks:
        optimizer.add_hook(hook)
    losses = []
    for step in range(8):
        loss = loss_of(step)
        losses.append(float(loss.array))
        optimizer.update(lambda loss=loss: loss)
    np.testing.assert_allclose(losses, reference['adam/losses'], rtol=0, atol=loss_tolerance)
    for name, param in model.namedparams():
        np.testing.assert_allclose(cuda.to_cpu(param.array), reference['adam/params' + name],
                                   rtol=0, atol=tolerance, err_msg=name)


def clipping_and_decay():
    """The hooks of the author's newest code."""
    return chainer.optimizer_hooks.GradientClipping(1), chainer.optimizer_hooks.WeightDecay(0.0001)


# Data sets

def bytes_of(shape, seed=0):
    """Random intensities."""
    return np.random.RandomState(seed).randint(0, 256, shape).astype('u1')


def idx(array):
    """The bytes of a file of MNIST."""
    return idx_files.header(array) + array.tobytes()


def write_mnist(folder, zipped=True, train=6, test=4):
    """Writes the four files of a small MNIST. Returns: {name: array}."""
    arrays = {'train-images-idx3-ubyte': bytes_of((train, 28, 28), 1),
              'train-labels-idx1-ubyte': (np.arange(train) % 10).astype('u1'),
              't10k-images-idx3-ubyte': bytes_of((test, 28, 28), 2),
              't10k-labels-idx1-ubyte': (np.arange(test) % 10).astype('u1')}
    for name, array in arrays.items():
        content = gzip.compress(idx(array)) if zipped else idx(array)
        (folder / (name + '.gz' * zipped)).write_bytes(content)
    return arrays


# Generation

def cached_logits(state, x, out_dims):
    """The logits that a cache computes where the values are those of x, (B, out_dims, C, H, W)."""
    logits = backend.get_array_module(x).empty((len(x), out_dims) + x.shape[1:], 'f')
    for i, j, k in state.steps:
        logits[:, :, k, i, j] = state.outputs((i, j, k))
        state.put((i, j, k), x[:, k, i, j])
    return logits
