"""What the samples that train.py writes have in common, images and sounds."""
import os

from chainer.training import extension

from wavenet import sampling
from wavenet.training.reports import tolerant


class SampleWriter(extension.Extension):
    """Writes samples from the model into `samples/epoch_N` after an epoch, and otherwise into
    `samples/iteration_N`.

    It uses the same random numbers each time, so the samples of different epochs can be compared.
    Subclasses have `ending`, of the file's name, and `write(path, samples)`.

    Args:
        model: one of a family.
        shape: of the samples, as of `sampling.generate`.
        seed: of the random numbers.
    """

    priority = -300

    def __init__(self, model, shape, seed):
        self.model = model
        self.shape = shape
        self.seed = seed

    @tolerant
    def __call__(self, trainer):
        path = self.path(trainer)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.write(path, sampling.generate(self.model, self.shape, self.seed))

    def path(self, trainer):
        unit = 'epoch' if trainer.updater.is_new_epoch else 'iteration'
        number = getattr(trainer.updater, unit)
        return os.path.join(trainer.out, 'samples', f'{unit}_{number}{self.ending}')
