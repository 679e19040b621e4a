"""`SoundDataset`: recordings as the windows that a model of sound is trained and tested on.

A recording is cut into segments of nearly equal length. A window is a segment, whose samples are
the targets, and the samples before it that the model sees. So every sample of every recording is a
target once in an epoch, with its true context. The author's chunks (preprocess.py at commit
917345c) do not overlap, so the first S · 2^L samples of each one are context only and are never
targets; remainders and short recordings are dropped.
"""
from typing import NamedTuple

import chainer
import numpy as np

from wavenet import cli

WINDOW = 5120     # targets of a window at most, those of the author's chunks


class SoundBatch(NamedTuple):
    """What a model of sound is trained or tested on, on the device of the data set."""

    x: np.ndarray              # int32 (B, C + W), levels; -1 where there is no sample
    targets: np.ndarray        # int32 (B, W), the last samples of x, which the model predicts; -1
                               # where a segment has ended
    class_ids: np.ndarray      # int32 (B,)


class SoundDataset(chainer.dataset.DatasetMixin):
    """Windows of recordings.

    `dataset[i]` is a `SoundBatch` without the first dimension. `batch` takes numbers as those of
    `wavenet.data.images.ImageDataset`: epoch * N + i is window i in every epoch.

    Args:
        recordings: `wavenet.data.recordings.Recordings`.
        levels: number of values of a sample.
        context: samples before a segment that a window holds: the model's receptive field.
        num_classes: number of classes; by default, of the recordings' class names.
        window: targets of a window at most.

    Attributes:
        shape: (1, T), the largest window: context and targets.
        lengths: number of targets of each window, int64 (N,).
        sizes: number of targets and samples of context of each window, int64 (N,).
        of_recording: the recording of each window, int64 (N,).
        class_ids: the class of each recording, int32.
        class_names: the names of the classes, by number; None where the data has no classes.
        rate: samples a second.
        device: where batches are made.
    """

    unit, examples = 'windows', 'recordings'

    def __init__(self, recordings, levels, context, num_classes=None, window=WINDOW):
        self.recordings, self.levels, self.rate = recordings, levels, recordings.rate
        self.class_names = tuple(recordings.class_names) or None
        self.num_classes = num_classes or max(1, len(recordings.class_names))
        class_ids = recordings.class_ids
        self.class_ids = np.zeros(len(recordings), 'i') if class_ids is None else class_ids
        self.context = context
        counts = -(-recordings.lengths // window)                 # windows of each recording
        self.of_recording = np.repeat(np.arange(len(recordings)), counts)
        number = np.arange(len(self.of_recording)) - np.repeat(np.cumsum(counts) - counts, counts)
        length, count = recordings.lengths[self.of_recording], counts[self.of_recording]
        begin = number * length // count                          # in the recording
        self.lengths = (number + 1) * length // count - begin
        self._contexts = np.minimum(begin, context)
        self._starts = recordings.starts[self.of_recording] + begin     # in `recordings.levels`
        self.sizes = self._contexts + self.lengths
        self.shape = 1, int(self.sizes.max())
        self.device = chainer.get_device('@numpy')

    def __len__(self):
        return len(self.lengths)

    @property
    def amount(self):
        """The number of recordings."""
        return len(self.recordings)

    def forget_classes(self):
        """Makes this a data set without classes."""
        self.class_ids = self.class_ids * 0
        self.num_classes, self.class_names = 1, None

    def describe(self):
        """The recordings in words."""
        samples = int(self.recordings.lengths.sum())
        return (f'{cli.counted(self.amount, "recording")} of {samples / self.rate:,.4g} s '
                f'({self.rate} Hz, {self.levels} levels)')

    def to_device(self, device):
        """Makes batches on a Chainer device from then on. The recordings stay on the host."""
        self.device = device

    def weigh(self, numbers):
        """The number of targets of the windows with these numbers."""
        return int(self.lengths[np.asarray(numbers, int) % len(self)].sum())

    def get_example(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError(f'window {i} of {len(self)}')
        return SoundBatch(*(array[0] for array in self.batch([i % len(self)])))

    def batch(self, numbers):
        """A `SoundBatch` of the windows with these numbers, as wide as its largest context and its
        longest segment."""
        numbers = np.asarray(numbers) % len(self)
        contexts, lengths = self._contexts[numbers], self.lengths[numbers]
        context = contexts.max()
        x = np.full((len(numbers), context + lengths.max()), -1, 'i')
        for row, start, before, length in zip(x, self._starts[numbers], contexts, lengths):
            row[context - before:context + length] = \
                self.recordings.levels[start - before:start + length]
        class_ids = self.class_ids[self.of_recording[numbers]]
        x = self.device.send(x)
        return SoundBatch(x, x[:, context:], self.device.send(class_ids))

    def converter(self, numbers, device):
        """`batch` with the arguments that Chainer's updaters and evaluators give a converter.

        The batch is on the data set's device; `device` is ignored.
        """
        return self.batch(numbers)
