"""Signals end a training in order: after an iteration, with a snapshot."""
import signal
import threading
import time

from chainer.training import extension

from wavenet import cli

LONG = 10  # seconds; the end of an iteration that takes longer is announced


class Interruption(extension.Extension):
    """Makes SIGINT (Ctrl-C), SIGTERM and SIGHUP end the training after the current iteration.

    It then saves a snapshot, and raises KeyboardInterrupt with the signal's number. Before the end
    of the first epoch it also saves the model. A second signal raises KeyboardInterrupt at once.
    Signals that the process ignores stay ignored.

    Python's own KeyboardInterrupt could come between any two lines of NumPy or Matplotlib, where it
    can leave a broken state or be swallowed.

    Args:
        snapshots: a `wavenet.training.snapshots.Snapshots`.
        model_file: a `wavenet.training.outputs.ModelFile`.

    Attributes:
        asked: the number of the signal that came, or None.
    """

    priority = -1000  # after all others
    signals = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

    def __init__(self, snapshots, model_file):
        self.snapshots = snapshots
        self.model_file = model_file
        self.asked = None
        self._began = None       # the time when the current iteration began
        self._former_handlers = {}

    def initialize(self, trainer):
        self._began = time.monotonic()
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread gets signals
        for number in self.signals:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup or a shell's &
                self._former_handlers[number] = signal.signal(number, self._ask)

    def finalize(self):
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)

    def _ask(self, number, _):
        if self.asked:
            raise KeyboardInterrupt(number)
        self.asked = number
        if time.monotonic() - self._began > LONG:
            cli.say('ending after this iteration; a second signal ends at once')

    def __call__(self, trainer):
        self._began = time.monotonic()
        if self.asked:
            self.save(trainer)
            raise KeyboardInterrupt(self.asked)

    def save(self, trainer):
        self.snapshots.save(trainer)
        if trainer.updater.epoch < 1:
            self.model_file(trainer)
