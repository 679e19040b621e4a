"""What the Trainer shows while it works."""
import json
import math
import os
import signal
import sys

import chainer
import tqdm
from chainer import reporter
from chainer.dataset import convert
from chainer.training import extension, extensions

from wavenet import pictures, sampling, serialization


class Evaluator(extensions.Evaluator):
    """Chainer's Evaluator, with means over images: a short last batch does not count as a whole."""

    def evaluate(self):
        iterator = self.get_iterator('main')
        iterator.reset()
        summary = reporter.DictSummary()
        for batch in tqdm.tqdm(iterator, total=-(-len(iterator.dataset) // iterator.batch_size),
                               desc='testing', leave=False, disable=not sys.stdout.isatty()):
            observation = {}
            with reporter.report_scope(observation), chainer.no_backprop_mode():
                self.get_target('main')(*convert._call_converter(
                    self.converter, batch, self.device))
            summary.add({name: (value, len(batch)) for name, value in observation.items()})
        return summary.compute_mean()


class SampleGrid(extension.Extension):
    """Draws count² pictures from the model into `samples/epoch_N.png`, the same draws each time."""

    priority = extension.PRIORITY_READER

    def __init__(self, model, shape, seed, count=4):
        self.model = model
        self.shape = (count ** 2,) + shape
        self.seed = seed
        self.scale = -(-56 // shape[2])  # small pictures are enlarged to be seen

    def __call__(self, trainer):
        folder = os.path.join(trainer.out, 'samples')
        os.makedirs(folder, exist_ok=True)
        samples = sampling.generate(self.model, self.shape, self.seed)
        pictures.save(os.path.join(folder, 'epoch_{}.png'.format(trainer.updater.epoch)),
                      pictures.square(samples), self.scale)


class Settings(extension.Extension):
    """Keeps in a snapshot what a run was started with, so that only the same run goes on from it."""

    def __init__(self, **settings):
        self.settings = settings

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        ours = json.dumps(self.settings, sort_keys=True)
        saved = serializer(serialization.SETTINGS, ours)
        other = [] if saved == ours else [
            '{} {} (here {})'.format(name, value, self.settings.get(name))
            for name, value in json.loads(saved).items() if value != self.settings.get(name)]
        if other:
            raise ValueError('it was trained with ' + ', '.join(other))


class Interruption(extension.Extension):
    """Lets Ctrl-C end the training after an iteration; pressed again, it ends it at once.

    Between two of NumPy's or Matplotlib's lines a KeyboardInterrupt can do harm, or be swallowed.
    """

    priority = extension.PRIORITY_READER - 1000  # after all others

    def __init__(self):
        self.asked = False

    def initialize(self, trainer):
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._ask)

    def _ask(self, *_):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __call__(self, trainer):
        if self.asked:
            raise KeyboardInterrupt


def stop_on_nan(trainer):
    """Ends the training where the loss is no finite number. Raises: ValueError."""
    nll = float(trainer.observation['main/nll'].array)
    if not math.isfinite(nll):
        raise ValueError('the loss is {} at iteration {}: try a smaller --learning_rate, or --clip'
                         .format(nll, trainer.updater.iteration))


class PlainOutput:
    """Standard output without the codes that move a terminal's cursor, for where there is none."""

    def write(self, text):
        sys.stdout.write(text.replace('\033[J', ''))

    def flush(self):
        sys.stdout.flush()
