"""A model to one .npz and back.

The file holds each parameter under the author's name (`conv1/W`, `blocks/0/conv2/b`, …), so that
his `chainer.serializers.load_npz` reads ours, and one JSON string, `config`, with the model's
sizes and whatever else is known of it. His files, which hold no `config`, load here too: the
names and shapes of the parameters tell which model it is, and its sizes.

Nothing is ever unpickled, and nothing is read before its size is known (`wavenet/npz.py`).
Chainer's own `load_npz` allows pickle, so that a stranger's file could run code.
"""
import json

import chainer
import numpy as np
from chainer import serializers

from wavenet.families.gated.model import GatedPixelCNN
from wavenet.models import PixelCNN
from wavenet.storage.npz import open_npz, save_npz

CONFIG = 'config'
CONFIG_SIZE = 1 << 20  # bytes, at most
SETTINGS = 'settings'
NO_MODEL = "it holds no PixelCNN, neither the post's nor a gated one"
MISTAKE = None  # the one of `wavenet.results.mistakes.OF_THE_MODEL` that models make now, if any does
TRAINER_PREFIX = 'updater/model:main/predictor/'  # where a trainer's snapshot keeps the model
AVERAGE_PREFIX = 'extensions/WeightAverage/predictor/'  # and its average, if there is one


def save_model(path, model, **about):
    """Writes a model to one .npz, atomically: whole, or not at all.

    Args:
        path: of the file.
        model: a `PixelCNN` or a `GatedPixelCNN`, on any device.
        about: what else is to be known of it, JSON values; generate.py reads `height` and `width`.

    The same model and configuration give the same bytes.

    Raises: OSError where the file cannot be written; ValueError for a model that is not finite.
    """
    arrays = serializers.npz.serialize(model)
    config = dict(about, model=type(model).__name__, **model.architecture)
    if MISTAKE:
        config['mistake'] = MISTAKE
    arrays[CONFIG] = np.array(json.dumps(config, sort_keys=True))
    save_arrays(path, arrays)


def save_arrays(path, arrays):
    """Writes a dict of arrays to one .npz, if they are finite. Raises: as `save_model`."""
    for name, array in arrays.items():
        if not _finite(array):
            raise ValueError('{} is not written: {} is not finite'.format(path, name))
    save_npz(path, arrays)


def _finite(array):
    return array.dtype.kind not in 'fc' or bool(np.isfinite(array).all())


def load_model(path):
    """Reads a model from a file of `save_model`, or of the author's.

    Of the author's there are two kinds: `pixelcnn_N`, the model, and `snapshot_iter_N`, the trainer
    with the model in it; of ours with an average of the weights, the average is taken.

    Returns: a `PixelCNN` or a `GatedPixelCNN` on the CPU; its attribute `about` holds the file's
        configuration, a dict, with the model's sizes always in it.

    Raises: ValueError for a file that holds no such model; OSError for one that cannot be read.
    """
    with open_npz(path) as npz:
        prefix = next((prefix for prefix in (AVERAGE_PREFIX, TRAINER_PREFIX)
                       if prefix + 'conv4/W' in npz.files), '')
        kind, sizes = _architecture(npz, prefix)
        about = json.loads(_config(npz)) if CONFIG in npz.files else {}
        model = kind(**sizes)
        _Deserializer(npz, prefix).load(model)
        if not isinstance(about, dict):
            raise ValueError('its config is no JSON object')
        if about.get('mistake') != MISTAKE:
            raise ValueError('its model has a mistake, {!r}: only python -m wavenet.results draws '
                             'from it'.format(about.get('mistake')))
        for name in ('height', 'width'):
            if name in about and not (type(about[name]) is int and about[name] >= 1):
                raise ValueError('its {} is {!r}'.format(name, about[name]))
        model.about = dict(about, **sizes)
    return model


def load_trainer(path, trainer):
    """Reads a trainer's snapshot into `trainer`, which must train a model of the same sizes, with
    the same settings (`wavenet.extensions.Settings`).

    Raises: ValueError for a file that is no such snapshot, OSError for one that cannot be read. The
        trainer is of no use then; no file is touched.
    """
    with open_npz(path) as npz:
        optimizer = trainer.updater.get_optimizer('main')
        model = optimizer.target.predictor
        if 'conv4/W' in npz.files:
            raise ValueError('it is a model, and training goes on from a snapshot_iter_N')
        kind, sizes = _architecture(npz, TRAINER_PREFIX)
        if kind is not type(model):
            raise ValueError('it is of another architecture: {} (here {})'.format(
                kind.__name__, type(model).__name__))
        other = ['{} {} (here {})'.format(name, size, model.architecture[name])
                 for name, size in sizes.items() if size != model.architecture[name]]
        if other:
            raise ValueError('it is of another architecture: ' + ', '.join(other))
        if not npz.sealed or not any(name.endswith('/' + SETTINGS) for name in npz.files):
            raise ValueError('it is no snapshot of this train.py, so training cannot go on from it')
        deserializer = _Deserializer(npz)
        deserializer.load(trainer)
        others = sorted(set(npz.files) - deserializer.names)
        if others:
            raise ValueError('its {} does not belong there'.format(others[0]))
        _check_optimizer(optimizer)
        if trainer.updater.iteration < 1:
            raise ValueError('it is of no iteration')


def _check_optimizer(optimizer):
    """Raises: ValueError for a state that training does not come to."""
    for name, param in optimizer.target.namedparams():
        moments = (param.update_rule.state or {}).values()
        if optimizer.t < 1 or param.update_rule.t < 1 or any(
                (array.shape, array.dtype) != (param.shape, param.dtype) for array in moments):
            raise ValueError("the optimizer's state of {} makes no sense".format(name))


