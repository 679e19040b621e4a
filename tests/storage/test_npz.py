import io
import os
import struct
import zipfile

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from wavenet.storage import npz


def write(path, *members, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name, bytes)."""
    with zipfile.ZipFile(str(path), 'w', compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return str(path)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text, version=1):
    """The bytes of an array's header alone."""
    text = text.encode()
    length = struct.pack('<H' if version == 1 else '<I', len(text))
    return b'\x93NUMPY' + bytes([version, 0]) + length + text


@pytest.mark.parametrize('array', [
    np.arange(6, dtype='f').reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.zeros((0, 3), 'u1'), np.array('text'), np.array(True), np.array(3 + 1j), np.zeros(3, '>f4'),
    np.arange(3 << 18)])
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_are_those_of_numpy(tmp_path, array, save):
    path = str(tmp_path / 'file.npz')
    save(path, a=array, b=np.zeros(2))
    with npz.open_npz(path) as file:
        assert sorted(file.files) == ['a', 'b']
        assert file.header('a') == (array.shape, array.dtype)
        read = file['a']
        assert read.shape == array.shape and read.dtype == array.dtype and (read == array).all()
        assert read.flags.writeable and (read.ndim < 2 or not read.size
                                         or read.flags.f_contiguous == array.flags.f_contiguous)


def test_a_header_of_python_2_is_read_without_a_word(tmp_path, recwarn):
    path = write(tmp_path / 'file', ('a.npy', header(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}") + bytes(8)))
    with npz.open_npz(path) as file:
        assert file['a'].shape == (2,)
    assert not recwarn.list


LONG = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s)}" % ('1,' * 6000)


@pytest.mark.parametrize('content', [
    npy(np.array([{}], object)), npy(np.zeros(2, 'f,f')), npy(np.zeros(2, 'V3')),
    npy(np.zeros(2, 'M8[s]')), npy(np.zeros(4))[:-1], npy(np.zeros(4)) + b'x', b'', b'text',
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
    header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').getpid()}"),
    header("{'descr': '<f4'"), header('(' * 5000), header(LONG, 2), header('-' * 9000 + '1'),
    b'\x93NUMPY\2\0\xff\xff\xff\xff', b'\x93NUMPY\x03\0' + npy(np.zeros(4))[8:]])
def test_what_is_no_plain_array_is_refused(tmp_path, content):
    path = write(tmp_path / 'file', ('a.npy', content))
    for read in (lambda file: file['a'], lambda file: file.header('a')):
        with pytest.raises(ValueError, match='file: cannot be used'):
            with npz.open_npz(path) as file:
                read(file)


def test_what_a_file_claims_is_not_believed(tmp_path):
    path = write(tmp_path / 'bomb', ('a.npy', npy(np.zeros(100 << 20, 'u1'))))
    assert os.path.getsize(path) < 200000
    for ratio in (npz.WEIGHTS_RATIO, npz.IMAGES_RATIO):
        with pytest.raises(ValueError, match='claim'):
            with npz.open_npz(path, ratio):
                pass
    path = write(tmp_path / 'small', ('a.npy', npy(np.zeros(1 << 20, 'u1'))))
    with npz.open_npz(path) as file:
        assert file['a'].size == 1 << 20


