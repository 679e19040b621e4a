"""The samples that train.py writes while it trains."""
import os

from chainer.training import extension

from wavenet import pictures, sampling
from wavenet.training.reports import tolerant

LEAST_WIDTH = 56    # pixels of a sample on the screen


class SampleGrid(extension.Extension):
    """Writes samples from the model into `samples/epoch_N.png` after an epoch, and otherwise into
    `samples/iteration_N.png`.

    It uses the same random numbers each time, so the images of different epochs can be compared.

    Args:
        model: one of a family.
        count: number of samples.
        dataset: the training images, an `ImageDataset`.
        seed: of the random numbers.
    """

    priority = -300

    def __init__(self, model, count, dataset, seed):
        self.model = model
        self.shape = (count, *dataset.shape)
        self.seed = seed
        self.scale = -(-LEAST_WIDTH // dataset.shape[2])

    @tolerant
    def __call__(self, trainer):
        path = self.path(trainer)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        samples = sampling.generate(self.model, self.shape, self.seed)
        pictures.save(path, pictures.square(samples), self.scale)

    def path(self, trainer):
        unit = 'epoch' if trainer.updater.is_new_epoch else 'iteration'
        return os.path.join(trainer.out, 'samples', f'{unit}_{getattr(trainer.updater, unit)}.png')
