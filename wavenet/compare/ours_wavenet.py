"""Our WaveNet, in the form `author`, as a side of sound_tasks.py."""
import glob
import os
import time

import numpy as np

from wavenet import sampling, serialization
from wavenet.compare import steps
from wavenet.data import author_sound, sound
from wavenet.families.wavenet.loss import SoundClassifier
from wavenet.families.wavenet.model import WaveNet

GENERATIONS_TIMED = 3


class OursWaveNet:
    """This project."""

    def helpers(self, config, given):
        result = {'mulaw': sound.mulaw(given['sound']),
                  'inverse_mulaw': sound.inverse_mulaw(given['sound']),
                  'wav_to_float': author_sound.wav_to_float(given['int16']),
                  'receptive_field_size': np.array([
                      author_sound.receptive_field_size(*pair) for pair in given['sizes']])}
        result.update((f'quantisize/{levels}', author_sound.quantisize(given['values'], levels))
                      for levels in given['level_numbers'])
        return result

    def prepared(self, config, given):
        """The chunks of the recordings, and what the training sees of them."""
        receptive_field = author_sound.receptive_field_size(config['layers_num'],
                                                            config['stacks_num'])
        result = {}
        for name in config['recordings']:
            chunks = author_sound.chunks(given['recordings/' + name], config['rates'][name],
                                         config['rate'], receptive_field + config['target_length'])
            labels = author_sound.quantisize(chunks, config['levels'])
            result['chunks/' + name] = chunks
            result['targets/' + name] = author_sound.targets_of_chunks(
                chunks, receptive_field, config['levels'])
            # In his one-hot input, the label -1 is the last level
            result['inputs/' + name] = labels % config['levels']
        return result

    def classifier(self, config):
        model = WaveNet(*[config[name] for name in (
            'levels', 'hidden_dim', 'out_hidden_dim', 'stacks_num', 'layers_num')], form='author')
        return SoundClassifier(model, reduce='mean')

    def batch(self, config, levels, targets, dtype):
        return levels, targets, []

    def snapshots(self, config, given):
        """Loads the author's two files, if he wrote them, and saves the model in our format."""
        result, model = {}, None
        for kind in ('wavenet', 'snapshot_iter'):
            for path in glob.glob(os.path.join(glob.escape(config['sound_folder']), kind + '_*')):
                model = serialization.load_model(path, data='sound')
                result.update((f'{kind}/params{name}', param.array)
                              for name, param in model.namedparams())
        if model is not None:
            serialization.save_model(config['our_sound_model'], model)
        return result

    def load(self, path, config):
        return serialization.load_model(path, data='sound')

    def generate(self, predictor, config):
        shape, seconds = (config['sounds'], config['length']), []
        for _ in range(GENERATIONS_TIMED):
            start = time.perf_counter()
            samples = sampling.generate(predictor, shape, config['seed'])
            seconds.append(time.perf_counter() - start)
        levels = np.rint(samples * (config['levels'] - 1)).astype('i')
        return (steps.Generated(levels, 1.0, seconds),
                sound.sound_of_levels(levels, config['levels']))


def probabilities(config, levels, sample):
    """What the model that both sides generated with predicts for a sample of sounds, int32 (B, T).
    Returns: float32 (B, levels)."""
    predictor = serialization.load_model(config['our_sound_model'], data='sound')
    return predictor.distribution.probabilities(predictor(levels).array[:, :, sample])
