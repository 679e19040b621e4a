"""Pictures of sounds: for each one its waveform, and its spectrogram below."""
import numpy as np

from wavenet import plots

MOST = 8          # sounds in a picture, the first ones
WINDOW = 256      # samples of a short-time Fourier transform: 32 ms at 8 kHz
FLOOR = -100      # dB, the darkest
DPI = 90


def draw(file, sounds, rate, titles=None, kept=0):
    """Writes the picture as a PNG.

    Args:
        file: open for writing bytes.
        sounds: list of arrays (T_i,), floating in [-1, 1], or int16.
        rate: samples a second.
        titles: a text for each sound, or None.
        kept: samples at the beginning that were given; a line marks their end.
    """
    sounds = [sound / 32768 if sound.dtype.kind == 'i' else sound for sound in sounds[:MOST]]
    figure = plots.new_figure(9, 2.2 * len(sounds) + 0.5)
    rows = figure.add_gridspec(len(sounds), 1, hspace=0.35, left=0.08, right=0.98,
                               bottom=0.45 / figure.get_figheight(),
                               top=1 - 0.3 / figure.get_figheight())
    for number, (sound, row) in enumerate(zip(sounds, rows)):
        waveform, spectrogram = row.subgridspec(2, 1, hspace=0.14).subplots()
        seconds = len(sound) / rate
        waveform.plot((np.arange(len(sound)) + 0.5) / rate, sound, linewidth=0.5)
        waveform.set(xlim=(0, seconds), ylim=(-1, 1), xticks=[], ylabel='waveform')
        if titles:
            waveform.set_title(titles[number], fontsize=9, pad=2)
        image = _decibels(sound)                               # (frequencies, times)
        spectrogram.imshow(image, origin='lower', aspect='auto', cmap='magma', vmin=FLOOR, vmax=0,
                           extent=(0, seconds, 0, rate / 2000))
        spectrogram.set(ylabel='kHz', xlabel='seconds' if number == len(sounds) - 1 else '')
        if kept:
            for axes in waveform, spectrogram:
                axes.axvline(kept / rate, color='tab:green', linewidth=1)
    plots.save_png(file, figure, DPI)


def _decibels(sound):
    """The short-time spectrum of a sound (T,) in dB of a full-scale sine: (frequencies, times)."""
    from matplotlib import mlab  # a third of a second, as in `plots`
    padded = np.pad(sound, (0, max(0, WINDOW + 1 - len(sound))))    # two windows at least
    size = len(padded)
    overlap = WINDOW - max(1, min(WINDOW // 4, size // 800))    # enough columns for the picture
    spectrum, _, _ = mlab.specgram(padded, NFFT=WINDOW, Fs=1, noverlap=overlap, mode='magnitude')
    return 20 * np.log10(np.maximum(2 * spectrum, 10 ** (FLOOR / 20)))
