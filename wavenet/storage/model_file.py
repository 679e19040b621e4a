"""A model's parameters in one .npz: how they are written, and how a stranger's file is read.

The file holds each parameter under the author's name (`conv1/W`, `blocks/0/conv2/b`, …), so that
his `chainer.serializers.load_npz` reads our files, and one JSON string, `config`: the model's
family, its sizes, and whatever else is known of it.

Nothing is ever unpickled, and nothing is read before its size is known (`wavenet/storage/npz.py`).
Chainer's own `load_npz` allows pickle, which lets a stranger's file run code.
"""
import json

import chainer
import numpy as np
from chainer import serializers

from wavenet.storage.npz import save_npz

CONFIG = 'config'
CONFIG_SIZE = 1 << 20  # bytes, at most
# Where a trainer's snapshot keeps the model and, if there is one, its average
TRAINER_PREFIX = 'updater/model:main/predictor/'
AVERAGE_PREFIX = 'extensions/WeightAverage/predictor/'
# Where our snapshots keep the settings of the training, a JSON text as in CONFIG
SETTINGS = 'extensions/Settings/settings'
NO_MODEL = 'it holds no model of a family that is known here'


def save_model(path, model, **about):
    """Writes a model to one .npz, atomically: whole, or not at all.

    Args:
        path: of the file.
        model: of one of the families, on any device.
        about: what else is to be known of it, JSON values; generate.py reads `height` and `width`.

    The same model and the same `about` give the same bytes.

    Raises: OSError where the file cannot be written; ValueError for a model that is not finite.
    """
    arrays = serializers.npz.serialize(model)
    config = dict(about, model=model.family, **model.config.to_json())
    arrays[CONFIG] = np.array(json.dumps(config, sort_keys=True))
    save_arrays(path, arrays)


def save_arrays(path, arrays):
    """Writes a dict of arrays to one .npz, if they are finite. Raises: as `save_model`."""
    for name, array in arrays.items():
        if not is_finite(array):
            raise ValueError(f'{path} is not written: {name} is not finite')
    save_npz(path, arrays)


def is_finite(array):
    """Whether no value of an array is NaN or infinite."""
    return array.dtype.kind not in 'fc' or bool(np.isfinite(array).all())


def parameter_shapes(npz, prefix):
    """The shapes of the parameters under a prefix, by their names.

    Raises: ValueError for one that is not float32.
    """
    shapes = {}
    for name in npz.files:
        if name.startswith(prefix) and name != CONFIG:
            shapes[name[len(prefix):]], dtype = npz.header(name)
            if dtype != np.float32:
                raise ValueError(f'{NO_MODEL} ({name} is {dtype}, not float32)')
    return shapes


def read_about(npz):
    """The JSON object of `config`; an empty one where the file has none.

    A snapshot of a model of labels has its settings instead, since the shapes of the parameters do
    not tell that they are labels.
    """
    about = _read_json(npz, CONFIG, 'config')
    if CONFIG not in npz.files:
        settings = _read_json(npz, SETTINGS, 'settings')
        about = settings if settings.get('one_hot') is True else {}
    for name in ('height', 'width'):
        if name in about and not (type(about[name]) is int and about[name] >= 1):
            raise ValueError(f'its {name} is {about[name]!r}')
    for name, fits in (('class_names', _are_names), ('split', _is_split),
                       ('trained_classes', _are_numbers)):
        if about.get(name) is not None and not fits(about[name]):
            raise ValueError(f'its {name} is not valid')
    return about


def _read_json(npz, name, what):
    """The JSON object under a name; an empty one where the file has none."""
    if name not in npz.files:
        return {}
    shape, dtype = npz.header(name)
    if shape or dtype.kind != 'U' or dtype.itemsize > CONFIG_SIZE:
        raise ValueError(f'its {what} is not a text')
    about = json.loads(str(npz[name][()]))
    if not isinstance(about, dict):
        raise ValueError(f'its {what} is not a JSON object')
    return about


def _are_names(value):
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_numbers(value):
    return isinstance(value, list) and all(
        type(number) is int and 0 <= number < 2 ** 31 for number in value)


def _is_split(value):
    seed = value.get('seed') if isinstance(value, dict) else None
    return type(seed) is int and 0 <= seed < 2 ** 32


def holds(serializer, key):
    """Whether a file that is read has an array of this name; True for a file that is written."""
    if isinstance(serializer, chainer.Serializer):
        return True
    return serializer.path + key in getattr(serializer.npz, 'files', serializer.npz)


class Deserializer(serializers.NpzDeserializer):
    """Chainer's, for a stranger's file: nothing is cast or broadcast to fit, nothing may be missing
    or not finite. `names` are the names that it was asked for."""

    def __init__(self, npz, path='', names=None):
        super().__init__(npz, path)
        self.names = set() if names is None else names

    def __getitem__(self, key):
        return Deserializer(self.npz, self.path + key.strip('/') + '/', self.names)

    def __call__(self, key, value):
        name = self.path + key.lstrip('/')
        self.names.add(name)
        shape, dtype = self.npz.header(name)
        if isinstance(value, chainer.get_array_types()):
            fits = (shape, dtype) == (value.shape, value.dtype)
        else:  # None stands for an array whose shape Chainer does not know yet
            fits = value is None or shape == () and (dtype.kind == 'U') == isinstance(value, str)
        if not fits:
            raise ValueError(f'its {name} does not fit: {dtype} {shape}')
        value = super().__call__(key, value)
        loaded = value if isinstance(value, chainer.get_array_types()) else np.asarray(value)
        if not is_finite(chainer.backends.cuda.to_cpu(loaded)):
            raise ValueError(f'its {name} is not finite')
        return value
