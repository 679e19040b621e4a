import threading
import time

import numpy as np
import pytest

from wavenet import parallel


@pytest.fixture(params=[1, 2, 3])
def workers(request, monkeypatch):
    monkeypatch.setattr(parallel, 'WORKERS', request.param)
    return request.param


@pytest.mark.parametrize('count', [0, 1, 2, 50])
def test_each_part_is_taken_once(workers, count):
    taken = []
    parallel.share(taken.extend, list(range(count)))
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
        parallel.share(work, list(range(1000)))
    assert len(taken) < 10


def test_products_have_one_thread_while_it_lasts_and_then_what_they_had(monkeypatch):
    if parallel.WORKERS == 1:
        monkeypatch.setattr(parallel, 'WORKERS', 2)
        for library in parallel._libraries:
            library.set_num_threads(2)
    before = [library.num_threads for library in parallel._libraries]
    both = threading.Barrier(2, timeout=60)
    seen = []

    def work(parts):
        for _ in parts:
            both.wait()                                      # two threads, at the same time
            seen.extend(library.num_threads for library in parallel._libraries)
            np.ones((50, 50)) @ np.ones((50, 50))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, 'WORKERS', 2)
        parallel.share(work, [0, 1])
    assert seen and set(seen) == {1}
    assert [library.num_threads for library in parallel._libraries] == before


def test_work_ahead_is_waited_for_and_its_error_raised():
    done = []
    parallel.ahead(lambda: done.append(1))()
    assert done == [1]

    def fail():
        raise ValueError('no')
    wait = parallel.ahead(fail)
    with pytest.raises(ValueError, match='no'):
        wait()
