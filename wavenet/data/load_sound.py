"""Recordings by name or path: `load_recordings` gives those to train and those to test on."""
import os
from pathlib import Path

import numpy as np

from wavenet.data.load import Origin
from wavenet.data.recordings import SoundParts, checksum, hold_out, join, set_aside
from wavenet.data.sound import decode
from wavenet.data.sound_files import ENDINGS, check_option, read_sound_file, read_sound_folder
from wavenet.data.sound_npz import read_sound_npz, resample_all
from wavenet.data.split import SEED
from wavenet.data.windows import SoundDataset
from wavenet.utils import check_levels

SPEECH = Path(__file__).with_name('librivox_8khz_mulaw.npz')  # see README.md beside it
SPEECH_TRAIN = 4  # the first of the five recordings are for training


def load_recordings(source, rate=8000, levels=256, classes=None, strict=False, *, split_seed=SEED):
    """Loads the recordings to train and those to test on.

    Without test recordings of its own, the source gives a tenth of them, at random and in equal
    parts of each class, as with images; a single recording, the last tenth of its time.

    Args:
        source: 'speech', the embedded recordings (wavenet/data/README.md); or the path of a folder
            (`sound_files.read_sound_folder`), of an .npz file (`sound_npz.read_sound_npz`), or of a
            sound file.
        rate: samples a second of the result. Recordings at other rates are resampled.
        levels: number of values a sample can take, 2 to 256.
        classes: the array of an .npz file that holds the classes; by default 'classes'.
        strict: a file of a folder that cannot be read is an error, not a warning.
        split_seed: whole number, for the recordings that are held out.

    Returns: the training and the test recordings, two `Recordings`.

    Raises: ValueError, MemoryError or OSError, with one line that says what to do.
    """
    return tuple(_divide(source, read(source, rate, levels, classes, strict), split_seed))


def load_windows(source, context, rate=8000, levels=256, classes=None, strict=False, *,
                 test_limit=None, validation=None):
    """Loads the windows to train and to test on.

    Args:
        source, rate, levels, classes, strict: as of `load_recordings`.
        context: samples before its targets that a window holds: the model's receptive field.
        test_limit: number of test recordings to keep, the first ones; by default, all.
        validation: number of training recordings to set aside and return in place of the test
            recordings.

    Returns: two `SoundDataset`s; the first has an `Origin` as the attribute `origin`.

    Raises: as `load_recordings`.
    """
    parts = read(source, rate, levels, classes, strict)
    split = {'kind': 'stratified', 'seed': SEED} if parts.test is None else None
    parts = _divide(source, parts)
    origin = Origin(checksum(parts.train), split)
    if validation:
        parts = set_aside(parts.train, validation)
    train, test = [SoundDataset(part, levels, context)
                   for part in (parts.train, parts.test.select(slice(test_limit)))]
    train.origin = origin
    return train, test


def load_test_windows(source, context, rate=8000, levels=256, classes=None, strict=False, *,
                      test_limit=None, origin=None):
    """Loads the windows of recordings to measure a model on: the test recordings, or all of them
    where the source does not have any.

    Args:
        source, context, rate, levels, classes, strict, test_limit: as of `load_windows`.
        origin: the `Origin` of the model's training recordings. If these are the same, those that
            were held out are measured.

    Returns: a `SoundDataset`. Raises: as `load_recordings`.
    """
    parts = read(source, rate, levels, classes, strict)
    recordings = parts.train if parts.test is None else parts.test
    if parts.test is None and origin and origin.split and len(recordings.levels) > 1:
        split = hold_out(recordings, origin.split['seed'])
        if checksum(split.train) == origin.checksum:
            recordings = split.test
    return SoundDataset(recordings.select(slice(test_limit)), levels, context)


def _divide(source, parts, split_seed=SEED):
    """`SoundParts` as they are read → with both parts. Raises: ValueError if there is no way."""
    if parts.train is None:
        raise ValueError(f'{source}: there are only test recordings')
    if parts.test is not None:
        return parts
    try:
        return hold_out(parts.train, split_seed)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error


def read(source, rate=8000, levels=256, classes=None, strict=False):
    """The training and the test recordings of a source, `SoundParts`; arguments as above."""
    check_levels(levels)
    check_option(rate)
    is_npz = os.path.isfile(source) and not source.lower().endswith(ENDINGS)
    if classes is not None and not is_npz:
        raise ValueError(f'--classes {classes}: this names an array of an .npz file, and {source} '
                         'is none; the subfolders of a folder are classes')
    if source.lower() == 'speech':
        return _read_speech(rate, levels)
    if os.path.isdir(source):
        return read_sound_folder(source, rate, levels, strict)
    if is_npz:
        return read_sound_npz(source, rate, levels, classes)
    if os.path.isfile(source):
        return SoundParts(join([read_sound_file(source, rate, levels)],
                               [os.path.basename(source)], rate))
    raise ValueError(f"unknown dataset of sound {source!r}: give 'speech', or the path of a folder "
                     'of sound files, of a sound file or of an .npz')


def _read_speech(rate, levels):
    """The embedded recordings. They have no classes."""
    with np.load(SPEECH) as npz:
        source_rate, names = int(npz['rate']), npz['names'].tolist()
        sounds = np.split(npz['levels'], np.cumsum(npz['lengths'])[:-1])
    if (rate, levels) != (source_rate, 256):
        sounds = resample_all(map(decode, sounds), source_rate, rate, levels)
    recordings = join(sounds, names, rate)
    return SoundParts(recordings.select(slice(SPEECH_TRAIN)),
                      recordings.select(slice(SPEECH_TRAIN, None)))
