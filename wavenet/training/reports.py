"""Extensions that test a model during its training, and report the losses: log, table, progress."""
import functools
import json
import os
import sys

import chainer
import tqdm
from chainer import reporter
from chainer.dataset import convert
from chainer.training import extensions

from wavenet import cli
from wavenet.storage.files import atomic_write


def tolerant(call):
    """Decorates the `__call__` of an extension, so that its failures do not stop the training.

    It is for extensions that do not change the trainer's state. The first failure of a kind is
    reported in one line; the same failure in later iterations is not reported again.
    """
    @functools.wraps(call)
    def tolerated(self, trainer):
        try:
            call(self, trainer)
        except Exception as error:  # no error of any kind may stop a training here
            reason = f'{type(self).__name__}: {cli.reason(error)}'
            if reason != getattr(self, '_reported', None):
                self._reported = reason
                cli.say(f'warning: {reason}; the training goes on')
    return tolerated


class Evaluator(extensions.Evaluator):
    """Chainer's Evaluator, but it averages over images, so a short last batch weighs less, or over
    samples of sound. It shows a progress bar in a terminal.

    Args:
        batches, model, options: as of Chainer's.
        weigh: called with a batch of numbers; returns how much it counts.
    """

    def __init__(self, batches, model, weigh, **options):
        super().__init__(batches, model, **options)
        self.weigh = weigh

    def evaluate(self):
        batches = self.get_iterator('main')
        batches.reset()
        summary = reporter.DictSummary()
        for batch in tqdm.tqdm(batches, total=-(-len(batches.dataset) // batches.batch_size),
                               desc='testing', leave=False, dynamic_ncols=True,
                               disable=not cli.shows_progress(sys.stderr)):
            observation = {}
            with reporter.report_scope(observation), chainer.no_backprop_mode():
                self.get_target('main')(*convert._call_converter(
                    self.converter, batch, self.device))
            summary.add({name: (value, self.weigh(batch)) for name, value in observation.items()})
        return summary.compute_mean()


class LogReport(extensions.LogReport):
    """Chainer's LogReport, but it writes the file `log` atomically and checks a snapshot's log."""

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
            raise ValueError('its log is not valid')


class PrintReport(extensions.PrintReport):
    """Chainer's PrintReport, which prints a line for each entry of the log."""

    __call__ = tolerant(extensions.PrintReport.__call__)
