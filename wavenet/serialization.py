"""A model to one .npz and back: `save_model` and `load_model`.

The file says which family and sizes the model has, and is checked against them. The author's files
say nothing and load here too: the families recognize them by the names and shapes of the
parameters. `wavenet/storage/model_file.py` describes the file.
"""
import dataclasses

from wavenet.families import registry
from wavenet.storage import pretrained
from wavenet.storage.model_file import (
    AVERAGE_PREFIX,
    NO_MODEL,
    TRAINER_PREFIX,
    Deserializer,
    parameter_shapes,
    read_about,
    save_model,
)
from wavenet.storage.npz import open_npz

__all__ = ['load_model', 'save_model']


def load_model(path, data=None):
    """Reads a model from a file of `save_model`, or of the author's.

    In place of a path, `path` may be the name of a model that comes with this package, such as
    'mnist'; a file of that name goes first.

    The author writes two kinds of files: `pixelcnn_N`, the model, and `snapshot_iter_N`, the
    trainer with the model in it. Our own snapshots load, too: where they hold an average of the
    weights, the average is taken.

    `data` is the kind of data that the model must be of, such as 'images'; None for any.

    Returns: the model, on the CPU; its attribute `about` holds the file's configuration, a dict,
        which always has the model's sizes.

    Raises: ValueError for a file that holds no such model; OSError for one that cannot be read.
    """
    with open_npz(pretrained.find(path)) as npz:
        prefix = next((prefix for prefix in (AVERAGE_PREFIX, TRAINER_PREFIX)
                       if any(name.startswith(prefix) for name in npz.files)), '')
        about = read_about(npz)
        family, config = _identify(parameter_shapes(npz, prefix), about)
        if data not in (None, family.data):
            raise ValueError(f'a {family.title} is a model of {family.data}, not of {data}')
        model = family.build(config)
        Deserializer(npz, prefix).load(model)
        model.about = dict(about, **config.to_json())
    return model


def _identify(shapes, about):
    """The family and the config of the model with these parameters.

    Raises: ValueError unless these are exactly the parameters of such a model.
    """
    # Files that were written before families had names say which class it is, and perhaps a mistake
    name = about.get('mistake', about.get('model'))
    if name is None or name in registry.FORMER_NAMES:
        found = registry.recognize(shapes)
        if not found:
            raise ValueError(NO_MODEL)
        return found
    family = registry.get(name)
    config = family.config.from_json(about)
    _check_sizes(config, shapes)
    expected = family.shapes(config)
    wrong = sorted(name for name in expected.keys() | shapes.keys()
                   if expected.get(name) != shapes.get(name))
    if wrong:
        raise ValueError(f'{NO_MODEL} ({wrong[0]} does not fit its config)')
    return family, config


def _check_sizes(config, shapes):
    """Raises: ValueError for a size that cannot be that of these parameters: nothing is built in
    memory from a number that a stranger's file only claims."""
    largest = max([len(shapes), *(number for shape in shapes.values() for number in shape)])
    bounded = {field.name for field in dataclasses.fields(config) if field.metadata.get('most')}
    for name, value in config.to_json().items():
        if isinstance(value, int) and value > largest and name not in bounded:
            raise ValueError(f'{NO_MODEL} (its {name} cannot be {value})')
