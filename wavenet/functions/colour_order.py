"""The order of a layer's feature maps, sorted by colour.

Feature map i belongs to colour i % C. A map depends on the maps of its own colour and of earlier
ones, so once the maps are sorted by colour, everything that a colour depends on is one slice, from
the first map on.
"""
import numpy as np
from chainer import backend


class ColourOrder:
    """Sorts `count` feature maps by `colors` colours.

    Attributes:
        count: number of maps.
        order: int array (count,): the map at position i of the sorted ones is `order[i]`.
        pairs: for each colour, the slice of its maps in their natural order, and among sorted maps.
    """

    def __init__(self, count, colors):
        self.count = count
        natural = [slice(k, None, colors) for k in range(colors)]
        of_each = [np.arange(count)[maps] for maps in natural]
        self.order = np.concatenate(of_each)
        self._ends = np.cumsum([0] + [len(maps) for maps in of_each]).tolist()
        self.pairs = [(maps, self.of(k)) for k, maps in enumerate(natural)]

    def of(self, k, offset=0):
        """The slice of colour k among sorted maps, where the first of all maps is at `offset`."""
        return slice(offset + self._ends[k], offset + self._ends[k + 1])

    def until(self, k):
        """How many maps belong to the colours 0 to k."""
        return self._ends[k + 1]

    def sort(self, maps, target, zeros=None):
        """Copies maps (C, …) to `target` of the same shape, sorted.

        With `zeros`, an array of zeros of the shape of one map, it copies their ReLU.
        """
        xp = backend.get_array_module(maps)
        for natural, ordered in self.pairs:
            if zeros is None:
                target[ordered] = maps[natural]
            else:  # NumPy's maximum of two arrays is faster than that of an array and a number.
                xp.maximum(maps[natural], zeros, out=target[ordered])

    def unsort(self, maps, target, plus=None):
        """Copies sorted maps (C, …) to `target`, in their natural order.

        It adds `plus`, an array of the same shape in its natural order, if there is one.
        """
        xp = backend.get_array_module(maps)
        for natural, ordered in self.pairs:
            if plus is None:
                target[natural] = maps[ordered]
            else:
                xp.add(maps[ordered], plus[natural], out=target[natural])
