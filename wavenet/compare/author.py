
"""The author's side of a comparison, a program for the author's interpreter:

    PYTHON author.py DIR TASK SOURCE TARGET [BEFORE]

It imports `wavenet.models`, `wavenet.utils` and `infer` from DIR, a checkout of the author's
repository, and changes nothing there. TASK is 'describe' or a task of tasks.py; SOURCE and TARGET
are .npz files; BEFORE is a Python file that runs before Chainer is imported. A problem that the
user can solve is reported in one line on standard error, with exit status 3.

The program needs Python 3.5 or newer, and what the author's code imports.
"""
import functools
import importlib
import inspect
import json
import os
import runpy
import sys
import time
import types

STOP = 3
OF_AUTHOR = 'wavenet', 'infer', 'preprocess', 'train_wavenet', 'infer_wavenet'
HERE = os.path.dirname(os.path.abspath(__file__))


def stop(reason):
    sys.stderr.write(reason + '\n')
    sys.exit(STOP)


def import_author(name, folder):
    """Imports a module of the author's, and makes sure that it comes from his folder."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        missing = error.name or str(error)
        if missing.split('.')[0] in OF_AUTHOR:
            stop("{} is not the author's repository: it has no {}".format(folder, missing))
        stop("{} cannot import {}, which {}.py in {} needs: install it there".format(
            sys.executable, missing.split('.')[0], name.replace('.', '/'), folder))
    if not os.path.realpath(module.__file__).startswith(os.path.realpath(folder) + os.sep):
        stop("{} is not the author's repository: it has no {}".format(folder, name))
    return module


def import_sibling(name):
    """Imports a file of this folder, as a module of the package `compare`: `wavenet` is the
    author's package here."""
    sys.path.insert(0, os.path.dirname(HERE))
    try:
        return importlib.import_module('compare.' + name)
    finally:
        sys.path.pop(0)


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
        self.wavenet = None
        if hasattr(self.models, 'WaveNet') and os.path.isfile(
                os.path.join(folder, 'infer_wavenet.py')):
            self.wavenet = import_sibling('author_wavenet').AuthorWaveNet(
                self.models, self.utils, functools.partial(import_author, folder=folder))

    def classifier(self, config):
        return self.models.Classifier(self.predictor(config))

    def predictor(self, config):
        return self.models.PixelCNN(*[config[name] for name in (
            'in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims')])

    def snapshots(self, classifier, optimizer, config, given):
        """Takes one more step with Chainer's Trainer, which writes the two files of his train.py.

        They are the model, `pixelcnn_1`, and the whole trainer, `snapshot_iter_1`. Returns: the
        parameters in them.
        """
        x, targets, classes = tasks.batch(config, given, 0)
        examples = list(zip(x, targets, *classes))
        iterator = chainer.iterators.SerialIterator(examples, len(examples), shuffle=False)
        trainer = chainer.training.Trainer(
            chainer.training.StandardUpdater(iterator, optimizer), (1, 'iteration'),
            out=config['snapshot_folder'])
        extensions = chainer.training.extensions
        trainer.extend(extensions.snapshot(), trigger=(1, 'iteration'))
        trainer.extend(extensions.snapshot_object(
            classifier.predictor, 'pixelcnn_{.updater.iteration}'), trigger=(1, 'iteration'))
        trainer.run()
        return {'saved/params' + name: param.data
                for name, param in classifier.predictor.namedparams()}

    def load(self, path, config):
        """Loads a model as his infer.py does."""
        predictor = self.predictor(config)
        chainer.serializers.load_npz(path, predictor)
        return predictor

    def generate(self, predictor, config, class_ids):
        """Generates images with the loop of his infer.py, for at most config['seconds'].

        The loop calls the model once for every value of an image.
        """
        infer = import_author('infer', self.folder)
        classes = [class_ids] if config['conditional'] else []
        starts = []     # when each call of the model began, and when the last one ended
        images = None

        class TimeIsUp(Exception):
            pass

        def sample_fn(samples):
            nonlocal images
            starts.append(time.perf_counter())
            if starts[-1] - starts[0] > config['seconds']:
                raise TimeIsUp
            images = samples.data                # the loop writes each value into this array
            return predictor(samples, *classes)

        replace_gpu_calls(infer)
        np.random.seed(config['seed'])
        try:
            infer.generate_and_save_samples(sample_fn, config['height'], config['width'],
                                            config['in_channels'], config['count'], 'samples.jpg')
            starts.append(time.perf_counter())
        except TimeIsUp:
            pass
        values = config['height'] * config['width'] * config['in_channels']
        return tasks.Generated(images, (len(starts) - 1) / values, np.diff(starts) * values)


def replace_gpu_calls(infer):
    """Lets the loop of infer.py, which needs a GPU, run on a CPU.

    In this module alone, stand-ins replace the names of `chainer`, `F` and `scipy` that the loop
    calls (on_host.py). The loop writes no image file.
    """
    infer.chainer = types.SimpleNamespace(
        Variable=chainer.Variable,
        cuda=types.SimpleNamespace(cupy=on_host.cupy_on_host(), to_gpu=lambda array: array))
    infer.F = types.SimpleNamespace(softmax=on_host.softmax_on_host)
    image = types.SimpleNamespace(save=lambda filename: None)
    infer.scipy = types.SimpleNamespace(
        misc=types.SimpleNamespace(toimage=lambda images, cmin, cmax: image))


def error_on_cpu(infer):
    """The error of the unchanged loop of infer.py if it uses no GPU; '' if there is no error."""
    class Reached(Exception):
        pass

    def sample_fn(samples):
        if not isinstance(samples.data, np.ndarray):
            raise TypeError('its images are {}, on a GPU'.format(type(samples.data)))
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
    """Writes a JSON file that tells which model the repository has, and what runs it."""
    with open(target, 'w') as file:
        json.dump({
            'pixelcnn': arguments(author.models.PixelCNN.__init__),
            'residual_block': arguments(author.models.ResidualBlock.__init__),
            'cpu_error': error_on_cpu(import_author('infer', author.folder)),
            'wavenet': author.wavenet and author.wavenet.describe(arguments),
            'restored': restored,
            'python': sys.version.split()[0], 'chainer': chainer.__version__,
            'numpy': np.__version__}, file)


def import_libraries():
    """Imports NumPy, Chainer, and tasks.py, which only main() may do: BEFORE runs first.

    Returns: what old_names.py restored in Chainer 7.
    """
    global chainer, np, on_host, tasks
    try:
        import chainer
        import chainer.training.extensions
        import numpy as np
        on_host, tasks = import_sibling('on_host'), import_sibling('tasks')
    except ImportError as error:
        stop("{} cannot import {}, which the author's code needs: install it there".format(
            sys.executable, error.name or error))
    restored = []
    if int(chainer.__version__.split('.')[0]) > 1:
        restored = import_sibling('old_names').put_back()
    return restored


def main(folder, task, source, target, *before):
    for path in before:
        runpy.run_path(path)
    restored = import_libraries()
    sys.path[0] = folder           # replaces the folder of this file
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
