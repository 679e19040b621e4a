import gc

import numpy as np
import pytest

from wavenet.functions import products
from wavenet.functions.masked_convolution import masked_convolution_2d
from wavenet.functions.products import Products, products_of
from wavenet.models import make_mask


def make(shape, kind='B', colors=3):
    mask = make_mask(shape, kind, colors).astype(bool)
    return mask, tuple(k // 2 for k in shape[2:])


def multiplied(product, mask):
    """How often `Products` multiply each weight, (O, I, kh, kw)."""
    # Each weight is replaced by its number, which shows where it is in the sorted matrix.
    numbers = np.arange(1, mask.size + 1, dtype='d').reshape(mask.shape)
    matrix = product.weights(numbers, np.zeros(len(mask)))
    times = np.zeros(mask.size + 1, int)
    for maps, rows in product.products:
        np.add.at(times, matrix[maps, rows].astype(int), 1)
    return times[1:].reshape(mask.shape)


@pytest.mark.parametrize('shape, kind, colors, turned', [((24, 3, 7, 7), 'A', 3, False)] + [
    case + (turned,) for turned in (False, True) for case in (
        ((24, 24, 3, 3), 'B', 3), ((12, 24, 1, 1), 'B', 3), ((24, 12, 1, 1), 'B', 3),
        ((8, 1, 7, 7), 'A', 1), ((8, 8, 3, 3), 'B', 1), ((12, 12, 1, 3), 'B', 3))])
def test_unmasked_weights_are_multiplied_once_and_masked_ones_never(shape, kind, colors, turned):
    mask, pad = make(shape, kind, colors)
    times = multiplied(Products(mask, pad, colors, turned), mask)
    assert (times == mask).all()


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('shape', [(13, 14, 3, 3), (14, 13, 1, 1), (26, 25, 3, 3)])
def test_numbers_of_maps_are_rounded_up_to_multiples_of_four(shape, turned):
    """A product has at most three maps too many, and no unmasked weight is missing."""
    mask, pad = make(shape)
    product = Products(mask, pad, 3, turned)
    times = multiplied(product, mask)
    assert (times[mask] == 1).all() and times.max() == 1
    wasted = times.sum() - mask.sum()
    assert wasted <= 3 * sum(rows.stop - rows.start for _, rows in product.products[1:])


@pytest.mark.parametrize('shape, kind, rows', [
    ((6, 3, 7, 7), 'A', 1 + 24 * 3 + 3), ((6, 9, 3, 3), 'B', 1 + 4 * 9 + 9),
    ((6, 9, 1, 1), 'B', 1 + 9)])
def test_columns_hold_only_what_the_mask_leaves(shape, kind, rows):
    mask, pad = make(shape, kind)
    assert Products(mask, pad, 3).rows == rows


@pytest.mark.parametrize('turned', [False, True])
def test_spread_inverts_weights(turned):
    mask, pad = make((7, 8, 3, 3))
    product = Products(mask, pad, 3, turned)
    W = np.random.RandomState(0).normal(size=mask.shape) * mask
    assert (product.spread(product.weights(W, np.zeros(7))) == W).all()


def test_the_number_of_colours_is_found_from_the_masks():
    for colors in (1, 2, 3, 4):
        masks = [make_mask((13, 3, 7, 7), 'A', colors), make_mask((5, 13, 1, 1), 'B', colors)]
        assert products._colors([mask.astype(bool) for mask in masks]) == colors
    assert products._colors([np.random.RandomState(0).randint(0, 2, (9, 9, 3, 3)) == 1]) == 1


def test_products_are_kept_as_long_as_their_masks():
    mask = make_mask((7, 4, 7, 7), 'A', 3)
    x, W, b = np.zeros((1, 4, 5, 5), 'f'), np.zeros(mask.shape, 'f'), np.zeros(7, 'f')
    masked_convolution_2d(x, W, b, mask, 3)
    key = (id(mask),), ((3, 3),)
    assert key in products._known
    assert products_of([mask], [(3, 3)]) is products._known[key]
    del mask
    gc.collect()
    assert key not in products._known
