import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT
from wavenet.storage import files
from wavenet.storage.files import atomic_write


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    with atomic_write(str(path)) as file:
        file.write(b'new')
        file.flush()
        assert path.read_bytes() == b'old'
    assert path.read_bytes() == b'new' and os.listdir(str(tmp_path)) == ['file']


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_what_was_there_survives_a_failure(tmp_path, error):
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    with pytest.raises(error):
        with atomic_write(str(path)) as file:
            file.write(b'half')
            raise error
    assert path.read_bytes() == b'old' and os.listdir(str(tmp_path)) == ['file']


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'file')
    with atomic_write(str(tmp_path / 'link')) as file:
        file.write(b'new')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'file').read_bytes() == b'new'


@pytest.mark.parametrize('kind', [str, Path])
def test_a_folder_that_is_not_there_is_named(tmp_path, kind):
    path = str(tmp_path / 'nowhere' / 'file')
    with pytest.raises(FileNotFoundError) as raised:
        with atomic_write(kind(path)):
            pass
    assert raised.value.filename == path


def test_the_disk_has_all_of_a_file_before_its_name_and_then_the_name(tmp_path, monkeypatch):
    steps = []

    def recorded(name, kind):
        call = getattr(os, name)

        def record(*args):
            steps.append((name, kind(*args)))
            return call(*args)
        monkeypatch.setattr(os, name, record)

    recorded('fsync', lambda descriptor: os.readlink(f'/proc/self/fd/{descriptor}'))
    recorded('replace', lambda source, target: target)
    path = str(tmp_path / 'file')
    with atomic_write(path) as file:
        file.write(b'new')
    temporary = str(tmp_path / f'.file.{os.getpid()}.tmp')
    assert steps == [('fsync', temporary), ('replace', path), ('fsync', str(tmp_path))]


def test_a_full_disk_names_the_file():
    with pytest.raises(OSError) as raised:
        with atomic_write('file') as file:
            raise OSError(28, 'No space left on device')
    assert file.closed and raised.value.filename == 'file'


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    for name in ('.log.12.tmp', '.model.npz.3.tmp', '.other.3.tmp', 'log', '.log.tmp',
                 'log.12.tmp'):
        (tmp_path / name).write_bytes(b'')
    files.remove_leftovers(str(tmp_path), r'log|model\.npz')
    assert sorted(os.listdir(str(tmp_path))) == ['.log.tmp', '.other.3.tmp', 'log', 'log.12.tmp']
    files.remove_leftovers(str(tmp_path / 'nowhere'), 'log')


def test_a_folder_is_claimed_by_one_process_until_it_ends(tmp_path):
    hold = ('import sys; from wavenet.storage import files; '
            f'lock = files.lock({str(tmp_path)!r}); print(1, flush=True); sys.stdin.read()')
    with subprocess.Popen([sys.executable, '-c', hold], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(BlockingIOError, match='another process'):
            files.lock(str(tmp_path))
        process.kill()
    lock = files.lock(str(tmp_path))
    with pytest.raises(BlockingIOError):
        files.lock(str(tmp_path))
    del lock
    assert files.lock(str(tmp_path)) and files.lock(str(tmp_path / 'nowhere')) is None
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize('make', [os.mkdir, os.mkfifo, lambda path: os.symlink('/dev/zero', path)])
def test_what_is_no_regular_file_is_not_opened(tmp_path, make):
    path = str(tmp_path / 'file')
    make(path)
    with pytest.raises(OSError, match='file'):
        files.open_regular(path)


def test_older(tmp_path):
    old, new = str(tmp_path / 'old'), str(tmp_path / 'new')
    open(new, 'w').close()
    assert files.is_older(old, new)
    open(old, 'w').close()
    os.utime(old, ns=(0, os.stat(new).st_mtime_ns))
    assert not files.is_older(old, new)
    os.utime(old, ns=(0, os.stat(new).st_mtime_ns - 1))
    assert files.is_older(old, new) and not files.is_older(new, old)


def test_a_file_is_no_folder_to_write_to(tmp_path):
    path = str(tmp_path / 'file')
    open(path, 'w').close()
    with pytest.raises(NotADirectoryError, match='this is not a folder'):
        files.make_folder(path)
    with pytest.raises(NotADirectoryError, match='file/sub'):
        files.make_folder(os.path.join(path, 'sub'))
