"""Files that appear whole or not at all, and .npz files that cannot run code."""
import contextlib
import os
import zipfile
import zlib

import numpy as np

# What numpy.load and the readers below it raise for files that are damaged or something else
_UNREADABLE = (ValueError, EOFError, KeyError, TypeError, IndexError, AttributeError, RuntimeError,
               MemoryError, OverflowError, zipfile.BadZipFile, zlib.error)


@contextlib.contextmanager
def atomic_write(path):
    """A binary file to write to, which takes the place of `path` only when all of it is on disk.

    It is written under a temporary name beside `path`, synced, and renamed. If the block raises,
    what stood under `path` before is still there, and the temporary file is not.

    Raises: OSError where the folder cannot be written.
    """
    path = os.path.realpath(path)  # a link stays a link
    temporary = os.path.join(os.path.dirname(path),
                             '.{}.{}.tmp'.format(os.path.basename(path), os.getpid()))
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if getattr(error, 'filename', None) == temporary:
            error.filename, error.filename2 = path, None  # what the user asked for
        raise


def make_folder(path):
    """Makes a folder, if need be. Raises: OSError where that fails or it cannot be written."""
    os.makedirs(path, exist_ok=True)
    check_writable(path)


def check_writable(folder):
    """Raises: OSError for a folder that is not there or cannot be written."""
    if not os.path.isdir(folder):
        raise NotADirectoryError('{}: there is no such folder'.format(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError('{}: this folder cannot be written'.format(folder))


def check_target(path):
    """Raises: OSError for a path where no file can be written."""
    check_writable(os.path.dirname(path) or '.')
    if os.path.isdir(path):
        raise IsADirectoryError('{}: this is a folder'.format(path))


@contextlib.contextmanager
def open_npz(path):
    """The arrays of an .npz file, never unpickled, as `numpy.load` gives them.

    Raises: ValueError that names the file, for whatever is wrong with it, also where the block that
        reads it raises one; OSError where it cannot be read.
    """
    try:
        npz = np.load(path, allow_pickle=False)
        if not isinstance(npz, np.lib.npyio.NpzFile):
            raise ValueError('it is a single array')
        with npz:
            yield npz
    except _UNREADABLE as error:
        reason = ' '.join(str(error).split())
        if isinstance(error, EOFError) or 'pickle' in reason:
            reason = 'it is no .npz of plain arrays'
        raise ValueError('{}: cannot be used: {}'.format(path, reason)) from error