def test_one_entry_named_many_times_is_no_small_file(tmp_path):
    content = npy(np.zeros(1 << 20, 'u1'))
    with zipfile.ZipFile(str(tmp_path / 'file'), 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('a.npy', content)
        for n in range(100):                               # the list points at the same bytes
            member = zipfile.ZipInfo(f'b{n}.npy')
            for name in ('header_offset', 'compress_size', 'file_size', 'CRC', 'compress_type'):
                setattr(member, name, getattr(file.filelist[0], name))
            file.filelist.append(member)
    with pytest.raises(ValueError, match='claim'):
        with npz.open_npz(str(tmp_path / 'file')):
            pass


@pytest.mark.parametrize('compression', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, compression):
    path = write(tmp_path / 'file', ('a.npy', npy(np.zeros(3))), compression=compression)
    with pytest.raises(ValueError, match='another way'):
        with npz.open_npz(path) as file:
            file['a']


def test_too_many_members_are_refused(tmp_path):
    for number, name in ((10001, '{}.npy'), (30000, '{}' + 'n' * 200)):
        path = write(tmp_path / 'file', *[(name.format(n), b'') for n in range(number)])
        with pytest.raises(ValueError, match='more than 10000'):
            with npz.open_npz(path):
                pass


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_name_that_comes_twice_is_refused(tmp_path):
    path = write(tmp_path / 'file', ('a.npy', npy(np.zeros(3))), ('a.npy', npy(np.ones(3))))
    with pytest.raises(ValueError, match='twice'):
        with npz.open_npz(path):
            pass


ARRAYS = {'a': np.arange(5, dtype='f'), 'b/c': np.array('text')}


def read(path):
    with npz.open_npz(str(path)) as file:
        return {name: file[name] for name in file.files}


def test_what_is_saved_comes_back_to_numpy_too(tmp_path):
    path = str(tmp_path / 'file')
    npz.save_npz(path, ARRAYS)
    with npz.open_npz(path) as ours, np.load(path) as numpys:
        assert ours.sealed and set(numpys.files) == set(ours.files) == set(ARRAYS)
        assert all((ours[name] == numpys[name]).all() for name in ARRAYS)
    npz.save_npz(path + '2', dict(reversed(list(ARRAYS.items()))))
    assert (tmp_path / 'file').read_bytes() == (tmp_path / 'file2').read_bytes()


def test_every_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / 'file'
    npz.save_npz(str(path), ARRAYS)
    whole = path.read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(ValueError, match='file: cannot be used'):
                read(path)


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / 'file'
    for save in (npz.save_npz, lambda path, arrays: np.savez(open(path, 'wb'), **arrays)):
        save(str(path), ARRAYS)
        whole = path.read_bytes()
        assert read(path)['b/c'] == 'text'
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match='file: cannot be used'):
                read(path)
        path.write_bytes(whole + b'x')
        with pytest.raises(ValueError, match='file: cannot be used'):
            read(path)


def test_a_flipped_bit_in_a_file_of_numpy_is_noticed_or_harmless(tmp_path):
    path = tmp_path / 'file'
    np.savez_compressed(str(path) + '.npz', **ARRAYS)
    whole = (tmp_path / 'file.npz').read_bytes()
    noticed = 0
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            arrays = read(path)
        except ValueError:
            noticed += 1
        else:  # such as a date, or a name, which the caller notices
            assert all((arrays[name] == ARRAYS[name]).all() for name in arrays.keys() & ARRAYS)
    assert noticed > len(whole) / 2


@pytest.fixture(scope='module')
def unsealed(tmp_path_factory):
    """The bytes of a file that NumPy wrote, and a path to write changed ones to."""
    path = tmp_path_factory.mktemp('npz') / 'file'
    np.savez_compressed(str(path) + '.npz', **ARRAYS)
    return (path.parent / 'file.npz').read_bytes(), path


@hypothesis.settings(max_examples=500, derandomize=True, deadline=None, database=None)
@hypothesis.given(strategies.lists(strategies.tuples(
    strategies.integers(0, 600), strategies.integers(0, 8), strategies.binary(max_size=8)),
    min_size=1))
def test_whatever_a_file_holds_it_is_read_or_refused(unsealed, edits):
    content, path = bytearray(unsealed[0]), unsealed[1]
    for position, removed, inserted in edits:
        content[position:position + removed] = inserted
    path.write_bytes(content)
    try:
        arrays = read(path)
    except ValueError as error:
        assert str(error).startswith(str(path))
    else:
        assert sum(array.nbytes for array in arrays.values()) < 1000
