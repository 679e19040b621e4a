"""An optimizer that updates all parameters at once, as one array.

On a GPU, Chainer's optimizers launch one or more kernels for each parameter, hundreds in a step of
a network of many layers, and each launch takes longer than its work. Here the parameters are parts
of one array, their gradients are joined in one, and Adam, weight decay and clipping are a few
kernels for all of them. On a CPU nothing is gained, so Chainer's own way is kept there.
"""
import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda


def flatten(link):
    """Makes the parameters of a link parts of one array. Returns: that array, (values,)."""
    params = list(link.params())
    xp = link.xp
    flat = xp.concatenate([param.array.ravel() for param in params])
    for param, part in zip(params, parts(flat, params)):
        param.array = part
    return flat


def parts(flat, params):
    """The parts of a flat array that belong to each parameter, views of its shape."""
    start = 0
    for param in params:
        yield flat[start:start + param.size].reshape(param.shape)
        start += param.size


def flat_optimizer(optimizer):
    """Makes an optimizer of Chainer, before its setup, one that updates all parameters at once."""
    own = type(optimizer)
    optimizer.__class__ = type(f'Flat{own.__name__}', (FlatOptimizer, own), {})
    return optimizer


class FlatOptimizer:
    """Adds this to a `chainer.optimizer.GradientMethod`.

    Snapshots hold the state of each parameter, as those of the optimizer without this.

    Attributes:
        flat: a link with one parameter, all parameters of the target.
    """

    def setup(self, link):
        super().setup(link)
        self.flat = chainer.Link()
        with self.flat.init_scope():
            self.flat.all = chainer.Parameter(flatten(link))
        self.flat.all.update_rule = self.create_update_rule()
        self.flat.all.update_rule._init_states(self.flat.all)  # such as Adam's moments
        params = list(link.params())
        for name, state in self.flat.all.update_rule.state.items():
            for param, part in zip(params, parts(state, params)):
                param.update_rule._state = param.update_rule.state or {}
                param.update_rule.state[name] = part
        return self

    def update(self, lossfun=None, *args, **kwds):
        link = self.target
        if lossfun is not None:
            loss = lossfun(*args, **kwds)
            link.cleargrads()
            loss.backward()
            del loss
        if self.flat.all.grad is None:
            self.join_gradients()
        self.target = self.flat
        try:
            super().update()   # hooks and rule, of the one parameter
        finally:
            self.target = link
            self.flat.cleargrads()

    def join_gradients(self):
        """Joins the gradients of the parameters in one, that of `flat`, for the next update."""
        self.reallocate_cleared_grads()
        self.flat.all.grad = self.target.xp.concatenate(
            [param.grad.ravel() for param in self.target.params()])

    def serialize(self, serializer):
        rules = [param.update_rule for param in self.target.params()]
        for rule in rules:
            rule.t = self.flat.all.update_rule.t
        super().serialize(serializer)
        self.flat.all.update_rule.t = rules[0].t


class Clipping:
    """Scales the gradient down to an L2 norm, as Chainer's GradientClipping, but without waiting
    for the device to tell the norm."""

    name = 'GradientClipping'
    call_for_each_param = False
    timing = 'pre'

    def __init__(self, threshold):
        self.threshold = threshold

    def __call__(self, optimizer):
        for param in optimizer.target.params():   # one, that of a flat optimizer
            xp = param.xp
            norm = xp.sqrt(xp.dot(param.grad, param.grad))
            param.grad *= xp.minimum(self.threshold / norm, 1)


def move_towards(average, values, rate):
    """average += rate · (values - average), in one kernel on a GPU; arrays (values,)."""
    if backend.get_array_module(average) is np:
        average += rate * (values - average)
        return
    cuda.elementwise('T value, T rate', 'T average', 'average += rate * (value - average)',
                     'move_towards')(values, average.dtype.type(rate), average)
