"""The samples that train.py writes while it trains."""
import os

from chainer.training import extension

from wavenet import pictures, sampling
from wavenet.training.reports import tolerant

SIDE = 4            # samples are shown in a square of SIDE × SIDE
LEAST_WIDTH = 56    # pixels of a sample on the screen


class SampleGrid(extension.Extension):
    """Writes SIDE × SIDE samples from the model into `samples/epoch_N.png`.

    It uses the same random numbers each time, so the images of different epochs can be compared.

    Args:
        model: one of a family.
        shape: (C, H, W) of an image.
        seed: of the random numbers.
    """

    priority = -300

    def __init__(self, model, shape, seed):
        self.model = model
        self.shape = (SIDE ** 2, *shape)
        self.seed = seed
        self.scale = -(-LEAST_WIDTH // shape[2])

    @tolerant
    def __call__(self, trainer):
        path = self.path(trainer)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        samples = sampling.generate(self.model, self.shape, self.seed)
        pictures.save(path, pictures.square(samples), self.scale)

    def path(self, trainer):
        return os.path.join(trainer.out, 'samples', f'epoch_{trainer.updater.epoch}.png')
