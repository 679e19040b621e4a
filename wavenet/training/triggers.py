"""Triggers: when a training ends, and when it is time to test, log, sample and save."""
import math

from chainer.training import triggers


class TimeLimit(triggers.IntervalTrigger):
    """Stops a training after a number of epochs or iterations, or after some minutes.

    Whichever comes first counts. The minutes end with the first iteration that ends after them.

    Args:
        period, unit: as of Chainer's IntervalTrigger: a number, and 'epoch' or 'iteration'.
        minutes: of training, those before it was resumed included; None for no limit.
        enough: says whether the training has ended for another reason; called without arguments.
        decide: takes a function that says whether the minutes are over, and returns its answer; in
            a team, the answer of the first process.
    """

    def __init__(self, period, unit, minutes=None, enough=lambda: False, decide=lambda ask: ask()):
        super().__init__(period, unit)
        self.enough = enough
        self.decide = decide
        self.seconds = math.inf if minutes is None else 60 * minutes
        self._answer = None, False  # the last iteration that was asked about, and the answer

    def __call__(self, trainer):
        ends = super().__call__(trainer)  # Chainer's trigger must see each iteration
        return ends or self.enough() or self.is_over(trainer)

    def is_over(self, trainer):
        """Whether the minutes are over. The answer is the same during an iteration."""
        iteration = trainer.updater.iteration
        if self._answer[0] != iteration:
            self._answer = iteration, self.seconds < math.inf and self.decide(
                lambda: _elapsed_seconds(trainer) >= self.seconds)
        return self._answer[1]


class Due:
    """Says whether to test, log, sample and save: after an epoch, an interval, the last iteration.

    Args:
        limit: the `TimeLimit` of the training.
        last: the number of the last iteration, or None if the training ends otherwise.
        interval: a number of iterations, or None.
    """

    def __init__(self, limit, last=None, interval=None):
        self.limit = limit
        self.last = last
        self.interval = interval

    def __call__(self, trainer):
        updater = trainer.updater
        ends = self.limit.is_over(trainer) or updater.iteration == self.last
        return ends or updater.is_new_epoch or (
            self.interval is not None and updater.iteration % self.interval == 0)


class Always:
    """Each iteration. Snapshots do not hold it, unlike Chainer's default trigger, so an extension
    with this trigger need not be there when the training goes on."""

    def __call__(self, trainer):
        return True


def _elapsed_seconds(trainer):
    """Seconds of training; before the trainer runs, those that the log of its snapshot tells."""
    try:
        return trainer.elapsed_time
    except RuntimeError:
        log = trainer.get_extension('LogReport').log
        return log[-1]['elapsed_time'] if log else 0
