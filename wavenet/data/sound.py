"""Sound as levels: µ-law, quantization, and .wav files.

µ-law spaces the levels logarithmically, so that quiet sounds keep their details with 256 levels
(van den Oord et al., 2016, arXiv 1609.03499, section 2.2). The functions compute what the author's
do (wavenet/utils.py and infer_wavenet.py at commit 917345c). `levels_of_sound` differs where his
code makes a level that does not exist. `encode` and `decode` do the same for recordings of any
length, in a byte a sample; silence, 0, is the middle level, levels // 2, and becomes 0 again.
"""
import io
import wave

import numpy as np

from wavenet.storage.files import atomic_write
from wavenet.utils import quantize

LOUDEST = 32767     # of 16 bits
PART = 1 << 18      # samples that are converted at once: each takes some floats of 8 bytes


def mulaw(sound, mu=255):
    """Sound in [-1, 1], floating → its µ-law, in [-1, 1], of the same shape."""
    return np.sign(sound) * np.log1p(mu * np.abs(sound)) / np.log1p(mu)


def inverse_mulaw(values, mu=255):
    """The inverse of `mulaw`."""
    return np.sign(values) * ((mu + 1) ** np.abs(values) - 1) / mu


def levels_of_sound(sound, levels=256):
    """Quantizes sound.

    Args:
        sound: floating, of any shape. What is beyond [-1, 1], as after a change of the sampling
            rate, is clipped. The author's code makes the level -1 of it.
        levels: their number, 2 to 256.

    Returns: int32 of the same shape, in {0, …, levels - 1}.
    """
    values = mulaw(np.clip(sound, -1, 1)) * 0.5 + 0.5
    return quantize(values, levels)


def encode(sound, levels=256):
    """`levels_of_sound` in a byte a sample, part by part, so that memory holds little else.

    Args:
        sound: floating (T,).
        levels: their number, 2 to 256.

    Returns: uint8 (T,).

    Raises: ValueError if a sample is NaN.
    """
    result = np.empty(len(sound), 'u1')
    for start in range(0, len(sound), PART):
        # In float64, as the author's: rounding decides the level of a sample on an edge
        result[start:start + PART] = levels_of_sound(sound[start:start + PART].astype('d'), levels)
    return result


def decode(targets, levels=256):
    """The inverse of `encode`: the sound in the middle of each level, and 0 for the middle level,
    so that silence stays silent. `encode(decode(targets))` are the same targets.

    Args:
        targets: integers {0, …, levels - 1}, of any shape.
        levels: their number.

    Returns: float32 of the same shape, within [-1, 1].
    """
    values = (2 * np.arange(levels) + 1) / levels - 1
    values[levels // 2] = 0
    return inverse_mulaw(values).astype('f')[targets]


def sound_of_levels(targets, levels=256):
    """Levels {0, …, levels - 1} → int16 of the same shape, as the author's infer_wavenet.py."""
    values = np.asarray(targets) / (levels - 1) * 2 - 1
    return (inverse_mulaw(values) * LOUDEST).astype(np.int16)


def joined(sounds, rate):
    """Sounds (T_i,) one after the other, with a quarter of a second of silence between them."""
    silence = np.zeros(rate // 4, sounds[0].dtype)
    return np.concatenate([part for sound in sounds for part in (silence, sound)][1:])


def write_wav(path, sound, rate=8000):
    """Writes a mono .wav file of 16 bits, whole or not at all.

    Args:
        path: of the file; or a file that is open for writing bytes.
        sound: int16 (T,), as `sound_of_levels` returns it; or floating (T,), clipped to [-1, 1].
        rate: samples a second.

    Raises: ValueError for NaN; OSError if the file cannot be written.
    """
    sound = np.asarray(sound)
    if sound.dtype.kind == 'f':
        if np.isnan(sound).any():
            raise ValueError(f'{path}: the sound has NaN in it')
        sound = np.rint(np.clip(sound, -1, 1) * LOUDEST)
    buffer = io.BytesIO()
    with wave.open(buffer, 'wb') as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(np.asarray(sound, '<i2').tobytes())
    if hasattr(path, 'write'):
        path.write(buffer.getvalue())
        return
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
