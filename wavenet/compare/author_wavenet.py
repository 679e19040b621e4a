"""The author's WaveNet as a side of sound_tasks.py. It runs in author.py's process."""
import os
import sys
import time
import types
import wave

import chainer
import numpy as np

from . import steps
from .on_host import cupy_on_host, equal_on_host, softmax_on_host

KERNEL_WIDTH = 2   # of all his scripts


class AuthorWaveNet:
    """His code.

    Args:
        models, utils: his modules of these names.
        import_author: imports another module of his.
    """

    def __init__(self, models, utils, import_author):
        self.models, self.utils, self.import_author = models, utils, import_author

    def describe(self, arguments):
        """Tells which WaveNet it is, and what it needs to run here: a dict for a JSON file.
        `arguments` lists the arguments of a function."""
        loop = self.import_author('infer_wavenet').generate_and_save_samples
        return {'model': arguments(self.models.WaveNet.__init__), 'loop': arguments(loop),
                'cpu_error': error_on_cpu(loop), 'lacks_cupy': lacks_cupy()}

    def helpers(self, config, given):
        u = self.utils
        result = {'mulaw': u.mulaw(given['sound']),
                  'inverse_mulaw': u.inverse_mulaw(given['sound']),
                  'wav_to_float': u.wav_to_float(given['int16']),
                  'receptive_field_size': np.array([
                      u.receptive_field_size(int(layers), int(stacks))
                      for layers, stacks in given['sizes']])}
        result.update(('quantisize/{}'.format(levels), u.quantisize(given['values'], int(levels)))
                      for levels in given['level_numbers'])
        return result

    def prepared(self, config, given):
        """Runs his preprocess.py on each folder of recordings, and reads its files as his
        train_wavenet.py does."""
        preprocess, result = self.import_author('preprocess'), {}
        for name in config['recordings']:
            folder = os.path.join(config['sound_folder'], name)
            self.run_script(preprocess, config, '--data', folder, '--output', folder,
                            '--workers', 1, '--target_length', config['target_length'])
            with open(os.path.join(folder, 'vctk_0'), 'rb') as file:
                result['chunks/' + name] = np.load(file)
            data = self.utils.VCTK(folder, self.receptive_field(config))
            result['targets/' + name] = data.labels.reshape(len(data), -1)
            result['inputs/' + name] = data.data.argmax(axis=1).reshape(len(data), -1)
        return result

    def receptive_field(self, config):
        return self.utils.receptive_field_size(config['layers_num'], config['stacks_num'])

    def run_script(self, module, config, *options):
        """Runs main() of a script with these options and the model's numbers of layers."""
        before = sys.argv
        sys.argv = [module.__file__] + [str(option) for option in options] + [
            '--stacks_num', str(config['stacks_num']), '--layers_num', str(config['layers_num'])]
        try:
            module.main()
        finally:
            sys.argv = before

    def classifier(self, config):
        return self.models.Classifier(self.predictor(config))

    def predictor(self, config):
        return self.models.WaveNet(*([config[name] for name in (
            'levels', 'hidden_dim', 'out_hidden_dim', 'stacks_num', 'layers_num')]
            + [KERNEL_WIDTH]))

    def batch(self, config, levels, targets, dtype):
        """x floating (B, levels, 1, T), targets int32 (B, 1, 1, T), and the class 0, as `VCTK`."""
        one_hot = np.eye(config['levels'])[levels].astype(dtype).transpose(0, 2, 1)
        return (np.ascontiguousarray(one_hot[:, :, None]), targets[:, None, None],
                [np.zeros(len(levels), 'i')])

    def snapshots(self, config, given):
        """Trains for an epoch with his train_wavenet.py. It writes the model, `wavenet_N`, and the
        trainer, `snapshot_iter_N`. Returns: the parameters that his code reads from the model."""
        script = import_without_cupy('train_wavenet', self.import_author)
        np.random.seed(config['seed'])
        self.run_script(
            script, config, '--data', os.path.join(config['sound_folder'], config['recordings'][0]),
            '--out', config['sound_folder'], '--epoch', 1, '--batchsize', config['batchsize'],
            '--hidden_dim', config['hidden_dim'], '--out_hidden_dim', config['out_hidden_dim'])
        path, = [name for name in os.listdir(config['sound_folder']) if name.startswith('wavenet_')]
        predictor = self.load(os.path.join(config['sound_folder'], path), config)
        return {'saved/params' + name: param.data for name, param in predictor.namedparams()}

    def load(self, path, config):
        """Loads a model as his infer_wavenet.py does."""
        predictor = self.predictor(config)
        chainer.serializers.load_npz(path, predictor)
        return predictor

    def generate(self, predictor, config):
        """Generates sounds with the loop of his infer_wavenet.py, for at most config['seconds'].

        Then the loop goes on with equal probabilities, which take no time, and writes its .wav
        files.
        """
        script = self.import_author('infer_wavenet')
        script.chainer = types.SimpleNamespace(
            Variable=chainer.Variable, cuda=types.SimpleNamespace(cupy=cupy_on_host()))
        equal = equal_on_host(config['levels'], (
            config['sounds'], config['levels'], 1, 1, config['length']))
        script.F = types.SimpleNamespace(
            softmax=lambda logits: equal if logits is None else softmax_on_host(logits))
        classes = np.zeros(config['sounds'], 'i')
        starts, samples = [], None     # when each call of the model began, and the last one ended

        def sample_fn(variable):
            nonlocal samples
            samples = variable.data                # the loop writes each sample into this array
            if not starts or starts[-1] - starts[0] <= config['seconds']:
                starts.append(time.perf_counter())
            if starts[-1] - starts[0] > config['seconds']:
                return None
            return predictor(variable, classes)

        np.random.seed(config['seed'])
        folder = os.path.join(config['sound_folder'], 'generated')
        os.mkdir(folder)
        script.generate_and_save_samples(sample_fn, config['length'], config['sounds'], folder,
                                         config['rate'], config['levels'])
        if starts[-1] - starts[0] <= config['seconds']:
            starts.append(time.perf_counter())
        sounds = [read_wav(os.path.join(folder, 'sample_{}.wav'.format(n)))
                  for n in range(config['sounds'])]
        generated = steps.Generated(
            samples.argmax(axis=1)[:, 0].astype('i'), (len(starts) - 1) / config['length'],
            np.diff(starts) * config['length'])
        return generated, np.array(sounds)


def read_wav(path):
    """The samples of a mono .wav file of 16 bits, int16 (T,)."""
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), '<i2')


def error_on_cpu(loop):
    """The error of the unchanged loop of infer_wavenet.py on a CPU; '' if there is none."""
    class Reached(Exception):
        pass

    def sample_fn(samples):
        raise Reached

    try:
        loop(sample_fn, 1, 1, os.curdir, 8000, 2)
    except Reached:
        return ''
    except Exception as error:
        return '{}: {}'.format(type(error).__name__, error)


def lacks_cupy():
    """Whether CuPy cannot be imported: Chainer has tried."""
    return 'cupy' not in sys.modules


def import_without_cupy(name, import_author):
    """Imports a script of his. His parameter_statistics.py, which it imports, imports CuPy, and
    uses it only on a GPU: without CuPy, an empty module stands there while the script is
    imported."""
    if not lacks_cupy():
        return import_author(name)
    sys.modules['cupy'] = types.ModuleType('cupy')
    try:
        return import_author(name)
    finally:
        del sys.modules['cupy']
