import threading
import time

import numpy as np
import pytest

from wavenet.functions import threads


@pytest.fixture(params=[1, 2, 3])
def workers(request, monkeypatch):
    monkeypatch.setattr(threads, 'WORKERS', request.param)
    return request.param


@pytest.mark.parametrize('count', [0, 1, 2, 50])
def test_each_part_is_taken_once(workers, count):
    taken = []
    threads.share(taken.extend, list(range(count)))
    assert sorted(taken) == list(range(count))


def test_an_error_reaches_the_caller_and_stops_all(workers):
    taken = []

    def work(parts):
        for part in parts:
            taken.append(part)
            if part == 3:
                raise ZeroDivisionError
            if part > 3:
                for _ in range(1000):                        # a second, unless `check` raises
                    parts.check()
                    time.sleep(0.001)
    with pytest.raises(ZeroDivisionError):
        threads.share(work, list(range(1000)))
    assert len(taken) < 10


def test_a_blas_has_one_thread_during_the_work_and_afterwards_as_many_as_before(monkeypatch):
    monkeypatch.setattr(threads, 'WORKERS', 2)
    both = threading.Barrier(2, timeout=60)
    seen = []

    def numbers():
        return [library.num_threads for library in threads._blas.lib_controllers]

    def work(parts):
        for _ in parts:
            both.wait()                                      # two threads at the same time
            seen.extend(numbers())
            np.ones((50, 50)) @ np.ones((50, 50))

    with threads._blas.limit(limits=2):
        threads.share(work, [0, 1])
        after = numbers()
    assert set(seen) == {1} and set(after) == {2}


def test_ahead_waits_for_the_work_and_raises_its_error():
    done = []
    threads.ahead(lambda: done.append(1))()
    assert done == [1]

    def fail():
        raise ValueError('no')
    wait = threads.ahead(fail)
    with pytest.raises(ValueError, match='no'):
        wait()


@pytest.mark.parametrize('batch, size, parts', [
    (0, 3, []), (0, 0, []), (1, 3, [[0]]), (6, 3, [[0, 1, 2], [3, 4, 5]]),
    (7, 3, [[0, 1, 2], [3, 4, 5], [6]])])
def test_parts_of_a_batch(batch, size, parts):
    assert [list(range(batch)[part]) for part in threads.parts_of(batch, size)] == parts


@pytest.mark.parametrize('batch', [0, 1, 2, 7, 100])
def test_images_at_a_time(monkeypatch, batch):
    monkeypatch.setattr(threads, 'CACHE', 1000)
    assert threads.images_at_a_time(np, batch, 2000) == 1              # one exceeds the cache
    assert threads.images_at_a_time(np, batch, 99) == min(max(1, batch), 10)
    of_a_part = threads.images_at_a_time(np, batch, 1, least_parts=4)
    assert len(threads.parts_of(batch, of_a_part)) >= min(batch, 3)
    assert threads.images_at_a_time('another module', batch, 2000) == max(1, batch)
