"""Extensions that write the files of a training: the model, a plot of the losses.

Each has `path(trainer)`, the file that it writes. All of them can be written again from a snapshot.
"""
import os

from chainer.training import extension

from wavenet.storage.files import atomic_write
from wavenet.storage.model_file import save_model
from wavenet.training.reports import tolerant


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
