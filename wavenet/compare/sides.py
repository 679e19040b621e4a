"""Starts the two sides of a comparison, each in a process of its own; they exchange files."""
import json
import os
import shutil
import subprocess
import sys

import numpy as np

from wavenet.compare import author

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPAT = os.path.join(ROOT, 'wavenet', 'compat.py')


class Sides:
    """The author's side and ours.

    Args:
        folder: a checkout of the author's repository. Nothing in it is written.
        python: an interpreter for it, a path or a name; None for this one, under Chainer 7.
        scratch: an empty folder for the files that go between the processes.

    Raises: ValueError where there is no such checkout or interpreter.
    """

    def __init__(self, folder, python, scratch):
        for name in ('wavenet/models.py', 'wavenet/utils.py', 'infer.py'):
            if not os.path.isfile(os.path.join(folder, name)):
                raise ValueError("{} is not the author's repository: it has no {}".format(
                    folder, name))
        self.folder, self.scratch = os.path.abspath(folder), scratch
        self.python, self.before = sys.executable, [COMPAT]
        if python is not None:
            self.python, self.before = shutil.which(python), []
            if self.python is None:
                raise ValueError('{}: there is no such program to run'.format(python))
            self.python = os.path.abspath(self.python)

    def describe(self):
        """What author.py says of the checkout and of its interpreter, a dict. Raises: as `run`."""
        target = os.path.join(self.scratch, 'about')
        self._author('describe', '', target)
        with open(target, encoding='utf-8') as file:
            return json.load(file)

    def run(self, side, task, config, arrays):
        """Runs a task of tasks.py on the side 'author' or 'here'.

        Returns: dict of arrays.

        Raises: ValueError, with the reason, where the code cannot be run.
        """
        source, target = (os.path.join(self.scratch, '{}-{}-{}.npz'.format(side, task, which))
                          for which in ('given', 'result'))
        with open(source, 'wb') as file:
            np.savez(file, config=np.array(json.dumps(config)), **arrays)
        (self._author if side == 'author' else self._ours)(task, source, target)
        with np.load(target, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files}

    def _ours(self, task, source, target):
        path = os.pathsep.join(filter(None, (ROOT, os.environ.get('PYTHONPATH'))))
        self._process([sys.executable, '-m', 'wavenet.compare.ours', task, source, target],
                      dict(os.environ, PYTHONPATH=path), "this project's code", ROOT)

    def _author(self, task, source, target):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('PYTHONPATH', 'PYTHONHOME')}
        environment['PYTHONDONTWRITEBYTECODE'] = '1'
        # Chainer 1 refuses to look up rows of an embedding in float64, which it can do as well
        environment['CHAINER_TYPE_CHECK'] = '0'
        self._process([self.python, author.__file__, self.folder, task, source, target]
                      + self.before, environment, "the author's code", self.folder)
        if not os.path.isfile(target):
            raise ValueError('{}: it is no Python, it ran and wrote nothing'.format(self.python))

    def _process(self, command, environment, whose, folder):
        try:
            done = subprocess.run(
                command, cwd=self.scratch, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except OSError as error:
            raise ValueError('{}: it cannot be run: {}'.format(
                command[0], error.strerror)) from error
        if done.returncode == 0:
            return
        lines = done.stderr.decode('utf-8', 'replace').strip().split('\n')
        if done.returncode == author.STOP:
            raise ValueError(lines[-1])
        if done.returncode < 0:
            raise ValueError('{} was ended by signal {}: was there enough memory?'.format(
                whose, -done.returncode))
        places = [line.strip() for line in lines if line.strip().startswith('File "' + folder)]
        raise ValueError('{} could not be run by {}: {}{}'.format(
            whose, command[0], lines[-1], ' ({})'.format(places[-1]) if places else ''))

