"""The author's side of a comparison, a program for his interpreter:

    PYTHON author.py DIR TASK SOURCE TARGET [BEFORE]

DIR is a checkout of his repository, of which this imports `wavenet.models`, `wavenet.utils` and
`infer`; TASK is 'describe' or one of tasks.py; SOURCE and TARGET are .npz files; BEFORE is a Python
file to run before Chainer is imported. A reason to stop that a user can do something about is one
line on standard error, with status 3.

It needs Python 3.5 and what the author's code imports. Nothing in DIR is written.
"""
import importlib
import inspect
import json
import os
import runpy
import sys
import time
import types

STOP = 3
HERE = os.path.dirname(os.path.abspath(__file__))


def stop(reason):
    sys.stderr.write(reason + '\n')
    sys.exit(STOP)


def import_author(name, folder):
    """A module of the author's, and of nobody else's."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        missing = error.name or str(error)
        if missing.split('.')[0] in ('wavenet', 'infer'):
            stop("{} is not the author's repository: it has no {}".format(folder, missing))
        stop("{} cannot import {}, which {}.py in {} needs: install it there".format(
            sys.executable, missing.split('.')[0], name.replace('.', '/'), folder))
    if not os.path.realpath(module.__file__).startswith(os.path.realpath(folder) + os.sep):
        stop("{} is not the author's repository: it has no {}".format(folder, name))
    return module


class Author:
    """The author's code as a side of tasks.py."""

    def __init__(self, folder):
        self.folder = folder
        self.models = import_author('wavenet.models', folder)
        self.utils = import_author('wavenet.utils', folder)
        expected = ((self.models, ('PixelCNN', 'ResidualBlock', 'Classifier')),
                    (self.utils, ('binarize', 'quantisize', 'convert_to_rgb', 'sample_from')))
        for module, names in expected:
            for name in names:
                if not hasattr(module, name):
                    stop("{} is not the author's repository: its {} has no {}".format(
                        folder, module.__name__, name))

    def classifier(self, config):
        return self.models.Classifier(self.predictor(config))

    def predictor(self, config):
        return self.models.PixelCNN(*[config[name] for name in (
            'in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims')])

    def snapshots(self, classifier, optimizer, config, given):
        """One more step, by Chainer's Trainer, which then writes the two files that his train.py
        has it write: the model, and the trainer with the model in it. Returns the parameters."""
        x, t, classes = tasks.batch(config, given, 0)
        examples = list(zip(x, t, *classes))
        iterator = chainer.iterators.SerialIterator(examples, len(examples), shuffle=False)
        trainer = chainer.training.Trainer(
            chainer.training.StandardUpdater(iterator, optimizer), (1, 'iteration'),
            out=config['snapshots'])
        extensions = chainer.training.extensions
        trainer.extend(extensions.snapshot(), trigger=(1, 'iteration'))
        trainer.extend(extensions.snapshot_object(
            classifier.predictor, 'pixelcnn_{.updater.iteration}'), trigger=(1, 'iteration'))
        trainer.run()
        return {'saved/params' + name: param.data
                for name, param in classifier.predictor.namedparams()}

    def load(self, path, config):
        """As in his infer.py."""
        predictor = self.predictor(config)
        chainer.serializers.load_npz(path, predictor)
        return predictor

    def draw(self, predictor, config, classes):
        """Pictures by the loop of his infer.py, which runs the model once for each value of a
        picture, until all are drawn or config['seconds'] are over."""
        infer = import_author('infer', self.folder)
        labels = [classes] if config['labelled'] else []
        starts, drawn = [], []

        class Enough(Exception):
            pass

        def sample_fn(samples):
            starts.append(time.perf_counter())
            if starts[-1] - starts[0] > config['seconds']:
                raise Enough
            drawn[:] = [samples.data]
            return predictor(samples, *labels)

        play_gpu(infer)
        np.random.seed(config['seed'])
        try:
            infer.generate_and_save_samples(sample_fn, config['height'], config['width'],
                                            config['in_channels'], config['count'], 'samples.jpg')
            starts.append(time.perf_counter())
        except Enough:
            pass
        values = config['height'] * config['width'] * config['in_channels']
        return drawn[0], (len(starts) - 1) / values, np.diff(starts) * values


def play_gpu(infer):
    """Lets the loop of infer.py, which is for a GPU only, run on a CPU.

    What it calls of `chainer`, `F` and `scipy` gets a stand-in in that module alone: arrays are
    made by NumPy and stay where they are, and the picture file is not written.
    """
    class OnHost(np.ndarray):
        def get(self):  # as arrays on a GPU have it
            return np.asarray(self)

    def softmax(logits):
        return chainer.Variable(chainer.functions.softmax(logits).data.view(OnHost))

    cupy = types.SimpleNamespace(zeros=np.zeros)
    infer.chainer = types.SimpleNamespace(
        Variable=chainer.Variable,
        cuda=types.SimpleNamespace(cupy=cupy, to_gpu=lambda array: array))
    infer.F = types.SimpleNamespace(softmax=softmax)
    picture = types.SimpleNamespace(save=lambda filename: None)
    infer.scipy = types.SimpleNamespace(
        misc=types.SimpleNamespace(toimage=lambda images, cmin, cmax: picture))


def run_on_cpu_unchanged(infer):
    """What happens where the loop of infer.py is called as it is: the error, or ''."""
    class Reached(Exception):
        pass

    def sample_fn(samples):
        if not isinstance(samples.data, np.ndarray):
            raise TypeError('its pictures are {}, on a GPU'.format(type(samples.data)))
        raise Reached

    try:
        infer.generate_and_save_samples(sample_fn, 1, 1, 3, 1, 'samples.jpg')
    except Reached:
        return ''
    except Exception as error:
        return '{}: {}'.format(type(error).__name__, error)


def arguments(function):
    return [name for name in inspect.signature(function).parameters if name != 'self']


def describe(author, restored, target):
    """What kind of model the repository holds, and what runs it, as JSON in a text file."""
    with open(target, 'w') as file:
        json.dump({
            'pixelcnn': arguments(author.models.PixelCNN.__init__),
            'residual_block': arguments(author.models.ResidualBlock.__init__),
            'cpu_error': run_on_cpu_unchanged(import_author('infer', author.folder)),
            'restored': restored,
            'python': sys.version.split()[0], 'chainer': chainer.__version__,
            'numpy': np.__version__}, file)


def import_libraries():
    """Chainer, NumPy, and tasks.py beside this file. Returns what Chainer 7 was given back."""
    global chainer, np, tasks
    try:
        import numpy as np
        import chainer
        import chainer.training.extensions  # noqa: F401
        import tasks
    except ImportError as error:
        stop("{} cannot import {}, which the author's code needs: install it there".format(
            sys.executable, error.name or error))
    restored = []
    if int(chainer.__version__.split('.')[0]) > 1:
        import old_names
        restored = old_names.put_back()
    return restored


def main(folder, task, source, target, *before):
    for path in before:
        runpy.run_path(path)
    restored = import_libraries()
    sys.path[0] = folder           # instead of this file's folder
    author = Author(folder)
    if task == 'describe':
        describe(author, restored, target)
    else:
        tasks.run(author, task, source, target)


if __name__ == '__main__':
    if sys.version_info < (3, 5):
        stop('{} is Python {}.{}: Python 3.5 or newer is needed'.format(
            sys.executable, *sys.version_info[:2]))
    main(*sys.argv[1:])
