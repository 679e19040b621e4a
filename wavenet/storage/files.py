"""Files that appear whole or not at all, and folders that one process at a time may write to.

Atomic writes are our own because `atomicwrites` (1.4.1) replaces a symbolic link by a file.
The lock is our own because filelock (4.3.1) leaves a lock file, and cannot lock the folder itself.
"""
import contextlib
import fcntl
import os
import re
import stat


@contextlib.contextmanager
def atomic_write(path, durable=True):
    """Opens a binary file for writing that replaces `path` once all of it is on disk.

    The file has a temporary name beside `path`. When the block ends, the file is synced and
    renamed, and then the folder is synced, so that the new name lasts too. A symbolic link stays a
    link. If the block raises, `path` keeps its old content and the temporary file is removed. A
    killed process leaves its temporary file: see `remove_leftovers`. With durable=False nothing is
    synced, which is faster for many files that can be made again.

    Raises: OSError that names `path` if it cannot be written.
    """
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    temporary = _temporary(real)
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, real)
        if durable:
            _sync_folder(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary):
            error.filename, error.filename2 = os.fspath(path), None  # the path that the user gave
        raise


def _temporary(path):
    folder, name = os.path.split(path)
    return os.path.join(folder, f'.{name}.{os.getpid()}.tmp')


def _sync_folder(folder):
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder, names):
    """Removes the temporary files of `atomic_write` that killed processes left in a folder.

    Args:
        folder: may be missing. No other process may be writing these files (see `lock`).
        names: regular expression that matches the final names of the files.
    """
    temporary = re.compile(rf'\.(?:{names})\.\d+\.tmp')
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if temporary.fullmatch(name):
                os.unlink(os.path.join(folder, name))


def lock(folder):
    """Claims a folder for this process until the lock is closed or the process ends in any way.

    The folder itself is locked, so no lock file is ever left in it.

    Returns: the lock, to be kept; None if there is no such folder.

    Raises: BlockingIOError if another process has claimed the folder.
    """
    try:
        claim = _Lock(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(claim.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, 'another process is writing to this folder', folder) \
            from None
    except OSError:
        pass  # a file system without locks
    return claim


class _Lock:
    """An open folder. The system drops the lock when the folder is closed."""

    descriptor = None

    def __init__(self, folder):
        self.descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def close(self):
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    __del__ = close


def is_older(path, other):
    """Whether the file `path` is missing or was written before the file `other`."""
    return not os.path.exists(path) or os.stat(path).st_mtime_ns < os.stat(other).st_mtime_ns


def open_regular(path):
    """Opens a regular file for reading bytes.

    Raises: OSError if it cannot be opened or is something else, such as a pipe or a device.
    """
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it
    file = open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f'{path}: this is not a regular file')
    return file


def make_folder(path):
    """Makes a folder unless it exists. Raises: OSError if that fails or it is not writable."""
    with contextlib.suppress(FileExistsError):  # check_writable has a clearer message
        os.makedirs(path, exist_ok=True)
    check_writable(path)


def check_writable(folder):
    """Raises: OSError if a folder does not exist or is not writable."""
    if not os.path.exists(folder):
        raise NotADirectoryError(f'{folder}: this folder does not exist')
    if not os.path.isdir(folder):
        raise NotADirectoryError(f'{folder}: this is not a folder')
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f'{folder}: this folder is not writable')


def check_target(path):
    """Raises: OSError if no file can be written to `path`."""
    check_writable(os.path.dirname(path) or '.')
    with contextlib.suppress(FileNotFoundError):
        os.stat(_temporary(path))  # fails if the name is too long
    if os.path.isdir(path):
        raise IsADirectoryError(f'{path}: this is a folder')
