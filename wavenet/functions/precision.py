"""The precision of the parameters of a model."""
import functools

import chainer
import numpy as np


def float32_parameters(make):
    """Decorates what makes a link: its parameters are float32, like the inputs of all models here.

    Chainer's own default is `chainer.config.dtype`, which the environment variable CHAINER_DTYPE
    sets for all programs of a user.
    """
    @functools.wraps(make)
    def wrapped(*args, **kwargs):
        with chainer.using_config('dtype', np.float32):
            return make(*args, **kwargs)
    return wrapped
