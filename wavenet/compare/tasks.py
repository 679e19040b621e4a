"""What each side of a comparison computes: the same lines of code run the author's model and ours.

This file, `steps.py` and `sound_tasks.py` also run in the author's interpreter. They keep to Python
3.5, NumPy, and what Chainer 1 and Chainer 7 have in common, and import each other by relative
names: there, `wavenet` is the author's package. A side is an object with

    utils                               binarize, quantisize, convert_to_rgb, sample_from
    classifier(config)                  a new Classifier around a new PixelCNN, its `predictor`
    snapshots(classifier, optimizer, config, given)  writes and reads files; a dict of arrays
    load(path, config)                  the PixelCNN of a file
    generate(predictor, config, class_ids)           a `Generated`
    wavenet                             the side of sound_tasks.py; None where there is no WaveNet

`config` is a dict of numbers and strings, `given` a dict of arrays; both sides get the same. A task
returns a dict of arrays.
"""
import functools
import json

import numpy as np

from . import sound_tasks, steps
from .steps import Generated

__all__ = ['Generated']


def numbers(side, config, given):
    """What must be equal or close: helpers, the model at given parameters, and its training."""
    result = helpers(side.utils, config, given)
    classifier = side.classifier(config)
    result.update(('masks' + name, np.asarray(link.mask))
                  for name, link in classifier.predictor.namedlinks() if hasattr(link, 'mask'))
    more, classifier, optimizer = steps.numbers(
        functools.partial(side.classifier, config), functools.partial(batch, config, given),
        functools.partial(reached, config=config, given=given), config, given)
    result.update(more)
    if optimizer is not None:
        result.update(side.snapshots(classifier, optimizer, config, given))
    return result


def reached(classifier, config, given):
    """Which logits change when R, G or B of the last pixel of the first row changes.

    The model is in float64, so that it shows even the smallest change.

    Returns: int32 (C, C, H, W): the changed channel, then the place of the logits; 1 for changed.
    """
    x, _, classes = batch(config, given, 0, 'float64')
    logits, moved = classifier.predictor(x, *classes).data, []
    for channel in range(x.shape[1]):
        changed = x.copy()
        changed[:, channel, 0, -1] += 1
        moved.append((classifier.predictor(changed, *classes).data != logits).any(axis=(0, 1)))
    return np.array(moved, 'i')


def helpers(utils, config, given):
    """The results of the functions in utils.py. Those that use random numbers get the same seed."""
    np.random.seed(config['seed'])
    result = {'utils/binarize': utils.binarize(given['images'])}
    for levels in given['levels']:
        result['utils/quantisize/{}'.format(levels)] = utils.quantisize(
            given['intensities'], int(levels))
    result['utils/convert_to_rgb'] = utils.convert_to_rgb(given['gray'])
    np.random.seed(config['seed'])
    result['utils/sample_from'] = utils.sample_from(given['distribution'])
    return result


def batch(config, given, n, dtype='float32'):
    """The n-th batch. After the last batch comes the first one again.

    Returns: inputs, floating (B, C, H, W); targets, int32 (B, C, H, W); and a list, which holds the
        class_ids, int32 (B,), if the model is conditional, and is empty otherwise.
    """
    size = config['batchsize']
    at = n * size % len(given['targets'])
    targets = given['targets'][at:at + size].astype('i')
    classes = [given['class_ids'][at:at + size]] if config['conditional'] else []
    return (targets.astype('f') / (config['levels'] - 1)).astype(dtype), targets, classes


def training(side, config, given):
    """The seconds of training steps."""
    return steps.timed(side.classifier(config), functools.partial(batch, config, given), config)


def generation(side, config, given):
    """Images from the model in config['our_model'], their time, and the parameters in that file."""
    predictor = side.load(config['our_model'], config)
    generated = side.generate(predictor, config, given['sample_class_ids'])
    result = {name: np.array(value) for name, value in generated._asdict().items()}
    result.update(('params' + name, param.data) for name, param in predictor.namedparams())
    result['peak_kb'] = steps.peak_kb()
    return result


TASKS = {task.__name__: task for task in (numbers, training, generation)}
SOUND_TASKS = {'sound_' + task.__name__: task for task in (
    sound_tasks.numbers, sound_tasks.training, sound_tasks.generation)}


def run(side, name, source, target):
    """Runs a task with the config and arrays of `source`, and writes its results: .npz files."""
    with np.load(source, allow_pickle=False) as npz:
        given = {key: npz[key] for key in npz.files}
    config = json.loads(str(given.pop('config')))
    if name in TASKS:
        result = TASKS[name](side, config, given)
    else:
        result = SOUND_TASKS[name](side.wavenet, config, given)
    with open(target, 'wb') as file:
        np.savez(file, **result)
