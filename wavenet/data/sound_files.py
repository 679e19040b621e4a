"""Recordings of your own: from sound files of the usual formats, one or a folder of them.

Files are read block by block, so that a header that claims hours takes no memory. A block becomes
mono, the mean of its channels, gets the wanted sampling rate, and becomes levels of a byte.
"""
import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wavenet import cli, devices
from wavenet.data.image_files import PART_NAMES
from wavenet.data.recordings import SoundParts, join
from wavenet.data.sound import encode
from wavenet.storage.files import open_regular

ENDINGS = ('.wav', '.flac', '.ogg', '.oga', '.opus', '.mp3')

FORMATS = ('WAV', 'WAVEX', 'RF64', 'W64', 'FLAC', 'OGG', 'MP3')
LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000    # samples a second
MAX_SAMPLES = 1 << 28                          # of one recording: 9 hours at 8 kHz
BLOCK = 1 << 18                                # values that are read or made at once
LOUDEST = 64                                   # beyond it, floats are no sound in [-1, 1]
UNKNOWN = 1 << 62                              # samples that libsndfile tells of a stream


def read_sound_file(path, rate=8000, levels=256):
    """Reads one sound file, as levels.

    Args:
        path: of a file: WAV of any width, FLAC, OGG (Vorbis, Opus) or MP3, whatever its name.
        rate: samples a second of the result. What is beyond [-1, 1] after the change is clipped.
        levels: their number, 2 to 256.

    Returns: uint8 (T,), T at least 1.

    Raises: ValueError or OSError that names the file.
    """
    parts = [encode(block, levels) for block in _blocks(path, rate)]
    return np.concatenate(parts)


def import_package(name):
    """soundfile or soxr, which only sound needs, so images do not wait for them. Raises: ValueError
    that says how to get it."""
    try:
        return __import__(name)
    except (ImportError, OSError) as error:  # OSError: without the C library that it wraps
        raise ValueError(f'sound needs the package {name} ({error}): pip install {name}') from error


def resampler(source_rate, rate):
    """Changes the sampling rate of a sound that comes in parts.

    Returns: a function of a part, float32 (T,), and whether it is the last one, that returns
        float32; the parts that it returns make the whole sound. soxr's high quality, HQ.
    """
    if source_rate == rate:
        return lambda part, last: part
    stream = import_package('soxr').ResampleStream(source_rate, rate, 1, dtype='float32')
    return lambda part, last: stream.resample_chunk(part, last=last)


def check_rate(rate):
    """Raises: ValueError for a sampling rate that is out of range, or not a number."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ValueError(f'its sampling rate is {rate} Hz, not {LOWEST_RATE} to {HIGHEST_RATE}')


def check_option(rate):
    """Raises: ValueError for a --rate that is out of range."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ValueError(f'--rate {rate}: it must be from {LOWEST_RATE} to {HIGHEST_RATE}')


def _blocks(path, rate):
    """The sound of a file, part by part: float32 (T,), at least one sample in all."""
    soundfile = import_package('soundfile')
    import_package('soxr')
    with open_regular(path) as file:
        try:
            quiet = _quiet(file)
            # By its number: from a Python file, libsndfile would print what seek() raises. A number
            # of its own: some versions close the one of a file that they refuse
            with quiet():
                sound = soundfile.SoundFile(os.dup(file.fileno()), closefd=True)
            with sound:
                yield from _decode(sound, rate, quiet)
        except Exception as error:  # a damaged file can raise almost anything
            raise ValueError(f'{path}: cannot be read as sound ({_reason(error)})') from error


def _decode(sound, rate, quiet):
    """`_blocks` of an open `SoundFile`, which is read within `quiet()`."""
    too_long = ValueError(f'it is longer than {MAX_SAMPLES} samples at {rate} Hz: divide it')
    if sound.format not in FORMATS:
        raise ValueError(f'its format is {sound.format}, not one of {", ".join(FORMATS)}')
    check_rate(sound.samplerate)
    if sound.frames < UNKNOWN and sound.frames * rate > MAX_SAMPLES * sound.samplerate:
        raise too_long
    convert = resampler(sound.samplerate, rate)
    size = max(1, BLOCK // max(sound.channels, -(-rate // sound.samplerate)))
    first, length = None, 0
    while True:
        with quiet():
            block = sound.read(size, dtype='float32', always_2d=True)   # (T, channels)
        if not (np.abs(block) <= LOUDEST).all():
            raise ValueError(f'it has samples that are NaN or beyond {LOUDEST}; 1 is full volume')
        if first is None and not len(block):
            raise ValueError('it has no samples')
        block = block.mean(axis=1, dtype='f')
        first = block[:1] if first is None else first
        part = convert(block, not len(block))
        length += len(part)
        if length > MAX_SAMPLES:
            raise too_long
        yield part
        if not len(block):
            break
    if not length:
        yield first  # shorter than half a sample of the new rate


def _quiet(file):
    """A function that makes a context in which libsndfile decodes an open file. It hides what the
    MP3 decoder writes to standard error; other formats write nothing."""
    others = os.pread(file.fileno(), 4, 0) in (b'RIFF', b'RIFX', b'RF64', b'fLaC', b'OggS')
    return contextlib.nullcontext if others else _without_standard_error


@contextlib.contextmanager
def _without_standard_error():
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # it may be closed
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 2)
            os.close(nothing)
        yield


