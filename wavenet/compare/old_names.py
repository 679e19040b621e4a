"""THE place with the names that Chainer 7 has dropped and the author's code of 2017 uses.

`author.py` calls `put_back` in the author's process, where his code runs under Chainer 7. Nothing
else in this project imports it, and under Chainer 1 nothing is put back.
"""
import sys
import types

import chainer
import chainer.functions.connection.convolution_2d as convolution_2d


def put_back():
    """Restores the names. Returns a line for each."""
    restored = []

    # Attributes of a link. The author gives all channels, so no parameter is ever uninitialized;
    # the other two concern GPUs.
    for name, value in (('has_uninitialized_params', False), ('use_cudnn', True),
                        ('deterministic', False)):
        if not hasattr(chainer.links.Convolution2D, name):
            setattr(chainer.links.Convolution2D, name, value)
            restored.append('{} of convolutions'.format(name))

    # The function: Chainer 1 has use_cudnn where Chainer 7 has cover_all, and deterministic later.
    original = convolution_2d.convolution_2d

    def as_in_chainer_1(x, W, b=None, stride=1, pad=0, use_cudnn=True, cover_all=False,
                        deterministic=False, **kwargs):
        return original(x, W, b, stride, pad, cover_all, **kwargs)

    convolution_2d.convolution_2d = as_in_chainer_1
    restored.append('use_cudnn and deterministic of convolution_2d')

    # SciPy, by which infer.py writes its picture file, dropped that before Chainer 7 came. Here no
    # picture is written.
    try:
        import scipy.misc  # noqa: F401
    except ImportError:
        scipy = sys.modules.get('scipy', types.ModuleType('scipy'))
        scipy.misc = types.ModuleType('scipy.misc')
        sys.modules.update({'scipy': scipy, 'scipy.misc': scipy.misc})
        restored.append('scipy.misc, as a name')
    return restored
