"""Arrays from .npz files that strangers may have made.

A few kilobytes can claim, and even unpack to, gigabytes. `open_npz` therefore checks before it
reads: arrays are never unpickled; the file must not claim more bytes than its own size allows; the
header of an array must fit the array's size in the file. A caller can check the shape and dtype of
an array before reading it (`Npz.header`). Arrays are read to their end, where the zip file checks
their CRC. Files of `save_npz` also carry a SHA-256 checksum of the whole file as the comment of the
zip, so any flipped bit is detected.

This reader is our own because `numpy.load` allocates whatever an array's header claims.
"""
import contextlib
import hashlib
import io
import math
import struct
import warnings
import zipfile
from typing import NamedTuple

import numpy as np

from wavenet.storage.files import atomic_write, open_regular

# Most bytes of arrays that a file may hold, for each byte of the file. Weights are noise, which
# hardly compresses; in Adam's two moments of them, the masked values are zeros.
WEIGHTS_RATIO = 10
IMAGES_RATIO = 300         # such as black drawings on white
HARMLESS = 64 << 20        # bytes of arrays that any file may hold

_MEMBERS = 10000           # most arrays in a file
_DIRECTORY = 4 << 20       # most bytes of the zip's list of members
_HEADER = 10000            # most bytes of an array's header
_CHUNK = 1 << 20
_SEAL = b'sha256:'


def save_npz(path, arrays):
    """Writes a dict of arrays to an .npz file, atomically and with a checksum.

    The same arrays give the same bytes. `numpy.load` can read the file too.

    Raises: OSError if the file cannot be written.
    """
    # Packed in memory: on a full disk, NumPy would fail again when it closes the unfinished zip
    packed = io.BytesIO()
    np.savez_compressed(packed, **dict(sorted(arrays.items())))
    packed.seek(-2, io.SEEK_END)  # the zip ends with the length of its comment
    packed.write(struct.pack('<H', len(_SEAL) + 64) + _SEAL)
    packed.write(hashlib.sha256(packed.getbuffer()).hexdigest().encode())
    with atomic_write(path) as file:
        file.write(packed.getbuffer())


@contextlib.contextmanager
def open_npz(path, ratio=WEIGHTS_RATIO):
    """Opens an .npz file for reading, as an `Npz`.

    Args:
        path: of the file.
        ratio: most bytes of arrays for each byte of the file.

    Raises: ValueError that names the file if anything is wrong with it, or if the block raises
        anything; OSError if the file cannot be opened.
    """
    with open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # NumPy warns about headers from Python 2, but reads them
        try:
            yield Npz(file, ratio)
        except Exception as error:  # a damaged file can raise almost anything
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise ValueError(f'{path}: cannot be used: {reason}') from error


def check_ratio(claimed, size, ratio):
    """Raises ValueError if a file of `size` bytes cannot hold the `claimed` number of bytes."""
    if claimed > max(HARMLESS, ratio * size):
        raise ValueError(f'{size} bytes claim to hold {claimed} bytes')


class Npz:
    """The arrays of a file, as `numpy.load` gives them: `npz[name]` reads one of `npz.files`.

    Attributes:
        files: names of the arrays.
        sealed: whether the file has a checksum; a wrong one raises ValueError.
    """

    def __init__(self, file, ratio):
        size = file.seek(0, io.SEEK_END)
        self._zip = _open_zip(file)
        self.sealed = _check_seal(file, size, self._zip.comment)
        members = self._zip.infolist()
        if len(members) > _MEMBERS:
            raise ValueError(f'it contains more than {_MEMBERS} arrays')
        check_ratio(sum(member.file_size for member in members), size, ratio)
        self._members = {}
        for member in members:
            name = member.filename
            name = name[:-4] if name.endswith('.npy') else name
            if name in self._members:
                raise ValueError(f'it contains {name} twice')
            self._members[name] = member
        self.files = list(self._members)

    def header(self, name):
        """The shape and dtype of an array, without reading the array."""
        with self._open(name) as stream:
            header = _read_header(stream, name, self._members[name].file_size)
        return header.shape, header.dtype

    def __getitem__(self, name):
        with self._open(name) as stream:
            header = _read_header(stream, name, self._members[name].file_size)
            content = np.empty(header.size, 'u1')
            position = 0
            while position < header.size:
                chunk = stream.read(min(_CHUNK, header.size - position))
                if not chunk:
                    raise ValueError(f'its array {name} is cut off')
                content[position:position + len(chunk)] = np.frombuffer(chunk, 'u1')
                position += len(chunk)
        return content.view(header.dtype).reshape(header.shape, order=header.order)

    def _open(self, name):
        if name not in self._members:
            raise ValueError(f'it contains no array {name}')
        member = self._members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f'its array {name} is compressed in another way than NumPy does it')
        return self._zip.open(member)


def _open_zip(file):
    file = _SmallReads(file.raw)
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise ValueError('it is damaged or not an .npz file') from None
    finally:
        file.limit = None


class _SmallReads(io.BufferedReader):
    """A file that refuses single reads larger than a list of zip members may be."""

    limit = _DIRECTORY

    def read(self, size=-1):
        if self.limit is not None and size is not None and size > self.limit:
            raise ValueError(f'it claims to contain more than {_MEMBERS} arrays')
        return super().read(size)


def _check_seal(file, size, comment):
    """Whether the file has a checksum. Raises: ValueError if it is wrong or incomplete."""
    file.seek(max(0, size - 64))
    end = file.read()
    if not comment and end.endswith(b'\0\0'):             # NumPy writes no comment
        return False
    digest = hashlib.sha256()
    file.seek(0)
    for start in range(0, size - 64, _CHUNK):
        digest.update(file.read(min(_CHUNK, size - 64 - start)))
    if comment != _SEAL + end or digest.hexdigest().encode() != end:
        raise ValueError('it is damaged: its checksum is wrong')
    return True


class _Header(NamedTuple):
    """What the header of an array says."""

    shape: tuple
    dtype: np.dtype
    order: str                 # 'C' or 'F'
    size: int                  # bytes of the values


def _read_header(stream, name, member_size):
    """Reads the header at the beginning of a stream of `member_size` bytes."""
    not_plain = ValueError(f'its {name} is not a plain array')
    start = stream.read(8)
    if start[:6] != b'\x93NUMPY' or start[6:] not in (b'\1\0', b'\2\0'):
        raise not_plain
    width = 2 * start[6]
    length = stream.read(width)
    header_size = int.from_bytes(length, 'little')
    if header_size > _HEADER:
        raise not_plain
    parse = (np.lib.format.read_array_header_1_0 if start[6] == 1 else
             np.lib.format.read_array_header_2_0)
    shape, fortran, dtype = parse(io.BytesIO(length + stream.read(header_size)))
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in 'biufcU' or not dtype.itemsize or min(shape, default=0) < 0 \
            or len(shape) > 32 or 8 + width + header_size + size != member_size:
        raise not_plain
    return _Header(shape, dtype, 'F' if fortran else 'C', size)
