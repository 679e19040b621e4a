"""Files that appear whole or not at all, and folders that belong to one process at a time."""
import contextlib
import fcntl
import os
import re
import stat


@contextlib.contextmanager
def atomic_write(path):
    """A binary file to write to, which takes the place of `path` only when all of it is on disk.

    It is written under a temporary name beside `path`, synced, and renamed; then the folder is
    synced, so that the new name lasts, too. If the block raises, what stood under `path` before is
    still there, and the temporary file is not. A process that is killed leaves it: see
    `remove_leftovers`.

    Raises: OSError that names the file where it cannot be written.
    """
    real = os.path.realpath(path)  # a link stays a link
    folder = os.path.dirname(real)
    temporary = _temporary(real)
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, real)
        _sync_folder(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary):
            error.filename, error.filename2 = path, None  # what the user asked for
        raise


def _temporary(path):
    return os.path.join(os.path.dirname(path),
                        '.{}.{}.tmp'.format(os.path.basename(path), os.getpid()))


def _sync_folder(folder):
    with contextlib.suppress(OSError):  # there are file systems that cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder, names):
    """Removes what `atomic_write` left in a folder of processes that were killed.

    Args:
        folder: that no other process writes these files to (see `lock`); need not be there.
        names: a regular expression for the names of the files that they were to become.
    """
    temporary = re.compile(r'\.(?:{})\.\d+\.tmp'.format(names))
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if temporary.fullmatch(name):
                os.unlink(os.path.join(folder, name))


def lock(folder):
    """Claims a folder for this process, until that ends, however it ends, or drops the lock.

    Returns: the lock; None where there is no such folder.

    Raises: BlockingIOError where another process has claimed it.
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
    # The folder itself is locked, so that no file of a lock is left
    descriptor = None

    def __init__(self, folder):
        self.descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def close(self):
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    __del__ = close


def is_older(path, other):
    """Whether a file is not there, or was written before another one."""
    return not os.path.exists(path) or os.stat(path).st_mtime_ns < os.stat(other).st_mtime_ns


def open_regular(path):
    """Opens a file for reading bytes. Raises: OSError for what is none, say a pipe or a device."""
    # A pipe that nobody writes to would not open without O_NONBLOCK
    file = open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError('{}: this is no regular file'.format(path))
    return file


def make_folder(path):
    """Makes a folder, if need be. Raises: OSError where that fails or it cannot be written."""
    with contextlib.suppress(FileExistsError):  # check_writable says it better
        os.makedirs(path, exist_ok=True)
    check_writable(path)


def check_writable(folder):
    """Raises: OSError for a folder that is not there or cannot be written."""
    if not os.path.isdir(folder):
        raise NotADirectoryError('{}: {}'.format(
            folder, 'this is no folder' if os.path.exists(folder) else 'there is no such folder'))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError('{}: this folder cannot be written'.format(folder))


def check_target(path):
    """Raises: OSError for a path where no file can be written."""
    check_writable(os.path.dirname(path) or '.')
    with contextlib.suppress(FileNotFoundError):
        os.stat(_temporary(path))  # a name may be too long
    if os.path.isdir(path):
        raise IsADirectoryError('{}: this is a folder'.format(path))