def _reason(error):
    """What an exception says, in one line; of libsndfile's, without the number of the file."""
    text = getattr(error, 'error_string', None) or str(error) or type(error).__name__
    if text.startswith('Format not recognised'):
        return f'it has none of the formats {", ".join(FORMATS)}'
    return ' '.join(text.split()).replace('Error : ', '').rstrip('.')


class _Found(NamedTuple):
    """A recording of a folder."""

    part: str                  # 'train' or 'test'
    class_name: str
    path: Path
    levels: np.ndarray


def read_sound_folder(folder, rate=8000, levels=256, strict=False):
    """Reads the sound files in a folder and its subfolders, in the order of their names.

    Subfolders that are all named as parts of a data set, such as train and test, are its parts:
    each holds sound files, or a subfolder for each class. Otherwise each subfolder is a class of
    its name, with the files in it, however deep. Files beside subfolders are the class ''. Hidden
    files and folders do not count.

    Args:
        folder: its path.
        rate, levels: as of `read_sound_file`.
        strict: a file that cannot be read is an error. Otherwise it is left out, with a warning.

    Returns: `SoundParts`.

    Raises: ValueError, MemoryError or OSError that names the file or the folder.
    """
    found, errors = [], []
    size = 0
    for part, class_name, path in _list_parts(folder):
        try:
            recording = read_sound_file(path, rate, levels)
        except (ValueError, OSError) as error:
            if strict:
                raise
            errors.append(error)
            continue
        size += len(recording)
        devices.check_memory(size, f'the recordings of {folder}', 'a lower --rate makes them fewer')
        found.append(_Found(part, class_name, path, recording))
    if not found:
        more = f'; nor can the {len(errors) - 1} others' if len(errors) > 1 else ''
        raise ValueError(cli.reason(errors[0]) + more)
    for error in errors:
        cli.say(f'warning: left out: {cli.reason(error)}')
    names = sorted({one.class_name for one in found})
    parts = {}
    for part in ('train', 'test'):
        some = [one for one in found if one.part == part]
        ids = [names.index(one.class_name) for one in some]
        parts[part] = join([one.levels for one in some], [_name(one.path, folder) for one in some],
                           rate, None if names == [''] else (ids, names)) if some else None
    return SoundParts(**parts)


def _name(path, folder):
    return os.path.relpath(path, folder)


def _list_parts(folder):
    """(part, class name, path) of each sound file in a folder, see `read_sound_folder`."""
    folder = Path(folder)
    classes = {path: _files_below(path) for path in _subfolders(folder)}
    classes = {path: files for path, files in classes.items() if files}
    direct = _sound_files(folder)
    if direct or not classes or not {path.name.lower() for path in classes} <= PART_NAMES.keys():
        listed = [('train', '', path) for path in direct]
        listed += [('train', path.name, file) for path, files in classes.items() for file in files]
    else:
        listed, former = [], {}
        for path in classes:
            part = PART_NAMES[path.name.lower()]
            if part in former:
                raise ValueError(f'{folder}: {former[part]} and {path.name} are both recordings to '
                                 f'{part} on: leave one of them out')
            former[part] = path.name
            listed += [(part, '', file) for file in _sound_files(path)]
            listed += [(part, inner.name, file) for inner in _subfolders(path)
                       for file in _files_below(inner)]
    if not listed:
        raise ValueError(f'{folder}: no sound files in this folder or its subfolders '
                         f'({", ".join(ENDINGS)})')
    return listed


def _subfolders(folder):
    return sorted(path for path in folder.iterdir()
                  if path.is_dir() and not path.name.startswith('.'))


def _sound_files(folder):
    return sorted(path for path in folder.iterdir() if is_sound_file(path))


def _files_below(folder):
    """All sound files in a folder and the folders in it; links to folders are not followed."""
    found = []
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        found += [Path(inner, name) for name in sorted(names) if is_sound_file(Path(inner, name))]
    return found


def is_sound_file(path):
    """Whether a path is an existing file with the name of a sound file."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith('.') and path.is_file()
