"""`Recordings`, sound of any lengths as levels, one byte a sample."""
import functools
import hashlib
from dataclasses import dataclass
from typing import NamedTuple, Optional

import numpy as np

from wavenet.data.split import PART, SEED, choose_aside, choose_tests


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings one after the other. `len` is their number; `recordings[i]` the levels of one.

    Attributes:
        levels: uint8 (sum of the lengths,), the quantized samples of all.
        lengths: int64 (N,), each at least 1.
        class_ids: int32 (N,), from 0; None where the data has no classes.
        class_names: the names of the classes, by number; empty where the data has none.
        names: of the recordings: files, or their numbers.
        rate: samples a second.
    """
    levels: np.ndarray
    lengths: np.ndarray
    class_ids: Optional[np.ndarray]
    class_names: tuple
    names: tuple
    rate: int

    @functools.cached_property
    def starts(self):
        """Where each recording begins in `levels`, int64 (N,)."""
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, i):
        """The levels of recording i, uint8 (T_i,), a view. Raises: IndexError beyond the last."""
        start = self.starts[i]
        return self.levels[start:start + self.lengths[i]]

    def select(self, indices):
        """Some of the recordings, in the order of `indices`, whole numbers or a mask: `Recordings`
        with all class names."""
        chosen = np.arange(len(self))[indices]
        levels = [self[i] for i in chosen]
        return Recordings(
            np.concatenate(levels) if levels else self.levels[:0], self.lengths[chosen],
            None if self.class_ids is None else self.class_ids[chosen],
            self.class_names, tuple(self.names[i] for i in chosen), self.rate)


class SoundParts(NamedTuple):
    """Recordings as they are read. A part that the data does not have is None."""

    train: Optional[Recordings]
    test: Optional[Recordings] = None


def join(levels, names, rate, classes=None):
    """Makes `Recordings`.

    Args:
        levels: list of uint8 arrays (T_i,).
        names: of the recordings.
        rate: samples a second.
        classes: the class of each, int (N,), and the names of all classes; None without classes.
    """
    class_ids, class_names = classes or (None, ())
    return Recordings(
        np.concatenate([np.empty(0, 'u1'), *levels]),
        np.array([len(one) for one in levels], 'i8'),
        None if class_ids is None else np.asarray(class_ids, 'i4'), tuple(class_names),
        tuple(names), int(rate))


def hold_out(recordings, seed=SEED):
    """Holds out a tenth of the recordings for testing, as `split.hold_out` does with images: at
    random and in equal parts of each class. Of a single recording it is the last tenth of the time.

    Args:
        recordings: `Recordings`, at least two, or one of two samples or more.
        seed: the same recordings and seed give the same split.

    Returns: `SoundParts`. Both keep the order of the recordings.

    Raises: ValueError if there is nothing to divide.
    """
    if len(recordings) > 1:
        is_test = choose_tests(_class_ids(recordings), seed)
        return SoundParts(recordings.select(~is_test), recordings.select(is_test))
    length = len(recordings.levels)
    if length < 2:
        raise ValueError(f'at least 2 recordings are needed, or one of 2 samples; got '
                         f'{len(recordings)} of {length} samples in all')
    last = -(-length // PART)
    return SoundParts(_part_of_one(recordings, slice(-last)),
                      _part_of_one(recordings, slice(-last, None)))


def set_aside(recordings, number, seed=SEED):
    """Sets aside a number of the training recordings, as `split.set_aside` does with images.

    Returns: `SoundParts`. Raises: ValueError if no recording would be left to train on.
    """
    is_chosen = choose_aside(_class_ids(recordings), number, 'recordings', seed)
    return SoundParts(recordings.select(~is_chosen), recordings.select(is_chosen))


def checksum(recordings):
    """The first 16 hexadecimal digits of the SHA-256 of `Recordings`: rate, lengths, levels and
    classes."""
    digest = hashlib.sha256(repr(recordings.rate).encode())
    for array in recordings.lengths, recordings.levels, _class_ids(recordings):
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder('<')).tobytes())
    return digest.hexdigest()[:16]


def _class_ids(recordings):
    """The classes, int32 (N,): all 0 where the data has none."""
    if recordings.class_ids is None:
        return np.zeros(len(recordings), 'i')
    return recordings.class_ids


def _part_of_one(recordings, where):
    levels = recordings.levels[where]
    return Recordings(levels, np.array([len(levels)], 'i8'), recordings.class_ids,
                      recordings.class_names, recordings.names, recordings.rate)
