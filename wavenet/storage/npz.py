"""Arrays from the .npz file of a stranger: nothing is unpickled, and no size is believed unseen.

A few kilobytes can claim, and even unpack to, gigabytes. So before an array is read its header says
what it would take, the file as a whole must not claim a multiple of its own size that such files do
not come to, and whoever reads an array can ask for its shape and dtype first (`Npz.header`). What
is read is read to its end, where the zip's checksum of it is. In files of `save_npz` the zip's
comment is a checksum of all before it, so that no flipped bit is overlooked.
"""
import contextlib
import hashlib
import io
import math
import struct
import warnings
import zipfile

import numpy as np

from wavenet.storage.files import atomic_write, open_regular

# Bytes that a file may hold for each of its own. Weights are noise, which hardly compresses; of the
# two moments that Adam keeps of them, what a mask zeroes compresses to nothing.
WEIGHTS = 10
PICTURES = 300             # black drawings on white
HARMLESS = 64 << 20        # bytes that any file may hold

_MEMBERS = 10000           # in a file
_DIRECTORY = 4 << 20       # bytes of the list of them
_HEADER = 10000            # bytes of an array's header
_CHUNK = 1 << 20
_SEAL = b'sha256:'


def save_npz(path, arrays):
    """Writes a dict of arrays to one .npz, atomically, with a checksum; the same arrays give the
    same bytes. `numpy.load` reads it, too.

    Raises: OSError where the file cannot be written.
    """
    # In memory: where the disk is full, NumPy's half of a zip would complain, too
    packed = io.BytesIO()
    np.savez_compressed(packed, **dict(sorted(arrays.items())))
    packed.seek(-2, io.SEEK_END)  # the last field is the length of the comment
    packed.write(struct.pack('<H', len(_SEAL) + 64) + _SEAL)
    packed.write(hashlib.sha256(packed.getbuffer()).hexdigest().encode())
    with atomic_write(path) as file:
        file.write(packed.getbuffer())


@contextlib.contextmanager
def open_npz(path, ratio=WEIGHTS):
    """The arrays of an .npz file, an `Npz`.

    Args:
        path: of the file.
        ratio: bytes of arrays for each byte of the file, at most.

    Raises: ValueError that names the file, for whatever is wrong with it, also where the block that
        reads it raises something; OSError where it cannot be opened.
    """
    with open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of headers that Python 2 has written, which are right
        try:
            yield Npz(file, ratio)
        except Exception as error:  # what damage can raise is no list
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise ValueError('{}: cannot be used: {}'.format(path, reason)) from error


def check_ratio(claimed, size, ratio):
    """Raises: ValueError where `size` bytes claim to hold so many more that it cannot be true."""
    if claimed > max(HARMLESS, ratio * size):
        raise ValueError('{} bytes that claim to hold {}'.format(size, claimed))


class Npz:
    """Like the mapping that `numpy.load` gives: `files`, the names of the arrays; `npz[name]`.

    `sealed` says whether the file has a checksum, which is right then.
    """

    def __init__(self, file, ratio):
        size = file.seek(0, io.SEEK_END)
        members = _open_zip(file)
        self.sealed = _check_seal(file, size, members.comment)
        if len(members.infolist()) > _MEMBERS:
            raise ValueError('it holds more than {} arrays'.format(_MEMBERS))
        check_ratio(sum(member.file_size for member in members.infolist()), size, ratio)
        self._zip = members
        self._members = {}
        for member in members.infolist():
            name = member.filename
            name = name[:-4] if name.endswith('.npy') else name
            if name in self._members:
                raise ValueError('it holds {} twice'.format(name))
            self._members[name] = member
        self.files = list(self._members)

    def header(self, name):
        """(shape, dtype) of an array, which is not read."""
        with self._open(name) as stream:
            return _read_header(stream, name, self._members[name].file_size)[:2]

    def __getitem__(self, name):
        with self._open(name) as stream:
            shape, dtype, order, size = _read_header(stream, name, self._members[name].file_size)
            content = np.empty(size, 'u1')
            position = 0
            while position < size:
                chunk = stream.read(min(_CHUNK, size - position))
                if not chunk:
                    raise ValueError('its {} is cut off'.format(name))
                content[position:position + len(chunk)] = np.frombuffer(chunk, 'u1')
                position += len(chunk)
        return content.view(dtype).reshape(shape, order=order)

    def _open(self, name):
        if name not in self._members:
            raise ValueError('it holds no {}'.format(name))
        member = self._members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError('its {} is compressed in another way than NumPy does'.format(name))
        return self._zip.open(member)


def _open_zip(file):
    file = _Bounded(file.raw)
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise ValueError('it is damaged, or no .npz of arrays') from None
    finally:
        file.limit = None


def _check_seal(file, size, comment):
    """Whether there is a checksum. Raises: ValueError where it is wrong or partly gone."""
    file.seek(max(0, size - 64))
    end = file.read()
    if not comment and end.endswith(b'\0\0'):             # as NumPy leaves it: no comment
        return False
    digest = hashlib.sha256()
    file.seek(0)
    for start in range(0, size - 64, _CHUNK):
        digest.update(file.read(min(_CHUNK, size - 64 - start)))
    if comment != _SEAL + end or digest.hexdigest().encode() != end:
        raise ValueError('it is damaged: its checksum is wrong')
    return True


class _Bounded(io.BufferedReader):
    """A file of which no more is read at once than the list of a zip's members may be long."""

    limit = _DIRECTORY

    def read(self, size=-1):
        if self.limit is not None and size is not None and size > self.limit:
            raise ValueError('it claims to hold more than {} arrays'.format(_MEMBERS))
        return super().read(size)


def _read_header(stream, name, member_size):
    """(shape, dtype, order, bytes) of the array that a stream holds, from its beginning."""
    plain = ValueError('its {} is no plain array'.format(name))
    start = stream.read(8)
    if start[:6] != b'\x93NUMPY' or start[6:] not in (b'\1\0', b'\2\0'):
        raise plain
    width = 2 * start[6]
    length = stream.read(width)
    header_size = int.from_bytes(length, 'little')
    if header_size > _HEADER:
        raise plain
    parse = (np.lib.format.read_array_header_1_0 if start[6] == 1 else
             np.lib.format.read_array_header_2_0)
    shape, fortran, dtype = parse(io.BytesIO(length + stream.read(header_size)))
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in 'biufcU' or not dtype.itemsize or min(shape, default=0) < 0 \
            or len(shape) > 32 or 8 + width + header_size + size != member_size:
        raise plain
    return shape, dtype, 'F' if fortran else 'C', size
