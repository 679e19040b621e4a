"""The images that train.py writes while it trains."""
from wavenet import pictures
from wavenet.commands.sample_writer import SampleWriter

LEAST_WIDTH = 56    # pixels of a sample on the screen


class SampleGrid(SampleWriter):
    """Writes `count` images of the size of those of an `ImageDataset` into one .png file."""

    ending = '.png'

    def __init__(self, model, count, dataset, seed):
        super().__init__(model, (count, *dataset.shape), seed)
        self.scale = -(-LEAST_WIDTH // dataset.shape[2])

    def write(self, path, samples):
        pictures.save(path, pictures.square(samples), self.scale)
