"""What the Trainer shows while it works."""
import os
import sys

import chainer
import tqdm
from chainer import reporter
from chainer.dataset import convert
from chainer.training import extension, extensions

from wavenet import pictures, sampling


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
        path = os.path.join(folder, 'epoch_{}.png'.format(trainer.updater.epoch))
        pictures.save(path, pictures.square(samples), self.scale)


class PlainOutput:
    """Standard output without the codes that move a terminal's cursor, for where there is none."""

    def write(self, text):
        sys.stdout.write(text.replace('\033[J', ''))

    def flush(self):
        sys.stdout.flush()
