"""Recordings from an .npz file."""
import numpy as np

from wavenet import devices
from wavenet.data.image_files import MAX_CLASSES
from wavenet.data.recordings import SoundParts, join
from wavenet.data.sound import encode
from wavenet.data.sound_files import MAX_SAMPLES, check_rate, resampler
from wavenet.storage.npz import IMAGES_RATIO, open_npz

MAX_RECORDINGS = 1 << 22


def read_sound_npz(path, rate=8000, levels=256, classes=None):
    """Reads recordings from an .npz file.

    The file holds `samples`, int16 or floating in [-1, 1], of all recordings one after the other;
    `lengths`, whole numbers (N,); and `rate`, the samples a second. It may hold `test`, bool (N,),
    the recordings to test on; `names`, text (N,); and `classes`, the class of each recording: text
    (N,), or whole numbers (N,) from 0, whose names `class_names` may hold.

    Args:
        path: of the file.
        rate, levels: as of `sound_files.read_sound_file`.
        classes: the array that holds the classes, such as 'speaker'; by default 'classes', if there
            is one. The names of whole numbers are then in the array 'speaker_names' or 'speakers'.

    Returns: `SoundParts`.

    Raises: ValueError or OSError that names the file.
    """
    with open_npz(path, IMAGES_RATIO) as npz:
        arrays = _read_arrays(npz, classes)
        lengths = _check_lengths(arrays['lengths'], arrays['samples'])
        count = len(lengths)
        names = [str(i) for i in range(count)]
        if 'names' in arrays:
            names = _check_texts('names', arrays['names'], count).tolist()
        of_classes = _classes(arrays, count)
        is_test = _check_test(arrays['test'], count) if 'test' in arrays else np.zeros(count, bool)
        sounds = _encode_all(arrays['samples'], lengths, _scalar_rate(arrays['rate']), rate, levels)
        recordings = join(sounds, names, rate, of_classes)
    if 'test' not in arrays:
        return SoundParts(recordings)
    return SoundParts(*(recordings.select(which) if which.any() else None
                        for which in (~is_test, is_test)))


def resample_all(sounds, source_rate, rate, levels):
    """Waveforms, an iterable of floating (T_i,), at another sampling rate and as levels: a list of
    uint8 arrays, none of them empty."""
    encoded, size = [], 0
    for sound in sounds:
        sound = np.asarray(sound, 'f')
        if len(sound) * (rate / source_rate) > MAX_SAMPLES:
            raise ValueError(f'a recording is longer than {MAX_SAMPLES} samples at {rate} Hz')
        changed = resampler(source_rate, rate)(sound, True)
        # Shorter than half a sample of the new rate: keeps one
        encoded.append(encode(changed if len(changed) else sound[:1], levels))
        size += len(encoded[-1])
        devices.check_memory(size, 'the recordings')
    return encoded


def _read_arrays(npz, classes):
    """The arrays that count, by name; those of the classes are 'classes' and 'class_names'."""
    for name in ('samples', 'lengths', 'rate'):
        if name not in npz.files:
            raise ValueError(f'it contains no {name}; recordings are samples, int16 or floating, '
                             'lengths, and rate')
    if classes is not None and classes not in npz.files:
        raise ValueError(f'it contains no {classes!r}, which --classes names, but '
                         f'{", ".join(sorted(npz.files))}')
    shape, dtype = npz.header('samples')
    if len(shape) != 1 or dtype.str not in ('<i2', '<f4', '<f8') or not shape[0]:
        raise ValueError(f'its samples must be int16 or floating (T,), not {dtype} {shape}')
    key = classes or 'classes'
    sources = {name: name for name in ('samples', 'lengths', 'rate', 'test', 'names')}
    sources.update({'classes': key})
    for name in ('class_names', ) if key == 'classes' else (f'{key}_names', f'{key}s'):
        if name in npz.files and npz.header(name)[1].kind == 'U':
            sources['class_names'] = name
    return {name: npz[source] for name, source in sources.items() if source in npz.files}


def _encode_all(samples, lengths, source_rate, rate, levels):
    if samples.dtype.kind == 'f' and not (np.abs(samples) <= 1).all():  # NaN, too
        raise ValueError('its samples must be within [-1, 1], without NaN, or else int16')
    scale = 1 if samples.dtype.kind == 'f' else 1 << 15
    ends = np.cumsum(lengths)
    if source_rate == rate:  # at once, which is faster for many short recordings
        encoded = encode(samples.astype('f') / scale, levels)
        return [encoded[end - length:end] for end, length in zip(ends, lengths)]
    return resample_all((samples[end - length:end].astype('f') / scale
                         for end, length in zip(ends, lengths)), source_rate, rate, levels)


def _check_lengths(lengths, samples):
    if lengths.ndim != 1 or lengths.dtype.kind not in 'iu' or not len(lengths) \
            or len(lengths) > MAX_RECORDINGS or lengths.min() < 1 or lengths.max() > len(samples) \
            or int(lengths.sum(dtype='i8')) != len(samples):
        raise ValueError(f'its lengths must be whole numbers (N,), each at least 1, {len(samples)} '
                         'in all, as there are samples')
    return lengths.astype('i8')


def _scalar_rate(rate):
    if rate.size != 1 or rate.dtype.kind not in 'iuf' or not float(rate.flat[0]).is_integer():
        raise ValueError('its rate must be one whole number, the samples a second')
    check_rate(int(rate.flat[0]))
    return int(rate.flat[0])


def _check_test(test, count):
    if test.shape != (count,) or test.dtype.kind not in 'biu' or not np.isin(test, (0, 1)).all():
        raise ValueError(f'its test must be {count} bools, true for the recordings to test on')
    return test.astype(bool)


def _check_texts(name, texts, count):
    if texts.shape != (count,) or texts.dtype.kind != 'U':
        raise ValueError(f'its {name} must be {count} texts')
    return texts


def _classes(arrays, count):
    """The class of each recording and the names of all classes; None without classes."""
    if 'classes' not in arrays:
        return None
    classes = arrays['classes']
    if classes.dtype.kind == 'U':
        names, ids = np.unique(_check_texts('classes', classes, count), return_inverse=True)
        if len(names) > MAX_CLASSES:
            raise ValueError(f'its classes are more than {MAX_CLASSES}')
        return ids.reshape(-1), names.tolist()
    if classes.shape != (count,) or classes.dtype.kind not in 'iu' \
            or not ((0 <= classes) & (classes < MAX_CLASSES)).all():
        raise ValueError(f'its classes must be {count} texts, or whole numbers from 0 on and below '
                         f'{MAX_CLASSES}')
    least = int(classes.max()) + 1
    names = arrays.get('class_names', np.arange(least).astype(str))
    if names.ndim != 1 or names.dtype.kind != 'U' or len(names) < least \
            or len(set(names.tolist())) < len(names):
        raise ValueError(f'the names of its classes must be a text for each of the {least}, all '
                         'different')
    return classes, names.tolist()