class _Deserializer(serializers.NpzDeserializer):
    """Chainer's, for the file of a stranger: nothing is cast or stretched to fit, nothing may be
    missing or not finite. `names` are those that it was asked for."""

    def __init__(self, npz, path='', names=None):
        super().__init__(npz, path)
        self.names = set() if names is None else names

    def __getitem__(self, key):
        return _Deserializer(self.npz, self.path + key.strip('/') + '/', self.names)

    def __call__(self, key, value):
        name = self.path + key.lstrip('/')
        self.names.add(name)
        shape, dtype = self.npz.header(name)
        if isinstance(value, chainer.get_array_types()):
            fits = (shape, dtype) == (value.shape, value.dtype)
        else:  # None stands for an array whose shape Chainer does not know yet
            fits = value is None or shape == () and (dtype.kind == 'U') == isinstance(value, str)
        if not fits:
            raise ValueError('its {} does not fit: {} {}'.format(name, dtype, shape))
        value = super().__call__(key, value)
        loaded = value if isinstance(value, chainer.get_array_types()) else np.asarray(value)
        if not _finite(chainer.backends.cuda.to_cpu(loaded)):
            raise ValueError('its {} is not finite'.format(name))
        return value


def _config(npz):
    shape, dtype = npz.header(CONFIG)
    if shape or dtype.kind != 'U' or dtype.itemsize > CONFIG_SIZE:
        raise ValueError('its config is no text')
    return str(npz[CONFIG][()])


def _architecture(npz, prefix):
    """The class of the model, and its arguments, from the names and shapes of the parameters under
    `prefix`.

    Raises: ValueError unless the file holds the parameters of exactly such a model.
    """
    shapes = {}
    for name in npz.files:
        if name.startswith(prefix) and name != CONFIG:
            shapes[name[len(prefix):]], dtype = npz.header(name)
            if dtype != np.float32:
                raise ValueError(NO_MODEL + ' ({} is {}, not float32)'.format(name, dtype))
    gated = 'conv1/vertical_conv_t/W' in shapes
    try:
        hidden_dims, in_channels, _, _ = shapes['conv1/vertical_conv_t/W' if gated else 'conv1/W']
        out_hidden_dims, out_channels = shapes['conv2/W'][0], shapes['conv4/W'][0]
        author = 'conv1/label/W' in shapes
        label = 'conv1/label/W' if author else 'conv1/label_horizontal_t/W'
        classes = shapes[label][0] if gated else None
    except (KeyError, ValueError, IndexError):
        raise ValueError(NO_MODEL) from None
    block_num = len({name.split('/')[1] for name in shapes if name.startswith('blocks/')})
    sizes = {'in_channels': in_channels, 'hidden_dims': hidden_dims, 'block_num': block_num,
             'out_hidden_dims': out_hidden_dims}
    if gated:
        sizes.update(classes=classes, form='author' if author else 'paper')
    convolutions, labels = (_gated_layers if gated else _layers)(**sizes)
    convolutions['conv2'] = (out_hidden_dims, hidden_dims, 1, 1)
    convolutions['conv4'] = (out_channels, out_hidden_dims, 1, 1)
    expected = {name + '/W': shape for name, shape in convolutions.items()}
    expected.update({name + '/b': shape[:1] for name, shape in convolutions.items()})
    expected.update({name + '/W': (classes, hidden_dims) for name in labels})
    wrong = sorted(name for name in expected.keys() | shapes.keys()
                   if expected.get(name) != shapes.get(name))
    if wrong or in_channels not in (1, 3) or out_channels % in_channels:
        raise ValueError(NO_MODEL + (' ({} does not fit)'.format(wrong[0]) if wrong else ''))
    return GatedPixelCNN if gated else PixelCNN, dict(sizes, out_dims=out_channels // in_channels)


def _layers(in_channels, hidden_dims, block_num, out_hidden_dims):
    """The shapes of the convolutions of a PixelCNN, but for the output's, and its labels: none"""
    half_dims = hidden_dims // 2
    convolutions = {'conv1': (hidden_dims, in_channels, 7, 7)}
    for n in range(block_num):
        block = 'blocks/{}/conv'.format(n)
        convolutions[block + '1'] = (half_dims, hidden_dims, 1, 1)
        convolutions[block + '2'] = (half_dims, half_dims, 3, 3)
        convolutions[block + '3'] = (hidden_dims, half_dims, 1, 1)
    return convolutions, []


def _gated_layers(in_channels, hidden_dims, block_num, out_hidden_dims, classes, form):
    """The same of a GatedPixelCNN, and the names of its labels"""
    convolutions, labels = {}, []
    for n in range(1 + block_num):
        block = 'blocks/{}/'.format(n - 1) if n else 'conv1/'
        inputs, ksize = (hidden_dims, 3) if n else (in_channels, 7)
        for gate in 'ts':
            convolutions[block + 'vertical_conv_' + gate] = (
                hidden_dims, inputs, ksize // 2 + 1, ksize)
            convolutions[block + 'v_to_h_conv_' + gate] = (hidden_dims, hidden_dims, 1, 1)
            convolutions[block + 'horizontal_conv_' + gate] = (hidden_dims, inputs, 1, ksize)
        convolutions[block + 'horizontal_output'] = (hidden_dims, hidden_dims, 1, 1)
        stacks = ('horizontal',) if n == block_num else ('horizontal', 'vertical')
        labels += [block + 'label'] if form == 'author' else [
            '{}label_{}_{}'.format(block, stack, gate) for stack in stacks for gate in 'ts']
    return convolutions, labels
