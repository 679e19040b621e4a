
"""The only place that knows names that Chainer 7 has dropped and the author's code of 2017 uses.

`author.py` calls `put_back` in its own process if the author's code runs under Chainer 7. Under
Chainer 1 nothing is put back.
"""
import sys
import types

import chainer
import chainer.functions.connection.convolution_2d as convolution_2d


def put_back():
    """Restores the names. Returns: a list with a line for each."""
    restored = []

    # Attributes of a link. The author always gives the number of input channels, so all parameters
    # are initialized. The other two attributes have an effect on GPUs only.
    for name, value in (('has_uninitialized_params', False), ('use_cudnn', True),
                        ('deterministic', False)):
        if not hasattr(chainer.links.Convolution2D, name):
            setattr(chainer.links.Convolution2D, name, value)
            restored.append('{} of convolutions'.format(name))

    # Arguments of a function. In Chainer 1 use_cudnn stands where Chainer 7 has cover_all.
    original = convolution_2d.convolution_2d

    def as_in_chainer_1(x, W, b=None, stride=1, pad=0, use_cudnn=True, cover_all=False,
                        deterministic=False, **kwargs):
        return original(x, W, b, stride, pad, cover_all, **kwargs)

    convolution_2d.convolution_2d = as_in_chainer_1
    restored.append('use_cudnn and deterministic of convolution_2d')

    # infer.py writes its image file with scipy.misc, which SciPy has dropped. A comparison writes
    # no image file, so an empty module is enough.
    try:
        import scipy.misc
    except ImportError:
        scipy = sys.modules.get('scipy', types.ModuleType('scipy'))
        scipy.misc = types.ModuleType('scipy.misc')
        sys.modules.update({'scipy': scipy, 'scipy.misc': scipy.misc})
        restored.append('scipy.misc, as an empty module')
    return restored
