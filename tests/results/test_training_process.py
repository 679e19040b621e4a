import os
import subprocess
import sys
import time

import pytest

from helpers import ROOT
from wavenet.results import training_process
from wavenet.results.training_process import TrainingFailed
from wavenet.storage import files


def test_it_finds_the_package_from_any_folder(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('PYTHONPATH', raising=False)
    training_process.run('stage', ['-c', 'import wavenet; print(wavenet.__file__)'])
    assert capfd.readouterr().out.splitlines()[-1] == os.path.join(ROOT, 'wavenet', '__init__.py')


def test_paths_of_the_user_stay(tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    (tmp_path / 'mine.py').write_text('')
    training_process.run('stage', ['-c', 'import mine'])


def test_its_errors_have_the_name_of_the_stage(capfd):
    code = 'import sys; print("one", file=sys.stderr); sys.exit("two")'
    with pytest.raises(TrainingFailed, match='^two$'):
        training_process.run('stage', ['-c', code])
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(': ')[-2:] for line in lines] == [['stage', 'one'], ['stage', 'two']]


def test_it_was_killed():
    with pytest.raises(TrainingFailed, match='^the training was killed$'):
        training_process.run('stage', ['-c', 'import os; os.kill(os.getpid(), 9)'])


def test_it_ends_when_its_parent_is_killed(tmp_path):
    code = (f'import sys; sys.path.insert(0, {ROOT!r})\n'
            'from wavenet.results import training_process\n'
            'training_process.run("stage", ["-m", "wavenet.commands.train", *sys.argv[1:]])')
    options = '--dataset digits --channels 1 -d 2 -n 1 --iteration 1000000 --out out'.split()
    parent = subprocess.Popen([sys.executable, '-c', code, *options], cwd=tmp_path,
                              stdout=subprocess.DEVNULL)
    folder = tmp_path / 'out'
    wait_until((folder / 'samples').exists)
    with pytest.raises(BlockingIOError):
        files.lock(str(folder))
    parent.kill()
    parent.wait()

    def is_free():
        try:
            return files.lock(str(folder))
        except BlockingIOError:
            return None
    wait_until(is_free)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
