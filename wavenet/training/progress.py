"""What a training says of itself: what it will do, how long that takes, and how far it is."""
import sys
import time

import numpy as np
import tqdm
from chainer.training import extension

from wavenet import cli
from wavenet.families import registry
from wavenet.training.reports import tolerant

FIRST_STEPS = 5      # the estimate takes so many steps, after the first one, and
FIRST_SECONDS = 2    # so many seconds,
LATEST = 30          # but is not later than these seconds
EVERY = 60           # seconds between two lines
DAY = 86400
# A CPU that takes longer is better given a smaller model
LONG = DAY / 2       # seconds
SMALL = 100_000      # parameters of a model for which there is no smaller one


def announcement(run, device_name):
    """What a training will do, a list of lines.

    Args:
        run: a `wavenet.training.run.Run`.
        device_name: the device in words.
    """
    args, data, predictor = run.args, run.data, run.model.predictor
    parameters = sum(param.size for param in predictor.params())
    batchsize = args.batchsize * run.team.size
    epochs = f'{cli.counted(args.epoch, "epoch")}, ' if not args.iteration else ''
    limit = f', at most {args.minutes:g} minutes' if args.minutes else ''
    done = run.trainer.updater.iteration
    return [
        f'{registry.get(predictor.family).title}: {parameters:,} parameters, on {device_name}',
        f'{data.train.describe()} to train on, {data.test.amount:,} to '
        f'{"validate" if args.validation else "test"} on',
        f'{epochs}{cli.counted(run.steps, "step")} of {batchsize} {data.train.unit}{limit}'
        + (f', from step {done:,} on' if done else '') + f', into {args.out}']


def write_line(text):
    """Writes a line to standard output, above a progress bar if there is one."""
    tqdm.tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


class Lines:
    """Standard output for Chainer's PrintReport: whole lines, above a progress bar if there is one,
    without codes that move a terminal's cursor."""

    def __init__(self):
        self._text = ''

    def write(self, text):
        *lines, self._text = (self._text + text.replace('\033[J', '')).split('\n')
        for line in lines:
            write_line(line)

    def flush(self):
        sys.stdout.flush()


class ProgressBar(extension.Extension):
    """A bar that fits into the width of the terminal, on standard error.

    Args:
        steps: number of steps of the whole training.
    """

    priority = -400

    def __init__(self, steps):
        self.steps = steps
        self._bar = None

    def initialize(self, trainer):
        self._bar = tqdm.tqdm(total=self.steps, initial=trainer.updater.iteration, unit='step',
                              desc='training', dynamic_ncols=True)

    @tolerant
    def __call__(self, trainer):
        self._bar.set_postfix_str(f'epoch {trainer.updater.epoch_detail:.2f}', refresh=False)
        self._bar.update(trainer.updater.iteration - self._bar.n)

    def finalize(self):
        if self._bar:
            self._bar.close()


class Progress(extension.Extension):
    """Says after the first steps how long the training takes, and then, each minute, how far it is.

    Args:
        steps: number of steps of the whole training.
        minutes: the limit of --minutes, or None.
        each_minute: whether to write the lines of each minute, where there is no progress bar.
        is_large: whether to advise a smaller model, for a CPU, if the training takes very long.
        clock: seconds, as of time.monotonic.
    """

    priority = -400

    def __init__(self, steps, minutes, each_minute, is_large, clock=time.monotonic):
        self.steps = steps
        self.minutes = minutes
        self.each_minute = each_minute
        self.is_large = is_large
        self.clock = clock
        self._first = None       # (time, step) after the first step, which is slower than others
        self._estimated = False

    @tolerant
    def __call__(self, trainer):
        now, step = self.clock(), trainer.updater.iteration
        if self._first is None:
            self._first = now, step
            self._said = now
            return
        passed, steps = now - self._first[0], step - self._first[1]
        if not self._estimated and (
                passed >= LATEST or passed >= FIRST_SECONDS and steps >= FIRST_STEPS):
            self._estimated = True
            self._estimate(passed / steps, self.steps - step)
        elif self.each_minute and now - self._said >= EVERY:
            self._said = now
            self._say_how_far(trainer, passed / steps)

    def _estimate(self, seconds, left):
        """Says how long the training takes, from the seconds of a step and the steps left."""
        total = seconds * left
        if self.minutes and total > 60 * self.minutes:
            reached = self.steps - left + int(60 * self.minutes / seconds)
            write_line(f'{_shown(seconds)} s a step: --minutes {self.minutes:g} ends it near step '
                       f'{reached:,} of {self.steps:,}')
            return
        write_line(f'{_shown(seconds)} s a step: about {duration(total)}')
        if self.is_large and total > LONG:
            cli.say(f'this takes about {duration(total)} on this CPU; --preset cpu is a model that '
                    'trains on a CPU in minutes')

    def _say_how_far(self, trainer, seconds):
        step = trainer.updater.iteration
        loss = trainer.observation.get('main/nll')
        loss = '' if loss is None else f'main/nll {float(getattr(loss, "array", loss)):.5g}, '
        write_line(f'step {step:,} of {self.steps:,}, epoch {trainer.updater.epoch_detail:.2f}: '
                   f'{loss}{_shown(seconds)} s a step, '
                   f'{duration(seconds * (self.steps - step))} left')


def duration(seconds):
    """Seconds in words, in two units at most, such as '3 hours 20 minutes'."""
    seconds = int(np.ceil(seconds))
    days, hours, minutes = seconds // DAY, seconds // 3600 % 24, seconds // 60 % 60
    parts = [(days, 'day'), (hours, 'hour'), (minutes, 'minute'), (seconds % 60, 'second')]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return ' '.join(f'{count} {unit}{"s" * (count != 1)}' for count, unit in parts[:2]
                    if count or len(parts) == 1)


def _shown(seconds):
    return f'{seconds:.3g}'
