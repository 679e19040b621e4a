"""The one place that knows that Chainer 7.8.1 (2022) is older than its Python and its NumPy.

Importing `wavenet` imports this module. It restores what Chainer expects and no longer finds,
before anyone imports Chainer, and lists it in `RESTORED`; `python -m wavenet` prints the list. It
imports nothing but NumPy.
"""
import importlib.util
import logging
import os
import sys
import types
import warnings

# Module: what pip calls it
_NEEDED = {'numpy': 'numpy', 'chainer': 'chainer', 'matplotlib': 'matplotlib', 'tqdm': 'tqdm',
           'threadpoolctl': 'threadpoolctl', 'PIL': 'pillow'}

for _module, _package in _NEEDED.items():
    if importlib.util.find_spec(_module) is None:
        raise ImportError(
            f'{_package} is not installed in this Python: `make demo` installs all that is needed '
            'into .venv, and `. .venv/bin/activate` makes that the Python to use', name='wavenet')

import numpy as np  # noqa: E402  after the check

_DTYPES = 'float16', 'float32', 'float64', 'mixed16'
if os.environ.get('CHAINER_DTYPE', 'float32') not in _DTYPES:  # Chainer raises TypeError
    raise ImportError(f'the environment variable CHAINER_DTYPE is {os.environ["CHAINER_DTYPE"]!r}: '
                      f'unset it, or set it to one of {", ".join(_DTYPES)}', name='wavenet')

RESTORED = []  # one line for each thing that was missing


def _restore_sctypes():
    """NumPy 2 dropped `numpy.sctypes`; chainer.functions.array.as_strided reads it on import."""
    if hasattr(np, 'sctypes'):
        return
    np.sctypes = {  # noqa: NPY201
        'int': [np.int8, np.int16, np.int32, np.int64],
        'uint': [np.uint8, np.uint16, np.uint32, np.uint64],
        'float': [np.float16, np.float32, np.float64, np.longdouble],
        'complex': [np.complex64, np.complex128, np.clongdouble],
        'others': [bool, object, bytes, str, np.void],
    }
    RESTORED.append('numpy.sctypes (gone since NumPy 2)')


def _replace_environment_check():
    """Puts an empty module in the place of chainer._environment_check.

    Chainer runs it on import, to warn of macOS's Accelerate and of versions of CuPy that it does
    not know. It imports numpy.distutils and pkg_resources: newer Pythons have neither, in others
    they take a quarter of a second.
    """
    name = 'chainer._environment_check'
    if name in sys.modules:  # someone has imported Chainer before
        return
    module = types.ModuleType(name, 'Does nothing: see wavenet.compat.')
    module.check = lambda: None
    sys.modules[name] = module
    RESTORED.append(f'{name} (needs numpy.distutils and pkg_resources; does nothing now)')


def _ignore_warnings():
    """Ignores warnings that a user can do nothing about: Chainer calls deprecated functions; CuPy
    comes without cuDNN, which masked convolutions do not use, and without NCCL."""
    for message in ('cuDNN is not enabled', r'\s*(nccl|cudnn) library could not be loaded'):
        warnings.filterwarnings('ignore', message=message)
    warnings.filterwarnings('ignore', category=DeprecationWarning, module='chainer')


def restore_half():
    """Makes ChainerMN's kernels that cast gradients compile: they use `half`, which the header that
    they include no longer defines since CuPy 14. To be called after ChainerMN is imported."""
    from chainer.backends import cuda

    raw = cuda.raw
    if getattr(raw, 'restores_half', False):
        return

    def with_half(code, *args, **kwargs):
        return raw('#include <cuda_fp16.h>\n' * ('half' in code) + code, *args, **kwargs)

    with_half.restores_half = True
    cuda.raw = with_half
    RESTORED.append('half in the kernels of ChainerMN (gone since CuPy 14)')


_restore_sctypes()
_replace_environment_check()
_ignore_warnings()
for _line in RESTORED:
    logging.getLogger(__name__).info('restored %s', _line)
