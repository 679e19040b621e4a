"""Extensions that write the files of a training: the model, a plot of the losses, samples.

Each has `path(trainer)`, the file that it writes. All of them can be written again from a snapshot.
"""
import os

from chainer.training import extension

from wavenet import pictures, sampling
from wavenet.storage.files import atomic_write
from wavenet.storage.model_file import save_model
from wavenet.training.reports import tolerant

SIDE = 4            # samples are shown in a square of SIDE × SIDE
LEAST_WIDTH = 56    # pixels of a sample on the screen


class ModelFile(extension.Extension):
    """Writes the model into `model.npz`.

    Args:
        model: of one of the families.
        about: JSON values that the file also records. Epoch and iteration are added.
    """

    priority = -200  # after the snapshot

    def __init__(self, model, **about):
        self.model = model
        self.about = about

    def __call__(self, trainer):
        save_model(self.path(trainer), self.model, epoch=trainer.updater.epoch,
                   iteration=trainer.updater.iteration, **self.about)

    def path(self, trainer):
        return os.path.join(trainer.out, 'model.npz')


class LossPlot(extension.Extension):
    """Plots values of the log into `loss.png`.

    Args:
        keys: names of the values.
        unit: 'epoch' or 'iteration', the horizontal axis.
    """

    priority = -300

    def __init__(self, keys, unit='epoch'):
        self.keys = keys
        self.unit = unit

    @tolerant
    def __call__(self, trainer):
        from matplotlib.figure import Figure  # a third of a second, so not at the start
        log = trainer.get_extension('LogReport').log
        figure = Figure()
        axes = figure.add_subplot(xlabel=self.unit)
        axes.grid()
        for key in self.keys:
            points = [(entry[self.unit], entry[key]) for entry in log if key in entry]
            axes.plot(*zip(*points), marker='x', label=key)
        axes.legend()
        with atomic_write(self.path(trainer)) as file:
            figure.savefig(file, format='png')

    def path(self, trainer):
        return os.path.join(trainer.out, 'loss.png')


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
