"""Starts each side of a comparison in a process of its own, and exchanges files with it."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from wavenet.compare import author

ROOT = Path(__file__).resolve().parents[2]
COMPAT = ROOT / 'wavenet' / 'compat.py'


class Sides:
    """The author's side and ours.

    Args:
        folder: a checkout of the author's repository. Nothing in it is written.
        python: the interpreter that runs it, a path or a name; None for this one, with Chainer 7.
        scratch: an empty folder for the files that the processes exchange.

    Raises: ValueError if there is no such checkout or interpreter.
    """

    def __init__(self, folder, python, scratch):
        for name in ('wavenet/models.py', 'wavenet/utils.py', 'infer.py'):
            if not os.path.isfile(os.path.join(folder, name)):
                raise ValueError(f"{folder} is not the author's repository: it has no {name}")
        self.folder, self.scratch = os.path.abspath(folder), scratch
        self.python, self.before = sys.executable, [str(COMPAT)]
        if python is not None:
            found = shutil.which(python)
            if found is None:
                raise ValueError(f'--author_python {python}: there is no such program')
            self.python, self.before = os.path.abspath(found), []

    def describe(self):
        """What author.py says about the checkout and its interpreter: a dict. Raises: as `run`."""
        target = os.path.join(self.scratch, 'about')
        self._author('describe', '', target)
        with open(target, encoding='utf-8') as file:
            return json.load(file)

    def run(self, side, task, config, arrays):
        """Runs a task of tasks.py on the side 'author' or 'here'.

        Returns: dict of arrays.

        Raises: ValueError, with the reason, if the code cannot be run.
        """
        source, target = (os.path.join(self.scratch, f'{side}-{task}-{which}.npz')
                          for which in ('given', 'result'))
        with open(source, 'wb') as file:
            np.savez(file, config=np.array(json.dumps(config)), **arrays)
        (self._author if side == 'author' else self._ours)(task, source, target)
        with np.load(target, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files}

    def _ours(self, task, source, target):
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH'))))
        command = [sys.executable, '-m', 'wavenet.compare.ours', task, source, target]
        done = run_process(command, dict(os.environ, PYTHONPATH=path), self.scratch)
        check(done, command[0], "this project's code", str(ROOT))

    def _author(self, task, source, target):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('PYTHONPATH', 'PYTHONHOME')}
        environment['PYTHONDONTWRITEBYTECODE'] = '1'
        # Chainer 1 has a check that refuses float64 embeddings, which its code can handle
        environment['CHAINER_TYPE_CHECK'] = '0'
        command = [self.python, author.__file__, self.folder, task, source, target] + self.before
        done = run_process(command, environment, self.scratch)
        check(done, command[0], "the author's code", self.folder)
        if not os.path.isfile(target):
            raise ValueError(f'--author_python {self.python}: it ran and wrote no results: '
                             'give a Python interpreter')


def run_process(command, environment, folder):
    """Runs a command in a folder.

    Returns: a `subprocess.CompletedProcess` with its standard error, bytes.

    Raises: ValueError if it cannot be started.
    """
    try:
        return subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except OSError as error:
        raise ValueError(f'{command[0]} cannot be started: {error.strerror}') from error


def check(done, program, whose, folder):
    """Raises ValueError, with the reason, if a process failed.

    Args:
        done: a `subprocess.CompletedProcess`.
        program: that ran.
        whose: what to call the code that it ran.
        folder: of that code, whose line in a traceback is part of the reason.
    """
    if done.returncode == 0:
        return
    lines = done.stderr.decode('utf-8', 'replace').strip().split('\n')
    if done.returncode == author.STOP:
        raise ValueError(lines[-1])
    if done.returncode < 0:
        raise ValueError(f'signal {-done.returncode} ended {whose}: was there enough memory?')
    places = [line.strip() for line in lines if line.strip().startswith('File "' + folder)]
    place = f' ({places[-1]})' if places else ''
    reason = lines[-1] or f'it ended with status {done.returncode}'
    raise ValueError(f'{program} cannot run {whose}: {reason}{place}')
