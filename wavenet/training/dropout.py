"""Dropout that is the same when a training goes on from a snapshot, on a CPU or a GPU."""
import numpy as np
from chainer.training import extension


class DropoutSeed(extension.Extension):
    """Seeds the random numbers of each iteration, from which Chainer's dropout draws.

    The state of a GPU's generator cannot be saved, so it is made anew from the seed, the iteration
    and the rank. Several processes therefore drop other values than a single one does.

    Args:
        xp: the module whose global generator the device uses, NumPy or CuPy.
        seed: of the training.
        rank: of this process.
    """

    def __init__(self, xp, seed, rank):
        self.xp = xp
        self.seed = seed
        self.rank = rank

    def __call__(self, trainer):
        entropy = self.seed, trainer.updater.iteration, self.rank
        self.xp.random.seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))

    initialize = __call__  # for the first iteration, also when a training goes on
