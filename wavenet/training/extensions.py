"""What the Trainer does between its steps: it tests, logs, draws, and listens to signals."""
import functools
import json
import math
import os
import signal
import sys

import chainer
import numpy as np
import tqdm
from chainer import reporter
from chainer.dataset import convert
from chainer.training import extension, extensions, triggers

from wavenet import cli, pictures, sampling, serialization
from wavenet.storage.files import atomic_write
from wavenet.training import snapshots


def tolerant(call):
    """Decorates an extension's `__call__`: where that fails, one line says so, and the training
    goes on. For what the trainer's state does not depend on."""
    @functools.wraps(call)
    def tolerated(self, trainer):
        try:
            call(self, trainer)
        except Exception as error:  # whatever it is, it is no reason to lose a training
            reason = '{}: {}'.format(type(self).__name__, cli.reason(error))
            if reason != getattr(self, '_reason', None):  # once, if it happens after each iteration
                self._reason = reason
                cli.say('warning: {}; the training goes on'.format(reason))
    return tolerated


class Evaluator(extensions.Evaluator):
    """Chainer's Evaluator, with means over images: a short last batch does not count as a whole."""

    def evaluate(self):
        iterator = self.get_iterator('main')
        iterator.reset()
        summary = reporter.DictSummary()
        for batch in tqdm.tqdm(iterator, total=-(-len(iterator.dataset) // iterator.batch_size),
                               desc='testing', leave=False,
                               disable=not cli.shows_progress(sys.stderr)):
            observation = {}
            with reporter.report_scope(observation), chainer.no_backprop_mode():
                self.get_target('main')(*convert._call_converter(
                    self.converter, batch, self.device))
            summary.add({name: (value, len(batch)) for name, value in observation.items()})
        return summary.compute_mean()


class LogReport(extensions.LogReport):
    """Chainer's LogReport, with a file `log` that is whole at any time, and checked state."""

    def __init__(self, trigger):
        super().__init__(trigger=trigger, log_name=None)

    def __call__(self, trainer):
        entries = len(self.log)
        super().__call__(trainer)
        if len(self.log) > entries:
            with atomic_write(os.path.join(trainer.out, 'log')) as file:
                file.write(json.dumps(self.log, indent=4).encode())

    def serialize(self, serializer):
        super().serialize(serializer)
        if not (isinstance(self.log, list) and all(isinstance(entry, dict) for entry in self.log)
                and all(isinstance(value, (int, float))
                        for entry in self.log for value in entry.values())):
            raise ValueError('its log makes no sense')


class PrintReport(extensions.PrintReport):
    """Chainer's PrintReport: a line for each entry of the log."""

    __call__ = tolerant(extensions.PrintReport.__call__)


class ProgressBar(extensions.ProgressBar):
    """Chainer's ProgressBar."""

    __call__ = tolerant(extensions.ProgressBar.__call__)


class LearningRateDecay(extension.Extension):
    """Makes the learning rate of iteration t, from 1 on, `start * factor ** (t - 1)`, where `start`
    is the optimizer's own. It follows from t alone, so that a snapshot needs no more."""

    def __init__(self, optimizer, factor):
        self.optimizer = optimizer
        self.start = optimizer.alpha
        self.factor = factor

    def __call__(self, trainer):
        self.optimizer.alpha = self.start * self.factor ** trainer.updater.iteration

    initialize = __call__  # also when a run goes on


class ModelFile(extension.Extension):
    """Writes the model, and what else is known of it, into `model.npz`."""

    priority = -200  # after the snapshot

    def __init__(self, model, **about):
        self.model = model
        self.about = about

    def __call__(self, trainer):
        serialization.save_model(self.path(trainer), self.model, epoch=trainer.updater.epoch,
                                 iteration=trainer.updater.iteration, **self.about)

    def path(self, trainer):
        return os.path.join(trainer.out, 'model.npz')


class LossPlot(extension.Extension):
    """Plots values of the log against the epoch, or the iteration, into `loss.png`."""

    priority = -300

    def __init__(self, keys, unit='epoch'):
        self.keys = keys
        self.unit = unit

    @tolerant
    def __call__(self, trainer):
        import matplotlib.figure  # takes half a second: only where it is needed
        log = trainer.get_extension('LogReport').log
        figure = matplotlib.figure.Figure()
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
    """Draws count² pictures from the model into `samples/epoch_N.png`, the same draws each time."""

    priority = -300

    def __init__(self, model, shape, seed, count=4):
        self.model = model
        self.shape = (count ** 2,) + shape
        self.seed = seed
        self.scale = -(-56 // shape[2])  # small pictures are enlarged to be seen

    @tolerant
    def __call__(self, trainer):
        path = self.path(trainer)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        samples = sampling.generate(self.model, self.shape, self.seed)
        pictures.save(path, pictures.square(samples), self.scale)

    def path(self, trainer):
        return os.path.join(trainer.out, 'samples', 'epoch_{}.png'.format(trainer.updater.epoch))


class Settings(extension.Extension):
    """Keeps in a snapshot what a run was started with, so that only the same run goes on from it."""

    def __init__(self, **settings):
        self.settings = settings

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        ours = json.dumps(self.settings, sort_keys=True)
        saved = serializer(snapshots.SETTINGS, ours)
        other = [] if saved == ours else [
            '{} {} (here {})'.format(name, value, self.settings.get(name))
            for name, value in json.loads(saved).items() if value != self.settings.get(name)]
        if other:
            raise ValueError('it was trained with ' + ', '.join(other))


class RandomState(extension.Extension):
    """Keeps in a snapshot NumPy's global random state, from which Chainer's functions draw."""

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        kind, key, position, has_gauss, gauss = np.random.get_state()
        key = serializer('key', key)
        position = serializer('position', position)
        if not 0 <= position <= len(key):  # NumPy would read beyond the key
            raise ValueError('its random state makes no sense')
        np.random.set_state((kind, key, position, serializer('has_gauss', has_gauss),
                             serializer('gauss', gauss)))


class TimeLimit(triggers.IntervalTrigger):
    """When a training stops: after so many epochs or iterations, or with the first iteration that
    ends when the minutes are over, whichever comes first.

    Args:
        period, unit: as of Chainer's trigger: a number, and 'epoch' or 'iteration'.
        minutes: of training, those before it was resumed included; None for no limit.
        decide: called with a function that says whether they are over; returns what it says, or, of
            several processes, what that of the first one says.
    """

    def __init__(self, period, unit, minutes=None, decide=lambda ask: ask()):
        super().__init__(period, unit)
        self.decide = decide
        self.seconds = math.inf if minutes is None else 60 * minutes
        self._answer = None, False

    def __call__(self, trainer):
        ends = super().__call__(trainer)  # it must see each iteration
        return ends or self.is_over(trainer)

    def is_over(self, trainer):
        """Whether the minutes are over. In one iteration it is the same for all who ask."""
        iteration = trainer.updater.iteration
        if self._answer[0] != iteration:
            self._answer = iteration, self.seconds < math.inf and self.decide(
                lambda: _elapsed_time(trainer) >= self.seconds)
        return self._answer[1]


def _elapsed_time(trainer):
    """Seconds of training; before it goes on, those that the log knows of"""
    try:
        return trainer.elapsed_time
    except RuntimeError:
        log = trainer.get_extension('LogReport').log
        return log[-1]['elapsed_time'] if log else 0


class Interruption(extension.Extension):
    """Lets SIGINT (Ctrl-C), SIGTERM and SIGHUP end the training after an iteration and a snapshot;
    a second one ends it at once. Both raise KeyboardInterrupt with the signal's number.

    Between two of NumPy's or Matplotlib's lines a KeyboardInterrupt can do harm, or be swallowed.

    Args:
        snapshots: a `wavenet.snapshots.Snapshots`.
    """

    priority = -1000  # after all others
    signals = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

    def __init__(self, snapshots):
        self.snapshots = snapshots
        self.asked = None
        self._before = {}

    def initialize(self, trainer):
        for number in self.signals:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and a shell's & ask for
                self._before[number] = signal.signal(number, self._ask)

    def finalize(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number, _):
        if self.asked:
            raise KeyboardInterrupt(number)
        self.asked = number

    def __call__(self, trainer):
        if self.asked:
            self.snapshots.save(trainer)
            raise KeyboardInterrupt(self.asked)


class PlainOutput:
    """Standard output without the codes that move a terminal's cursor, for where there is none."""

    def write(self, text):
        sys.stdout.write(text.replace('\033[J', ''))

    def flush(self):
        sys.stdout.flush()
