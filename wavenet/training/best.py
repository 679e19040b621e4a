"""The best model of a training, kept beside the last one, and an end where it gets no better."""
import os

from chainer import training

from wavenet.storage import model_file


class Best(training.Extension):
    """Keeps the weights with which the loss of a test was least.

    Snapshots hold them, so that `best.npz` can be written again from a snapshot.

    Args:
        model: what is tested, on its device.
        loss: name of the loss in the trainer's observation.

    Attributes:
        model: a copy of the model with the best weights.
        loss: the least loss, in nats.
        epoch, iteration: when it was found; 0 before the first test.
        tests: number of tests since then.
    """

    priority = training.PRIORITY_WRITER - 2  # after the test and the check of its loss

    def __init__(self, model, loss):
        self.model = model.copy(mode='copy')
        self.loss = 0.0
        self.epoch = self.iteration = self.tests = 0
        self._source = model
        self._name = loss

    def __call__(self, trainer):
        loss = float(trainer.observation[self._name])
        self.tests += 1
        if not self.iteration or loss < self.loss:
            self.loss, self.tests = loss, 0
            self.epoch, self.iteration = trainer.updater.epoch, trainer.updater.iteration
            self.model.copyparams(self._source)

    def serialize(self, serializer):
        if not model_file.holds(serializer, 'loss'):
            return  # a snapshot of an earlier version
        self.loss = float(serializer('loss', self.loss))
        self.epoch = int(serializer('epoch', self.epoch))
        self.iteration = int(serializer('iteration', self.iteration))
        self.tests = int(serializer('tests', self.tests))
        if min(self.epoch, self.iteration, self.tests) < 0:
            raise ValueError('its best model is not valid')
        self.model.serialize(serializer['model'])


class BestFile(training.Extension):
    """Writes the best model into `best.npz`.

    Args:
        best: a `Best`.
        about: JSON values that the file also records, a dict; epoch and iteration of the best model
            are added.
        chosen_on: 'validation' or 'test', the images of the tests.
    """

    priority = -200  # after the snapshot

    def __init__(self, best, about, chosen_on):
        self.best = best
        self.about = about
        self.chosen_on = chosen_on
        self._written = 0

    def __call__(self, trainer):
        best = self.best
        if best.iteration != self._written:
            model_file.save_model(self.path(trainer), best.model, **{
                **self.about, 'epoch': best.epoch, 'iteration': best.iteration,
                'chosen_on': self.chosen_on, 'chosen_nll': best.loss})
            self._written = best.iteration

    def path(self, trainer):
        return os.path.join(trainer.out, 'best.npz')
