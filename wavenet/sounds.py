"""What is heard of a model's samples."""
import numpy as np

from wavenet.data.sound import LOUDEST, decode, sound_of_levels
from wavenet.data.sound_files import check_rate

RATE = 8000     # samples a second where the model's file does not say it: the author's


def rate_of(model):
    """The samples a second of the recordings that a model was trained on.

    Raises: ValueError for a file that says something else.
    """
    rate = getattr(model, 'about', {}).get('rate', RATE)
    if type(rate) is not int:      # a stranger may write it
        raise ValueError(f'its sampling rate is {rate!r}')
    check_rate(rate)
    return rate


def waveform(model, samples):
    """What the samples of a model of sound sound like.

    Args:
        model: of sound.
        samples: floating, of any shape: level / (levels - 1), as `sampling.generate` returns them.

    Returns: int16 of the same shape. Of the author's form, the audio of his infer_wavenet.py;
        otherwise the middle of each level, and 0 for the level of silence.
    """
    levels = model.distribution.levels
    targets = np.rint(samples * (levels - 1)).astype('i')
    if model.config.form == 'author':
        return sound_of_levels(targets, levels)
    return np.rint(decode(targets, levels) * LOUDEST).astype(np.int16)
