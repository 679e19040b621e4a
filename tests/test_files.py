import os

import pytest

from wavenet.files import atomic_write


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


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = str(tmp_path / 'nowhere' / 'file')
    with pytest.raises(FileNotFoundError) as raised:
        with atomic_write(path):
            pass
    assert raised.value.filename == path
