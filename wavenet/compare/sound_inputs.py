"""What both sides of a comparison of WaveNet are given."""
import os

import numpy as np

from wavenet.compare.ours_wavenet import OursWaveNet
from wavenet.data import author_sound, sound

LEVELS = 256        # his VCTK knows no others, whatever --levels says
RATE = author_sound.RATE
BATCHES = 8         # the most there are; more optimizer steps use them again
RATES = {'first': RATE, 'second': 16000, 'third': 12000}     # recordings, samples a second

SHOWN = ('levels', 'hidden_dim', 'out_hidden_dim', 'stacks_num', 'layers_num', 'target_length',
         'batchsize', 'iteration', 'learning_rate', 'clip', 'weight_decay', 'sounds', 'length',
         'seed')


def make_config(args, scratch):
    """The settings of both sides, as sound_tasks.py reads them: a dict that JSON can hold.

    Args:
        args: the options of the command.
        scratch: a folder for files.
    """
    folder = os.path.join(scratch, 'sound')
    return {
        **{name: getattr(args, name) for name in (
            'hidden_dim', 'out_hidden_dim', 'stacks_num', 'layers_num', 'target_length', 'length',
            'batchsize', 'iteration', 'seconds', 'seed')},
        'levels': LEVELS, 'rate': RATE, 'sounds': args.count ** 2, 'learning_rate': 0.001,
        'clip': 1.0, 'weight_decay': 0.0001, 'recordings': list(RATES), 'rates': RATES,
        'sound_folder': folder, 'our_sound_model': os.path.join(scratch, 'wavenet.npz')}


def make_arrays(config):
    """The recordings, of which .wav files are written, the batches, the parameters at the start,
    and the arguments of the helper functions: a dict of arrays."""
    random = np.random.RandomState(config['seed'])
    receptive_field = author_sound.receptive_field_size(config['layers_num'], config['stacks_num'])
    chunk = receptive_field + config['target_length']
    batches = min(config['iteration'], BATCHES)
    given = {}
    for name, rate in RATES.items():
        chunks = batches * config['batchsize'] if name == config['recordings'][0] else 3
        given['recordings/' + name] = recording(random, -(-chunks * chunk * rate // RATE) + 7, rate)
        folder = os.path.join(config['sound_folder'], name)
        os.makedirs(folder)
        sound.write_wav(os.path.join(folder, name + '.wav'), given['recordings/' + name], rate)
    ours = OursWaveNet().prepared(config, given)
    first = config['recordings'][0]
    given.update(
        levels=ours['inputs/' + first].astype('u1'), targets=ours['targets/' + first],  # (N, T)
        sound=random.uniform(-1, 1, 1000), values=random.uniform(0, 1, 1000),
        int16=random.randint(-2 ** 15, 2 ** 15, 1000).astype('i2'),
        level_numbers=np.array([2, 16, LEVELS]),
        sizes=np.array([(10, 5), (4, 3), (config['layers_num'], config['stacks_num'])]))
    given.update(('params' + name, array) for name, array in start(config))
    return given


def recording(random, length, rate):
    """Two tones and noise, int16 (length,), the second half too loud, so that it is clipped. A
    change of the sampling rate overshoots there."""
    time = np.arange(length) / rate
    values = 0.3 * np.sin(2 * np.pi * 220 * time) + 0.2 * np.sin(2 * np.pi * 1031 * time)
    values += random.normal(0, 0.02, length)
    values[length // 2:] *= 4
    return np.rint(np.clip(values, -1, 1) * sound.LOUDEST).astype('i2')


def start(config):
    """Names and arrays of the parameters at the start, the biases random, too."""
    np.random.seed(config['seed'])
    for name, param in sorted(OursWaveNet().classifier(config).predictor.namedparams()):
        if name.endswith('/b'):
            param.array[...] = np.random.normal(0, 0.1, param.shape)
        yield name, param.array
