import numpy as np
import pytest

from wavenet.functions.colour_order import ColourOrder

# Maps of each colour, in the order in which they are sorted: as many for each colour or not, none
SORTED = [(6, 3, [[0, 3], [1, 4], [2, 5]]), (7, 3, [[0, 3, 6], [1, 4], [2, 5]]),
          (2, 3, [[0], [1], []]), (4, 1, [[0, 1, 2, 3]]), (5, 2, [[0, 2, 4], [1, 3]])]


@pytest.mark.parametrize('count, colors, maps', SORTED)
def test_order_and_slices(count, colors, maps):
    order = ColourOrder(count, colors)
    assert order.count == count
    assert order.order.tolist() == sum(maps, [])
    for k in range(colors):
        assert order.order[order.of(k)].tolist() == maps[k]
        assert order.order[:order.until(k)].tolist() == sum(maps[:k + 1], [])
        ordered, moved = order.of(k), order.of(k, offset=2)
        assert (moved.start, moved.stop) == (ordered.start + 2, ordered.stop + 2)


@pytest.mark.parametrize('count, colors, maps', SORTED)
def test_pairs(count, colors, maps):
    order = ColourOrder(count, colors)
    for of_colour, (natural, ordered) in zip(maps, order.pairs):
        assert np.arange(count)[natural].tolist() == of_colour
        assert order.order[ordered].tolist() == of_colour


@pytest.mark.parametrize('count, colors, maps', SORTED)
def test_sort_and_unsort(count, colors, maps, device):
    order = ColourOrder(count, colors)
    x = device.send(np.random.RandomState(0).normal(size=(count, 2, 3)))
    sorted_x, relu, unsorted, total = [device.xp.empty_like(x) for _ in range(4)]
    order.sort(x, sorted_x)
    assert (sorted_x == x[order.order]).all()
    order.sort(x, relu, zeros=device.xp.zeros((2, 3)))
    assert (relu == device.xp.maximum(sorted_x, 0)).all()
    order.unsort(sorted_x, unsorted)
    assert (unsorted == x).all()
    order.unsort(sorted_x, total, plus=x)
    assert (total == 2 * x).all()
