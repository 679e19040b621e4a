"""Sound as the author's code prepares it, faults included (preprocess.py and wavenet/utils.py at
commit 917345c), to compare with it. µ-law is in `wavenet.data.sound`.

`wavenet.data.load_sound` is what this package trains on. Here, as there: resampling may overshoot,
and becomes label -1; the remainder of each recording is dropped; so are recordings shorter than a
chunk; samples are taken to have 16 bits; and the first receptive field of each chunk is no target.
"""
import math

import numpy as np

from wavenet.data.sound import mulaw

RATE, TARGETS = 8000, 1600     # his defaults: samples a second, and targets of a chunk


def receptive_field_size(layers, stacks):
    """His number, S · 2^L. The true one is 2 + S (2^L - 1)."""
    return stacks * 2 ** layers


def wav_to_float(sound, bits=16):
    """Samples as `scipy.io.wavfile` reads them, scaled to [-1, 1] if they have this many bits."""
    return sound / 2 ** (bits - 1)


def quantisize(values, levels):
    """Values, floating, as labels: int32 of the same shape. Values below 0 become -1."""
    return (np.digitize(values, np.arange(levels) / levels) - 1).astype('i')


def chunks(sound, sound_rate, rate=RATE, length=5120 + TARGETS):
    """Cuts a recording into chunks that do not overlap.

    Args:
        sound: the samples, int16 (T,).
        sound_rate: their number a second.
        rate: the same of the chunks.
        length: of a chunk: its targets and a receptive field.

    Returns: float64 (N, length), µ-law moved to [0, 1], or a little beyond.
    """
    values = mulaw(wav_to_float(resample_poly(sound, rate, sound_rate))) * 0.5 + 0.5
    count = len(values) // length
    return values[:count * length].reshape(count, length)


def targets_of_chunks(values, receptive_field, levels=256):
    """The labels that he trains on, int32 (N, T), of chunks (N, T). The first receptive field of
    each is -1, which does not count in the loss."""
    targets = quantisize(values, levels)
    targets[:, :receptive_field] = -1
    return targets


def resample_poly(sound, up, down):
    """`scipy.signal.resample_poly` with its default filter, a low pass of 20 max(up, down) + 1 taps
    in a Kaiser window with β = 5.

    Args:
        sound: (T,).
        up, down: the new rate and the old one, or others in the same proportion.

    Returns: float64 (⌈T up / down⌉,); the sound as it is where the rates are equal.
    """
    divisor = math.gcd(up, down)
    up, down = up // divisor, down // divisor
    if up == down:
        return sound
    half = 10 * max(up, down)
    positions = np.arange(-half, half + 1)
    taps = np.sinc(positions / max(up, down)) * np.kaiser(2 * half + 1, 5.0)
    taps *= up / taps.sum()
    length = -(-len(sound) * up // down)
    result = np.empty(length)
    reach = 2 * half // up + 1                      # samples that a tap of each phase can meet
    padded = np.pad(np.asarray(sound, 'd'), (reach, reach + down))
    for phase in range(min(up, length)):
        # Output n = phase + m up lies at `last` + m down, in samples, and `offset` taps beyond
        last, offset = divmod(phase * down + half, up)
        here = taps[offset::up][::-1]               # the last tap meets the earliest sample
        start = last - len(here) + 1 + reach
        windows = np.lib.stride_tricks.sliding_window_view(padded[start:], len(here))[::down]
        count = len(range(phase, length, up))
        result[phase::up] = windows[:count] @ here
    return result
