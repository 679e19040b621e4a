"""Sound files for tests."""
import numpy as np
import soundfile


def waves(length, channels=1, seed=0):
    """Some tones and noise, float64 (T,) or (T, channels) within [-0.8, 0.8]."""
    random = np.random.RandomState(seed)
    time = np.arange(length)[:, None] / 8000
    frequencies = random.uniform(100, 900, (1, channels))
    sound = 0.5 * np.sin(2 * np.pi * frequencies * time) \
        + random.uniform(-0.3, 0.3, (length, channels))
    return sound[:, 0] if channels == 1 else sound


def write_sounds(folder, lengths, rate=8000, ending='.wav', subtype=None):
    """Writes a file for each length. Returns: the int16 samples of each."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = [np.rint(waves(length, seed=n) * 32767).astype('i2')
              for n, length in enumerate(lengths)]
    for n, sound in enumerate(sounds):
        soundfile.write(folder / f'{n:02}{ending}', sound, rate, subtype=subtype)
    return sounds
