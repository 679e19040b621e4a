"""The learning rate, which Chainer's optimizers call `lr` or `alpha`."""
from chainer.training import extension


def attribute(optimizer):
    """The name of the attribute that holds the learning rate: 'lr', or 'alpha' as in Adam.

    Adam also has an `lr`, which depends on `alpha`; the `alpha` of RMSprop is something else.
    """
    return 'lr' if hasattr(optimizer.hyperparam, 'lr') else 'alpha'


def get(optimizer):
    """The current learning rate of a Chainer optimizer."""
    return getattr(optimizer, attribute(optimizer))


class LearningRateDecay(extension.Extension):
    """Sets the learning rate of iteration t (1, 2, …) to start * factor ** (t - 1).

    It is our own because Chainer's ExponentialShift keeps a count of its own in snapshots, so it
    cannot go on from snapshots of earlier versions. This one needs the iteration only.

    Args:
        optimizer: its learning rate when this object is made is the start.
        factor: of each iteration.
    """

    def __init__(self, optimizer, factor):
        self.optimizer = optimizer
        self.start = get(optimizer)
        self.factor = factor

    def __call__(self, trainer):
        rate = self.start * self.factor ** trainer.updater.iteration
        setattr(self.optimizer, attribute(self.optimizer), rate)

    initialize = __call__  # also when a training goes on
