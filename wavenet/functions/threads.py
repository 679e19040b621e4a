"""Work on the images of a batch, spread over the cores of a CPU.

A BLAS spreads each product over the cores by itself, but it spreads nothing else, and after each
product its threads wait for each other, busily: if other work takes one of the cores, all of them
wait for that one. Here each core takes a few images of the batch, does all the work on them while
they are in its cache, and takes the next few.
"""
import ctypes
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from threadpoolctl import ThreadpoolController

CACHE = 2 ** 19  # values that fit into the part of the cache that a core has for itself

_blas = ThreadpoolController().select(user_api='blas')
# As many as NumPy's BLAS would use, which OPENBLAS_NUM_THREADS and the like decide
WORKERS = max([library.num_threads for library in _blas.lib_controllers], default=1)
_pool = ThreadPoolExecutor(max(1, WORKERS - 1), thread_name_prefix='wavenet')


def limit(cores):
    """Uses at most so many cores from now on. Returns: how many."""
    global WORKERS
    WORKERS = min(WORKERS, cores)
    for library in _blas.lib_controllers:
        library.set_num_threads(min(library.num_threads, cores))
    return WORKERS


def images_at_a_time(xp, batch, values_of_an_image, least_parts=1):
    """How many images of a batch a core takes at a time.

    Args:
        xp: array module. A GPU takes the whole batch.
        batch: number of images in the batch.
        values_of_an_image: as many images are taken as have `CACHE` values together.
        least_parts: but few enough to divide the batch into about so many parts.

    Returns: int, at least 1, also for an empty batch.
    """
    if xp is not np:
        return max(1, batch)
    return max(1, min(CACHE // values_of_an_image, -(-batch // least_parts)))


def parts_of(batch, size):
    """Divides a batch into slices of `size` images; the last slice may be smaller.

    An empty batch has no slices, whatever the size.
    """
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size or 1)]


class Parts:
    """An iterator from which several threads take parts. It ends early if one of them failed."""

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
        """Raises `Stopped` if another thread has failed. For work that takes long on one part."""
        if self.failed:
            raise Stopped


class Stopped(Exception):
    """Raised by `Parts.check`."""


def share(work, parts):
    """Calls `work(Parts(parts))` on all cores at once, each with the same `Parts`.

    Raises: what the first failing call raises. Ctrl-C stops all calls.
    """
    if WORKERS == 1 or len(parts) == 1:
        return work(Parts(parts))
    shared = Parts(parts)
    errors = []
    numpy_errors = np.geterr()  # each thread has its own

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
        except BaseException:                                # Ctrl-C while waiting
            shared.failed = True
            wait(others)
            raise
    if errors:
        raise errors[0]


def ahead(work):
    """Starts `work()` on another core. Work on another core must not call it.

    Returns: a function that waits for the end of the work, and raises what the work raises.
    """
    numpy_errors = np.geterr()

    def run():
        with np.errstate(**numpy_errors):
            return work()

    return _pool.submit(run).result


def one_thread_a_product():
    """A context in which a BLAS uses one thread.

    Small products gain little from several threads, and lose all of it if other work takes a core:
    then all threads wait for the one without a core.
    """
    return _blas.limit(limits=1)


def keep_freed_memory():
    """Asks the C library to keep the memory of freed large arrays for the next ones.

    By default glibc returns it to the system, so each training step gets hundreds of megabytes
    again, page by page, and the system zeroes each page. Without glibc, this does nothing.
    """
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3        # malloc.h
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, 2 ** 31 - 1)
