"""The sounds that train.py writes while it trains."""
import os

from chainer.backends import cuda
from chainer.training import extension

from wavenet import sampling, sounds, spectrograms
from wavenet.data.sound import joined, write_wav
from wavenet.storage.files import atomic_write
from wavenet.training.reports import tolerant


class SampleSounds(extension.Extension):
    """Writes sounds of a second from the model into `samples/epoch_N.wav` after an epoch, and
    otherwise into `samples/iteration_N.wav`, one after the other, and a picture of their waveforms
    and spectrograms beside it.

    It uses the same random numbers each time, so the sounds of different epochs can be compared.

    Args:
        model: one of a family of sound.
        count: number of sounds.
        dataset: the training windows, a `SoundDataset`.
        seed: of the random numbers.
    """

    priority = -300

    def __init__(self, model, count, dataset, seed):
        self.model = model
        self.rate = dataset.rate
        self.shape = count, dataset.rate
        self.seed = seed

    @tolerant
    def __call__(self, trainer):
        path = self.path(trainer)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        samples = cuda.to_cpu(sampling.generate(self.model, self.shape, self.seed))
        waveforms = sounds.waveform(self.model, samples)
        write_wav(path, joined(waveforms, self.rate), self.rate)
        with atomic_write(os.path.splitext(path)[0] + '.png') as file:
            spectrograms.draw(file, list(waveforms), self.rate)

    def path(self, trainer):
        unit = 'epoch' if trainer.updater.is_new_epoch else 'iteration'
        return os.path.join(trainer.out, 'samples', f'{unit}_{getattr(trainer.updater, unit)}.wav')
