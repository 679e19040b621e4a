"""What holds for all commands."""
import io
import os
import re
import shutil
import subprocess
import sys

import pytest

from helpers import ROOT
from wavenet import cli

COMMANDS = ['train.py', 'generate.py'] + [f'-m wavenet.{name}' for name in (
    'evaluate', 'curve', 'compare', 'results', 'results.mistakes', 'figures')]


class Notebook:
    """A stream as a notebook has it: it has neither a file descriptor nor an encoding to change."""

    def __init__(self):
        self.text = ''

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class Broken(Notebook):
    def flush(self):
        raise OSError('its reader is gone')


def hello(parser):
    print('héllo')
    return 3


@pytest.fixture
def parser():
    return cli.ArgumentParser(prog='hello.py')


def test_standard_output_may_be_any_stream(parser, monkeypatch):
    notebook, text = Notebook(), io.StringIO()
    for stream in (notebook, text):
        monkeypatch.setattr('sys.stdout', stream)
        assert cli.run(hello, parser) == 3
    assert notebook.text == text.getvalue() == 'héllo\n'


def test_what_a_stream_cannot_show_is_escaped(parser, monkeypatch):
    content = io.BytesIO()
    monkeypatch.setattr('sys.stdout', io.TextIOWrapper(content, encoding='ascii'))
    assert cli.run(hello, parser) == 3
    assert content.getvalue() == b'h\\xe9llo\n'


def test_a_stream_that_breaks_ends_the_command_with_one_line(parser, monkeypatch, capsys):
    monkeypatch.setattr('sys.stdout', Broken())
    with pytest.raises(SystemExit) as end:
        cli.run(hello, parser)
    assert end.value.code == 1
    assert capsys.readouterr().err == 'hello.py: error: its reader is gone\n'


@pytest.mark.parametrize('name', COMMANDS)
def test_help(process, tmp_path, name):
    result = process(*name.split(), '--help', COLUMNS='80', PYTHONIOENCODING='ascii',
                     PYTHONPROFILEIMPORTTIME='1')
    program = f'python {name}' if name.startswith('-m') else name
    assert result.returncode == 0 and result.stdout.startswith(f'usage: {program} ')
    # Standard error is the list of what was imported: nothing that takes long and is not needed
    imported = set(re.findall(r'import time:.*\| *(\S+)$', result.stderr, re.MULTILINE))
    assert 'wavenet' in imported and not imported & {'matplotlib', 'mpi4py', 'pkg_resources'}
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('script, words, message', [
    ('train.py', ['--epochs', 3], '--epochs 3 (did you mean --epoch?)'),
    ('train.py', ['--lr=0.1'], '--lr=0.1 (did you mean --learning_rate?)'),
    ('train.py', ['--batch-size', 3], '--batch-size 3 (did you mean --batchsize?)'),
    ('train.py', ['--mnist'], '--mnist (did you mean --dataset mnist?)'),
    ('train.py', ['--Fashion'], '--Fashion'),
    ('train.py', ['--hiden-dim', 3], '--hiden-dim 3 (did you mean --hidden_dim?)'),
    ('train.py', ['mnist'], 'mnist'),
    ('generate.py', ['--model', 'mnist', '--out', 'a.png'],
     '--out a.png (did you mean --output?)')])
def test_a_name_that_is_almost_right_is_answered(command, script, words, message):
    result = command(script, *words)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr == f'{script}: error: unrecognized arguments: {message}\n'


@pytest.mark.parametrize('number, text', [(0, '0 steps'), (1, '1 step'), (2000, '2,000 steps')])
def test_counted(number, text):
    assert cli.counted(number, 'step') == text


def test_listed():
    assert [cli.listed(names) for names in ('a', 'ab', 'abc')] == ['a', 'a and b', 'a, b and c']


@pytest.mark.parametrize('script', ['train.py', 'generate.py'])
def test_ctrl_c_while_packages_are_imported_is_one_line(script, tmp_path):
    shutil.copy(os.path.join(ROOT, script), tmp_path)
    (tmp_path / 'wavenet/commands').mkdir(parents=True)
    (tmp_path / 'wavenet/commands/__init__.py').write_text('raise KeyboardInterrupt')
    result = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ('', f'{script}: interrupted\n')
    assert result.returncode == 130
