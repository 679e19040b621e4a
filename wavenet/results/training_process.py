"""A training in a process of its own, which gets the signals of this one and ends with it."""
import ctypes
import os
import shlex
import signal
import subprocess
import sys

import wavenet
from wavenet import cli

PACKAGE_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(wavenet.__file__)))
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
PR_SET_PDEATHSIG = 1  # of Linux's prctl
LIBC = ctypes.CDLL(None)


class TrainingFailed(Exception):
    """A training that failed; its text is the last line that the training wrote."""


def run(name, command):
    """Runs Python with a command line, and writes its standard error with a name before each line.

    Args:
        name: of the stage.
        command: what comes after `python`, a list of strings.

    Raises: TrainingFailed if the process fails, KeyboardInterrupt if a signal ended it.
    """
    print(f'{name}: python {shlex.join(command)}', flush=True)
    processes, signals = [], []

    def pass_on(number, _):
        signals.append(number)
        for process in processes:
            process.send_signal(number)

    former = {number: signal.signal(number, pass_on) for number in SIGNALS
              if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        process = _start(command)
        processes.append(process)
        for number in list(signals):   # those that came before the process was there
            process.send_signal(number)
        line = 'the training was killed'
        for line in process.stderr:
            if not signals:
                cli.say(f'{name}: {line}')
        status = process.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if signals:
        raise KeyboardInterrupt(signals[0])
    if status:
        raise TrainingFailed(line.strip())


def _start(command):
    """Starts Python so that it imports this very package, from any working folder."""
    paths = [PACKAGE_FOLDER, *filter(None, [os.environ.get('PYTHONPATH')])]
    # In a session of its own, the process does not get the Ctrl-C of a terminal a second time
    return subprocess.Popen(
        [sys.executable, *command], env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=_end_with_parent)


def _end_with_parent():
    """Makes Linux send SIGTERM to this process when its parent is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
