"""Runs author.py in forks of one process, which has imported Chainer: that takes longest."""
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


class Forks:
    """Stands in for `sides.run_process` where this interpreter runs author.py."""

    def __init__(self):
        self.server = None

    def run(self, command, environment, folder):
        if self.server is None:
            # Processes with threads should not fork
            self.server = subprocess.Popen(
                [sys.executable, __file__], env=dict(environment, OPENBLAS_NUM_THREADS='1'),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print(json.dumps([command[1:], folder]), file=self.server.stdin, flush=True)
        status = int(self.server.stdout.readline())
        return subprocess.CompletedProcess(
            command, status, stderr=Path(folder, 'stderr').read_bytes())

    def close(self):
        if self.server is not None:
            self.server.communicate()


def serve():
    """For each line of standard input, a program with its arguments and a folder, runs the program
    there, and writes its exit status."""
    import_chainer()
    gc.freeze()  # otherwise each fork takes 0.1 s at its end to free what it has not allocated
    for line in sys.stdin:
        arguments, folder = json.loads(line)
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            for path, descriptor in ((os.devnull, 1), ('stderr', 2)):
                with open(path, 'wb') as file:
                    os.dup2(file.fileno(), descriptor)
            sys.argv, sys.path[0] = arguments, os.path.dirname(arguments[0])
            runpy.run_path(arguments[0], run_name='__main__')
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def import_chainer():
    """Imports Chainer and forgets our package `wavenet`: the author's has the same name."""
    sys.path.insert(0, ROOT)
    importlib.import_module('wavenet')  # makes Chainer importable
    importlib.import_module('chainer.training.extensions')
    sys.path.remove(ROOT)
    for name in [name for name in sys.modules if name.split('.')[0] == 'wavenet']:
        del sys.modules[name]


if __name__ == '__main__':
    serve()
