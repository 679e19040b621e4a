"""The one place that knows Chainer 7.8.1 (2022) is older than the Python and NumPy it runs on.

Importing `wavenet` imports this module first. It restores what Chainer takes for granted and no
longer finds, touches nothing that is there, and keeps a list of what it did in `RESTORED`;
`python -m wavenet` prints it with the versions in use.
"""
import importlib.util
import logging
import sys
import types
import warnings

for _name in ('numpy', 'chainer', 'matplotlib', 'tqdm', 'threadpoolctl'):
    if importlib.util.find_spec(_name) is None:
        sys.stderr.write('{} is not installed in this Python: `make demo` installs all there is to, '
                         'and `. .venv/bin/activate` uses it\n'.format(_name))
        raise SystemExit(2)

import numpy as np  # noqa: E402

RESTORED = []  # one line for each thing that was missing


def _restore_sctypes():
    """NumPy 2 dropped `numpy.sctypes`; chainer.functions.array.as_strided reads it when imported."""
    if hasattr(np, 'sctypes'):
        return
    np.sctypes = {
        'int': [np.int8, np.int16, np.int32, np.int64],
        'uint': [np.uint8, np.uint16, np.uint32, np.uint64],
        'float': [np.float16, np.float32, np.float64, np.longdouble],
        'complex': [np.complex64, np.complex128, np.clongdouble],
        'others': [bool, object, bytes, str, np.void],
    }
    RESTORED.append('numpy.sctypes (gone since NumPy 2)')


def _stand_in_for_environment_check():
    """chainer._environment_check warns of bad set-ups, by modules that may be gone by now."""
    missing = [name for name in ('numpy.distutils', 'pkg_resources')
               if importlib.util.find_spec(name) is None]
    if not missing or 'chainer._environment_check' in sys.modules:
        return
    stand_in = types.ModuleType('chainer._environment_check', 'Does nothing: see wavenet.compat.')
    stand_in.check = lambda: None
    sys.modules[stand_in.__name__] = stand_in
    RESTORED.append('chainer._environment_check, which needs {}: does nothing now'.format(
        ' and '.join(missing)))


_restore_sctypes()
_stand_in_for_environment_check()
for _line in RESTORED:
    logging.getLogger(__name__).info('restored %s', _line)

with warnings.catch_warnings():
    # No news to a user: pkg_resources' own notice, where it is still there; and of CuPy 14, that it
    # has no cuDNN, which the masked convolution does not use, and comes without NCCL.
    for _message in ('pkg_resources is deprecated', 'cuDNN is not enabled',
                     r'\s*nccl library could not be loaded'):
        warnings.filterwarnings('ignore', message=_message)
    warnings.filterwarnings('ignore', category=DeprecationWarning)
    import chainer  # noqa: E402  imported last, on purpose
