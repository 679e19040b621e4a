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
                for _ in range(1000):                        # a second, but for the check
                    parts.check()
                    time.sleep(0.001)
    with pytest.raises(ZeroDivisionError):
        threads.share(work, list(range(1000)))
    assert len(taken) < 10


def test_products_have_one_thread_while_it_lasts_and_then_what_they_had(monkeypatch):
    if threads.WORKERS == 1:
        monkeypatch.setattr(threads, 'WORKERS', 2)
        for library in threads._libraries:
            library.set_num_threads(2)
    before = [library.num_threads for library in threads._libraries]
    both = threading.Barrier(2, timeout=60)
    seen = []

    def work(parts):
        for _ in parts:
            both.wait()                                      # two threads, at the same time
            seen.extend(library.num_threads for library in threads._libraries)
            np.ones((50, 50)) @ np.ones((50, 50))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, 'WORKERS', 2)
        threads.share(work, [0, 1])
    assert seen and set(seen) == {1}
    assert [library.num_threads for library in threads._libraries] == before


def test_work_ahead_is_waited_for_and_its_error_raised():
    done = []
    threads.ahead(lambda: done.append(1))()
    assert done == [1]

    def fail():
        raise ValueError('no')
    wait = threads.ahead(fail)
    with pytest.raises(ValueError, match='no'):
        wait()
