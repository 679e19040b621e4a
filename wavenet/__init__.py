"""PixelCNN as Sergei Turukin's post of 22 February 2017 describes it, in Chainer.

`import wavenet` imports NumPy only, and makes Chainer importable. All else is imported when it is
first used: `wavenet.load` and `wavenet.train` (see docs/api.md), and the public modules,
`wavenet.models`, `wavenet.sampling` and so on.
"""
import importlib

from wavenet import compat  # noqa: F401  first: it makes Chainer importable
from wavenet.version import __version__  # noqa: F401

_MODULES = ['distributions', 'evaluate', 'models', 'sampling', 'serialization', 'utils']
# Names, and the modules that have them
_FACE = {'load': 'api', 'train': 'api', 'Model': 'api', 'SoundModel': 'api'}
__all__ = ['pretrained', *_FACE, *_MODULES]


def pretrained():
    """The names of the models that come with this package, for `wavenet.load` and `--model`."""
    from wavenet.storage.pretrained import names
    return names()


def __getattr__(name):
    if name in _FACE:
        return getattr(importlib.import_module(f'wavenet.{_FACE[name]}'), name)
    if name in _MODULES:
        return importlib.import_module(f'wavenet.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    return sorted([*globals(), *__all__])
