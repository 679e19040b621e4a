"""Completion in an order that begins with the values that are given."""
import itertools

import numpy as np
import pytest

from families.made.test_model import images, made
from wavenet import sampling
from wavenet.families.made.model import Made

GIVEN = np.array([[False, True, False], [False, False, True]])


def test_the_values_that_are_given_come_first_the_others_follow_row_by_row():
    degrees, *_ = made().degrees_of_completion(GIVEN[None])
    assert (degrees.reshape(2, 3) == [[2, 0, 3], [4, 5, 1]]).all()


@pytest.mark.parametrize('rows', [0, 1, 2])
def test_given_rows_from_the_top_do_not_change_the_order(rows):
    model = made(channels=3)
    given = np.broadcast_to(np.arange(2)[:, None] < rows, (3, 2, 3))
    for found, expected in zip(model.degrees_of_completion(given), model.degrees(0)):
        assert (found == expected).all()


def test_a_model_of_one_order_has_no_other():
    model = Made(1, 2, 3, (4,), 1)
    assert (model.degrees_of_completion(GIVEN[None])[0] == np.arange(6)).all()


@pytest.mark.parametrize('channels', [1, 3])
def test_an_output_sees_all_given_values_and_no_later_one(channels):
    """Bit for bit."""
    model = made(channels, hidden_dims=[2000], out_dims=2)
    given = np.broadcast_to(GIVEN, (channels, 2, 3))
    order = model.degrees_of_completion(given)
    degrees = order[0]
    x = images(model, 1)
    before = model(x, order=order).array.reshape(2, -1)
    for value, degree in enumerate(degrees):
        changed = x.copy()
        changed.flat[value] += 1
        differs = (model(changed, order=order).array.reshape(2, -1) != before).any(axis=0)
        assert (differs == (degrees > degree)).all()
        assert not given.flat[value] or differs[~given.ravel()].all()


@pytest.mark.parametrize('channels, direct', [(1, False), (3, True)])
def test_the_cache_completes_as_the_plain_loop(channels, direct):
    model = made(channels, out_dims=4, direct=direct)
    x = images(model, 50)
    plain, cached = [sampling.generate(model, x.shape, 0, method, given=(x, GIVEN))
                     for method in ('naive', 'cached')]
    assert (plain == cached).all()
    assert (cached[..., GIVEN] == np.floor(x[..., GIVEN] * 4).clip(0, 3).astype('f') / 3).all()


def test_completions_have_the_probabilities_of_the_model():
    """The first pixel given the last one, of 1 × 3: counted, and by summing over all images."""
    model = made(height=1, width=3, hidden_dims=(60,))
    given = np.array([[False, False, True]])
    count = 20000
    order = model.degrees_of_completion(given[None])
    x = np.array([*itertools.product((0, 1), repeat=3)], 'f').reshape(-1, 1, 1, 3)
    p = np.exp(-model.distribution.nll(model(x, order=order).array, x.astype('i')).array)
    for last in (0, 1):
        images = np.full((count, 1, 1, 3), last, 'f')
        completed = sampling.generate(model, images.shape, 0, given=(images, given))
        assert (completed[..., 2] == last).all()
        of_last = x[:, 0, 0, 2] == last
        expected = p[of_last & (x[:, 0, 0, 0] == 1)].sum() / p[of_last].sum()
        assert completed[:, 0, 0, 0].mean() == pytest.approx(
            expected, abs=5 * float(expected * (1 - expected) / count) ** 0.5)
