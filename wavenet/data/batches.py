"""Iterators over the numbers of a data set's examples, in batches."""
import chainer
import numpy as np

POOL = 8     # batches among whose examples those of like sizes are put together


def batches(dataset, batchsize, shuffle_seed=None):
    """A Chainer iterator over batches of numbers, for the `batch` of a data set.

    Without a seed, it yields every example once, in order. With a seed, it repeats for ever, in an
    order that depends on the seed, the epoch and, for sound, the batch size alone, so a resumed run
    has the same order. Windows of sound have `sizes`. Then examples of like sizes are neighbours,
    since all windows of a batch are computed as the largest one.
    """
    numbers = _Numbers(len(dataset))
    sizes = getattr(dataset, 'sizes', None)
    if shuffle_seed is None:
        return chainer.iterators.SerialIterator(numbers, batchsize, repeat=False, shuffle=False)

    def next_epoch(order, _):
        # Epoch e has the numbers e * N to e * N + N - 1. The iterator starts with those of epoch 0.
        epoch = order[0] // len(order) + 1
        random = np.random.RandomState((shuffle_seed, epoch))
        shuffled = random.permutation(len(order))
        if sizes is not None:
            shuffled = put_together(shuffled, sizes, POOL * batchsize)
        return epoch * len(order) + shuffled

    return _ShuffledIterator(numbers, batchsize, order_sampler=next_epoch)


def put_together(numbers, sizes, pool):
    """Sorts each `pool` of the numbers by the examples' sizes, up and down in turn."""
    pools = [numbers[start:start + pool] for start in range(0, len(numbers), pool)]
    ordered = [part[np.argsort(sizes[part], kind='stable')] for part in pools]
    return np.concatenate([part[::-1] if turn % 2 else part for turn, part in enumerate(ordered)])


class _ShuffledIterator(chainer.iterators.SerialIterator):
    """Chainer's iterator, which also checks the state that a snapshot gives it."""

    def serialize(self, serializer):
        super().serialize(serializer)
        size = len(self.dataset)
        epochs, order = np.divmod(self._state.order, size)
        if not (self.epoch >= 0 and 0 <= self.current_position < size
                and (epochs == self.epoch + 1).all() and (np.sort(order) == np.arange(size)).all()):
            raise ValueError('its order of images is not valid')


class _Numbers(chainer.dataset.DatasetMixin):
    """A data set whose example i is i, for any i, also beyond its length."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def get_example(self, i):
        return i
