"""`SoundModel`, the public face of a model of sound.

    import wavenet
    model = wavenet.load('out/model.npz')
    sounds = model.sample(4, seconds=2, seed=0)     # int16 (4, 16000)
    model.log_prob(sounds)                          # float64 (4,), in nats
"""
import numpy as np
from chainer.backends import cuda

from wavenet import sampling, sounds
from wavenet.api.trained import TrainedModel, progress_of
from wavenet.data.recordings import join
from wavenet.data.sound import encode
from wavenet.data.windows import SoundDataset
from wavenet.sound_likelihood import recording_nats


class SoundModel(TrainedModel):
    """A trained model of sound: it samples sounds and scores recordings.

    Args, Attributes: as of `wavenet.api.trained.TrainedModel`; and
        rate: samples a second.
        network: maps levels, int32 (B, T), to logits (B, levels, T).
    """

    def __init__(self, network):
        super().__init__(network)
        self.rate = sounds.rate_of(network)

    def sample(self, n, *, seconds=None, length=None, seed=None, class_ids=None, given=None,
               temperature=1.0, progress=None, as_levels=False):
        """Generates sounds.

        Args:
            n: number of sounds.
            seconds, length: how much is generated, in seconds or in samples; give one of them.
            seed: the same seed gives the same sounds; None for other sounds each time.
            class_ids: for a conditional model, the class of all sounds, a whole number or a name,
                or n of them; by default all classes in turn.
            given: a recording to continue, as those of `log_prob`: it is kept as the beginning of
                each sound, and what is generated follows.
            temperature: the logits are divided by it: below 1, likelier and more uniform sounds.
            progress: True for a progress bar, or a function that is called with the number of
                samples that are done since the last call.
            as_levels: return the quantized values, {0, …, levels - 1}; `given` holds such values,
                too.

        Returns: int16 (n, T), at `rate` samples a second; with `as_levels`, uint8 (n, T).

        Raises: ValueError for arguments that do not fit the model.
        """
        if (seconds is None) == (length is None):
            raise ValueError('give seconds or length: how much is to be generated')
        length = round(seconds * self.rate) if length is None else length
        if n < 0 or length < 0:
            raise ValueError(f'n and the length must not be negative, got {n} and {length}')
        kept = np.empty(0, 'u1') if given is None else self._levels_of(given, as_levels)
        shape = n, len(kept) + length
        start = np.broadcast_to(np.pad(kept, (0, length)).astype('f') / (self.levels - 1), shape)
        with progress_of(progress, shape[1], 'sample') as update:
            samples = cuda.to_cpu(sampling.generate(
                self.network, shape, seed, given=(start, len(kept)), progress=update,
                class_ids=self.class_ids_of_all(class_ids, n), temperature=temperature))
        if as_levels:
            return np.rint(samples * (self.levels - 1)).astype('u1')
        return sounds.waveform(self.network, samples)

    def log_prob(self, recordings, class_ids=None, *, as_levels=False, batchsize=16,
                 progress=None):
        """Computes the log-likelihood of recordings.

        Args:
            recordings: (N, T), or a list of N arrays (T_i,) of any lengths, at `rate` samples a
                second: int16; floating in [-1, 1]; or, with `as_levels`, whole numbers, the levels
                {0, …, levels - 1}.
            class_ids: for a conditional model, the class of all recordings, a whole number or a
                name, or N of them.
            as_levels: whether the recordings are levels.
            batchsize: windows of up to 5,120 samples that are computed at once.
            progress: as for `sample`, but it counts these windows.

        Returns: float64 (N,): the natural logarithm of the probability of each recording, in nats.

        Raises: ValueError for recordings or classes that do not fit the model.
        """
        levels = [self._levels_of(one, as_levels) for one in recordings]
        if not all(map(len, levels)):
            raise ValueError('a recording needs at least one sample')
        class_ids = self.class_ids_of_given(class_ids, len(levels))
        if not levels:
            return np.empty(0)
        names = [str(number) for number in range(len(levels))]
        classes = None if class_ids is None else (class_ids, range(self.num_classes))
        dataset = SoundDataset(join(levels, names, self.rate, classes), self.levels,
                               self.config.receptive_field)
        dataset.to_device(self.network.device)
        with progress_of(progress, len(dataset), 'window') as update, \
                np.errstate(over='ignore', invalid='ignore'):
            return -recording_nats(self.network, dataset, batchsize, progress=update)

    def _levels_of(self, recording, as_levels):
        """A recording as uint8 (T,), the levels."""
        recording = np.asarray(recording)
        if recording.ndim != 1:
            raise ValueError(f'a recording has the shape (T,), got {recording.shape}')
        if as_levels:
            if recording.dtype.kind not in 'iu' or not (
                    (0 <= recording) & (recording < self.levels)).all():
                raise ValueError(f'levels are whole numbers from 0 to {self.levels - 1}, got '
                                 f'{recording.dtype}')
            return recording.astype('u1')
        if recording.dtype == np.int16:
            recording = recording / (1 << 15)                   # as soundfile reads it
        elif recording.dtype.kind != 'f' or not (np.abs(recording) <= 1).all():  # NaN, too
            raise ValueError('recordings are int16, or floating in [-1, 1], got '
                             f'{recording.dtype}; for levels give as_levels=True')
        return encode(recording, self.levels)
