"""Runs `python -m wavenet.compare` in this process, which is faster than as a command."""
import subprocess
import sys

import pytest

from comparing import Done
from fork_author import Forks
from wavenet.compare import sides, tasks
from wavenet.compare.__main__ import main
from wavenet.compare.ours import Ours


@pytest.fixture(autouse=True)
def python_writes_bytecode(monkeypatch):
    """Nothing but the command itself keeps bytecode out of the author's checkout."""
    monkeypatch.delenv('PYTHONDONTWRITEBYTECODE', raising=False)


@pytest.fixture(scope='session')
def forks():
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def fast_sides(forks, monkeypatch):
    """Our side runs in this process, the author's side in a fork of one that knows Chainer."""
    run_process = sides.run_process

    def run(command, environment, folder):
        if command[1:3] == ['-m', 'wavenet.compare.ours']:
            tasks.run(Ours(), *command[3:])
            return subprocess.CompletedProcess(command, 0, stderr=b'')
        if command[0] == sys.executable:
            return forks.run(command, environment, folder)
        return run_process(command, environment, folder)

    monkeypatch.setattr(sides, 'run_process', run)


@pytest.fixture
def compare(fast_sides, tmp_path, monkeypatch, capsys):
    """Runs the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, 'argv', ['compare', *map(str, args)])
        try:
            status = main()
        except SystemExit as error:
            status = error.code
        return Done(status, *capsys.readouterr())
    return run
