"""A model to one .npz and back.

The file holds each parameter under the author's name (`conv1/W`, `blocks/0/conv2/b`, …), so that
his `chainer.serializers.load_npz` reads ours, and one JSON string, `config`, with the model's
sizes and whatever else is known of it. His files, which hold no `config`, load here too: the
names and shapes of the parameters tell which model it is, and its sizes.

Nothing is ever unpickled. Chainer's own `load_npz` allows pickle, so that a stranger's file could
run code.
"""
import json

import numpy as np
from chainer import serializers

from wavenet.files import atomic_write, open_npz
from wavenet.gated import GatedPixelCNN
from wavenet.models import PixelCNN

CONFIG = 'config'
SETTINGS = 'settings'
NO_MODEL = "it holds no PixelCNN, neither the post's nor a gated one"
TRAINER_PREFIX = 'updater/model:main/predictor/'  # where a trainer's snapshot keeps the model


def save_model(path, model, **about):
    """Writes a model to one .npz, atomically: whole, or not at all.

    Args:
        path: of the file.
        model: a `PixelCNN` or a `GatedPixelCNN`, on any device.
        about: what else is to be known of it, JSON values; generate.py reads `height` and `width`.

    Raises: OSError where the file cannot be written.
    """
    arrays = serializers.npz.serialize(model)
    config = dict(about, model=type(model).__name__, **model.architecture)
    arrays[CONFIG] = np.array(json.dumps(config, sort_keys=True))
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)


def load_model(path):
    """Reads a model from a file of `save_model`, or of the author's.

    Of the author's there are two kinds: `pixelcnn_N`, the model, and `snapshot_iter_N`, the trainer
    with the model in it.

    Returns: a `PixelCNN` or a `GatedPixelCNN` on the CPU; its attribute `about` holds the file's
        configuration, a dict, with the model's sizes always in it.

    Raises: ValueError for a file that holds no such model; OSError for one that cannot be read.
    """
    with open_npz(path) as npz:
        prefix = TRAINER_PREFIX if TRAINER_PREFIX + 'conv4/W' in npz.files else ''
        kind, sizes = _architecture(npz, prefix)
        model = kind(**sizes)
        serializers.NpzDeserializer(npz, prefix).load(model)
        about = json.loads(str(npz[CONFIG][()])) if CONFIG in npz.files else {}
        if not isinstance(about, dict):
            raise ValueError('its config is no JSON object')
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
        model = trainer.updater.get_optimizer('main').target.predictor
        kind, sizes = _architecture(npz, TRAINER_PREFIX)
        if kind is not type(model):
            raise ValueError('it is of another architecture: {} (here {})'.format(
                kind.__name__, type(model).__name__))
        other = ['{} {} (here {})'.format(name, size, model.architecture[name])
                 for name, size in sizes.items() if size != model.architecture[name]]
        if other:
            raise ValueError('it is of another architecture: ' + ', '.join(other))
        if not any(name.endswith('/' + SETTINGS) for name in npz.files):
            raise ValueError('it is no snapshot of this train.py, so training cannot go on from it')
        serializers.NpzDeserializer(npz).load(trainer)


def _architecture(npz, prefix):
    """The class of the model, and its arguments, from the names and shapes of the parameters under
    `prefix`.

    Raises: ValueError unless the file holds the parameters of exactly such a model.
    """
    shapes = {name[len(prefix):]: npz[name].shape
              for name in npz.files if name.startswith(prefix) and name != CONFIG}
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
    if wrong or in_channels == 0 or out_channels % in_channels:
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
