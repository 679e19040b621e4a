import dataclasses

import numpy as np
import pytest

from wavenet.data.recordings import hold_out, join


def recordings(lengths, classes=None):
    levels = [np.full(length, n, 'u1') for n, length in enumerate(lengths)]
    return join(levels, [f'{n}.wav' for n in range(len(lengths))], 8000, classes)


def test_recordings_of_any_lengths():
    some = recordings([3, 1, 5])
    assert len(some) == 3 and some.levels.dtype == np.uint8 and some.lengths.dtype == np.int64
    assert some.levels.nbytes == 9                                       # a byte a sample
    assert [one.tolist() for one in some] == [[0] * 3, [1], [2] * 5]
    assert some[-1].tolist() == [2] * 5 and some[1].base is not None
    assert some.class_ids is None and some.class_names == ()
    for i in (3, -4):
        with pytest.raises(IndexError):
            some[i]
    with pytest.raises(dataclasses.FrozenInstanceError):
        some.rate = 1


@pytest.mark.parametrize('which', [[2, 0], np.array([2, 0])])
def test_select(which):
    some = recordings([3, 1, 5], ([1, 0, 1], ['a', 'b'])).select(which)
    assert [one.tolist() for one in some] == [[2] * 5, [0] * 3]
    assert some.class_ids.tolist() == [1, 1] and some.class_ids.dtype == np.int32
    assert some.class_names == ('a', 'b') and some.names == ('2.wav', '0.wav')


def test_select_by_masks_and_slices():
    some = recordings([3, 1, 5])
    assert some.select(np.array([False, True, True])).names == ('1.wav', '2.wav')
    assert some.select(slice(1)).levels.tolist() == [0] * 3
    none = some.select([False] * 3)
    assert len(none) == 0 and none.levels.dtype == np.uint8 and none.names == ()


@pytest.mark.parametrize('count, tests', [(2, 1), (9, 1), (10, 1), (25, {2, 3}), (100, 10)])
def test_a_tenth_is_held_out(count, tests):
    some = recordings(range(1, count + 1))
    train, test = hold_out(some)
    assert len(test) in ({tests} if isinstance(tests, int) else tests)
    assert sorted(train.names + test.names) == sorted(some.names)
    for part in (train, test):
        numbers = [int(name[:-4]) for name in part.names]
        assert numbers == sorted(numbers)
        assert [one[0] for one in part] == numbers and (part.lengths == np.add(numbers, 1)).all()
    assert hold_out(some).test.names == test.names
    if count >= 25:
        assert hold_out(some, seed=1).test.names != test.names


def test_a_tenth_of_each_class_is_held_out():
    classes = np.arange(200) % 4
    test = hold_out(recordings([1] * 200, (classes, 'abcd'))).test
    assert np.bincount(test.class_ids).tolist() == [5] * 4


@pytest.mark.parametrize('length, last', [(2, 1), (10, 1), (11, 2), (1000, 100)])
def test_of_one_recording_the_last_tenth_of_the_time_is_held_out(length, last):
    levels = np.arange(length).astype('u1')
    one = join([levels], ['a.wav'], 8000, ([0], ['a']))
    train, test = hold_out(one)
    assert (train[0] == levels[:-last]).all() and (test[0] == levels[-last:]).all()
    assert train.names == test.names == ('a.wav',) and test.class_ids.tolist() == [0]
    assert len(train) == len(test) == 1 and test.lengths.dtype == np.int64


@pytest.mark.parametrize('lengths', [[], [1]])
def test_nothing_to_divide(lengths):
    with pytest.raises(ValueError, match='at least 2 recordings'):
        hold_out(recordings(lengths))
