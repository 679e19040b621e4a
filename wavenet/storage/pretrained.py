"""The models that come with this package: `wavenet/pretrained/NAME.npz`."""
import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / 'pretrained'


def names():
    """The names of the models that come with this package, a sorted list."""
    return sorted(path.stem for path in FOLDER.glob('*.npz'))


def find(path_or_name):
    """The path of a model's file: a file of that path, or else the pretrained model of that name.

    Raises: FileNotFoundError that lists the names if there is neither.
    """
    if os.path.lexists(path_or_name):
        return path_or_name
    if str(path_or_name) in names():
        return FOLDER / f'{path_or_name}.npz'
    raise FileNotFoundError(f'{path_or_name}: there is no such file, and no pretrained model of '
                            f'this name; there are {", ".join(names())}')
