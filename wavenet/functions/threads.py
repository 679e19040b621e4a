"""Work on the pictures of a batch, spread over the cores of a CPU.

A BLAS spreads every product over the cores by itself, but nothing else is spread then, and its
threads wait for each other after each product, busily: where other work takes one of the cores, all
wait for that one. Here each core takes pictures from the batch, does all that is to be done with
them while they are in its cache, and takes the next.
"""
import ctypes
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from threadpoolctl import ThreadpoolController

CACHE = 2 ** 19  # values that fit into the part of the cache that a core has for itself

_blas = ThreadpoolController().select(user_api='blas')
# As many as NumPy's BLAS would use, which is what OPENBLAS_NUM_THREADS and the like are for
WORKERS = max([library.num_threads for library in _blas.lib_controllers], default=1)
_pool = ThreadPoolExecutor(max(1, WORKERS - 1), thread_name_prefix='wavenet')


def limit(cores):
    """Takes no more than that many cores from now on. Returns: how many they are."""
    global WORKERS
    WORKERS = min(WORKERS, cores)
    for library in _blas.lib_controllers:
        library.set_num_threads(min(library.num_threads, cores))
    return WORKERS


def images_at_a_time(xp, batch, values_of_an_image, least_parts=1):
    """How many images of a batch a core takes at a time.

    On a CPU these are as many as fit into the cache of a core, but so few that the batch has
    `least_parts` parts where it can; on a GPU, the whole batch.

    Returns: int, at least 1, also for an empty batch.
    """
    if xp is not np:
        return max(1, batch)
    return max(1, min(CACHE // values_of_an_image, -(-batch // least_parts)))


def parts_of(batch, size):
    """The images of a batch as slices of `size` images, the last one of the rest."""
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size)]


class Parts:
    """An iterator over parts that several threads take from. It ends early where one has failed."""

    def __init__(self, parts):
        self._parts = iter(parts)
        self.failed = False

    def __iter__(self):
        return self

    def __next__(self):
        if self.failed:
            raise StopIteration
        return next(self._parts)

    def check(self):
        """Raises `Stopped` where another thread has failed: for work that takes its time."""
        if self.failed:
            raise Stopped


class Stopped(Exception):
    """Raised by `Parts.check`."""


def share(work, parts):
    """Calls `work(Parts(parts))` on all cores at once, all with the same `Parts`.

    Raises: what the first call of work that failed raises; Ctrl-C stops all.
    """
    if WORKERS == 1 or len(parts) == 1:
        return work(Parts(parts))
    shared = Parts(parts)
    errors = []
    numpy_errors = np.geterr()  # of this thread, which the others know nothing of

    def run():
        try:
            with np.errstate(**numpy_errors):
                work(shared)
        except Stopped:
            pass
        except BaseException as error:
            shared.failed = True
            errors.append(error)

    with one_thread_a_product():
        others = [_pool.submit(run) for _ in range(min(WORKERS, len(parts)) - 1)]
        try:
            run()
            wait(others)
        except BaseException:                                # Ctrl-C while it waits
            shared.failed = True
            wait(others)
            raise
    if errors:
        raise errors[0]


def ahead(work):
    """Starts `work()` on another core. Not for work that is itself on another core.

    Returns: a function that waits for it to end, and raises what it raises.
    """
    numpy_errors = np.geterr()

    def run():
        with np.errstate(**numpy_errors):
            return work()

    return _pool.submit(run).result


def one_thread_a_product():
    """A context in which a BLAS spreads nothing. Small products gain little by being spread, and
    where other work takes a core they lose all: the threads of each wait for the one that has no
    core."""
    return _blas.limit(limits=1)


def keep_freed_memory():
    """Asks the C library to keep the memory of large arrays that are freed, for the next ones.

    By default glibc gives it back, and a training step gets hundreds of megabytes anew, page by page,
    each zeroed by the system. Where there is no glibc, nothing happens.
    """
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3        # malloc.h
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, 2 ** 31 - 1)
