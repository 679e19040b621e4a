"""The one kind of data set that the rest of the code sees, `ImageDataset`.

A Chainer iterator (`batches`) deals in the numbers of images, and the data set makes a batch of them
at once (`ImageDataset.batch`), so that images stay one byte a value until they are needed.
"""
import chainer
import numpy as np

from wavenet.data.pixels import INTENSITY, luminance
from wavenet.utils import binarize as draw_binary
from wavenet.utils import quantize


class ImageDataset(chainer.dataset.DatasetMixin):
    """Images as triples (x, labels, class).

    x is float32 (C, H, W), labels / (levels - 1), what the model takes; labels is int32 (C, H, W),
    what it predicts; class is an int32 scalar.

    With `binarize` the labels are drawn: `batch` takes epoch * len(dataset) + i as image i as drawn
    in that epoch, which depends on nothing but the seed, the epoch and i. `batches` numbers training
    epochs from 1; the plain numbers, 0 to len(dataset) - 1, are one fixed draw. A gray pixel is
    drawn once and then copied; of real colours, each value is drawn.

    Args:
        images: uint8 (N, C, H, W), C 1 or 3.
        classes: integers (N,).
        channels, levels, binarize: see `load`.
        seed: tuple of whole numbers, for the draws.
        class_count: how many classes there are, in these images or others of the same kind; by
            default, in these.
    """

    def __init__(self, images, classes, channels, levels, binarize=False, seed=(0,),
                 class_count=None):
        if images.shape[1] == 3 and (images[0] == images[0, :1]).all() \
                and (images == images[:, :1]).all():
            images = images[:, :1]  # gray, stored as RGB
        elif images.shape[1] == 3 and channels == 1:
            images = luminance(images)
        self.shape = (channels,) + images.shape[2:]  # (C, H, W) of a picture
        self.levels = levels
        self.seed = seed
        self.intensities = images if binarize else None
        # One byte a value, whatever the levels; (N, 1 or C, H, W), since gray is copied in a batch
        self.labels = None if binarize else \
            quantize(INTENSITY, levels).astype('u1')[images]
        self.classes = classes.astype('i')
        self.class_count = class_count or 1 + int(classes.max())
        self.device = chainer.get_device('@numpy')

    def __len__(self):
        return len(self.classes)

    def get_example(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError('image {} of {}'.format(i, len(self)))
        i %= len(self)
        return tuple(array[0] for array in self.batch([i]))

    def to_device(self, device):
        """Moves what batches are made of to a Chainer device, where they are made from then on."""
        self.device = device
        self.classes = device.send(self.classes)
        if self.labels is not None:
            self.labels = device.send(self.labels)

    def batch(self, numbers):
        """x float32 (B, C, H, W), labels int32 (B, C, H, W), classes int32 (B,) on the device."""
        epochs, images = np.divmod(np.asarray(numbers), len(self))
        if self.labels is None:
            labels = self.device.send(self._draw(epochs, images))
            images = self.device.send(images)
        else:
            images = self.device.send(images)
            labels = self.labels[images]                        # (B, 1 or C, H, W)
        labels = labels.astype('i')
        if labels.shape[1] < self.shape[0]:
            labels = self.device.xp.tile(labels, (1, 3, 1, 1))  # drawn once, then copied
        return labels.astype('f') / (self.levels - 1), labels, self.classes[images]

    def converter(self, numbers, device):
        """`batch` as Chainer's updaters and evaluators call it; the device is the data set's."""
        return self.batch(numbers)

    def _draw(self, epochs, images):
        return np.stack([
            draw_binary(INTENSITY[self.intensities[i]],
                        random=np.random.RandomState(self.seed + (epoch, i)))
            for epoch, i in zip(epochs, images)])


def batches(dataset, batchsize, shuffle_seed=None):
    """A Chainer iterator over batches of numbers of images, for `ImageDataset.batch`.

    Without a seed: the images once, in order. With one: again and again, in an order that depends
    on the seed and the epoch alone, so that resuming a run does not change it.
    """
    numbers = _Numbers(len(dataset))
    if shuffle_seed is None:
        return chainer.iterators.SerialIterator(numbers, batchsize, repeat=False, shuffle=False)

    def next_epoch(order, _):
        # An epoch's numbers are epoch * N + i. The first call gets 0, …, N - 1, so epochs start at 1.
        epoch = order[0] // len(order) + 1
        random = np.random.RandomState((shuffle_seed, epoch))
        return epoch * len(order) + random.permutation(len(order))

    return _ShuffledIterator(numbers, batchsize, order_sampler=next_epoch)


class _ShuffledIterator(chainer.iterators.SerialIterator):
    """Chainer's, which also checks what a snapshot says of it."""

    def serialize(self, serializer):
        super().serialize(serializer)
        size = len(self.dataset)
        epochs, order = np.divmod(self._state.order, size)
        if not (self.epoch >= 0 and 0 <= self.current_position < size
                and (epochs == self.epoch + 1).all() and (np.sort(order) == np.arange(size)).all()):
            raise ValueError('its order of images makes no sense')


class _Numbers(chainer.dataset.DatasetMixin):
    """0, 1, …, N - 1, and on: `numbers[i]` is i."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def get_example(self, i):
        return i
