"""The sounds that train.py writes while it trains."""
import os

from chainer.backends import cuda

from wavenet import sounds, spectrograms
from wavenet.commands.sample_writer import SampleWriter
from wavenet.data.sound import joined, write_wav
from wavenet.storage.files import atomic_write


class SampleSounds(SampleWriter):
    """Writes `count` sounds of a second, at the rate of a `SoundDataset`, one after the other into
    a .wav file, and a picture of their waveforms and spectrograms beside it."""

    ending = '.wav'

    def __init__(self, model, count, dataset, seed):
        super().__init__(model, (count, dataset.rate), seed)
        self.rate = dataset.rate

    def write(self, path, samples):
        waveforms = sounds.waveform(self.model, cuda.to_cpu(samples))
        write_wav(path, joined(waveforms, self.rate), self.rate)
        with atomic_write(os.path.splitext(path)[0] + '.png') as file:
            spectrograms.draw(file, list(waveforms), self.rate)
