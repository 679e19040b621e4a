"""Runs a command in this process as if Python had just started.

A new process needs a second to import everything; here a refused command costs milliseconds.
"""
import contextlib
import io
import os
import runpy
import signal
import sys
import warnings
from typing import NamedTuple
from unittest import mock

import numpy as np

from helpers import ROOT


class Result(NamedTuple):
    """What a command leaves: its exit status and the text of its streams."""

    returncode: int
    stdout: str
    stderr: str


def run(words, folder):
    """Runs a script of the root, or, after '-m', a module.

    Args:
        words: the command line after `python`, such as ('train.py', '--epoch', 1).
        folder: the working folder of the command.

    Returns: a Result. Raises what the command lets through: a traceback in a terminal.
    """
    words = [str(word) for word in words]
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr), \
            _working_in(folder), _fresh_state():
        returncode = _call(words)
    return Result(returncode, stdout.getvalue(), stderr.getvalue())


def _call(words):
    """Runs the code as `__main__` and returns the exit status."""
    try:
        if words[0] == '-m':
            sys.argv = words[1:]  # runpy replaces the first by the path of the module
            runpy.run_module(words[1], run_name='__main__', alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(os.path.join(ROOT, words[0]), run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    return 0


@contextlib.contextmanager
def _working_in(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _fresh_state():
    """Gives the block the state of a new process, and restores the tests' own afterwards."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys, 'argv', sys.argv))
        stack.enter_context(mock.patch.dict(os.environ, PYTHONPATH=ROOT))
        stack.enter_context(np.errstate(divide='warn', over='warn', under='ignore', invalid='warn'))
        stack.callback(np.random.set_state, np.random.get_state())
        np.random.seed()
        # A shell makes background jobs, which these tests may be, ignore SIGINT; nohup, SIGHUP
        for number, handler in ((signal.SIGINT, signal.default_int_handler),
                                (signal.SIGTERM, signal.SIG_DFL), (signal.SIGHUP, signal.SIG_DFL)):
            stack.callback(signal.signal, number, signal.signal(number, handler))
        stack.enter_context(_shown_warnings())
        yield


@contextlib.contextmanager
def _shown_warnings():
    """Shows warnings on standard error, as Python does; pytest would collect them."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning,
                         ResourceWarning):
            warnings.simplefilter('ignore', category)
        # A module is run a second time, under the name of __main__
        warnings.filterwarnings('ignore', '.* found in sys.modules after import', RuntimeWarning)

        def show(message, category, filename, lineno, file=None, line=None):
            sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

        warnings.showwarning = show
        yield
