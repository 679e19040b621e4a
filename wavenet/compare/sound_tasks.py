"""What each side of a comparison computes of WaveNet. See tasks.py. A side is an object with

    helpers(config, given)              mulaw, inverse_mulaw, …; a dict of arrays
    prepared(config, given)             what the training sees of .wav files; a dict of arrays
    classifier(config)                  a new Classifier around a new WaveNet, its `predictor`
    batch(config, levels, targets, dtype)    x, targets and classes of the Classifier
    snapshots(config, given)            writes and reads files; a dict of arrays
    load(path, config)                  the WaveNet of a file
    generate(predictor, config)         a `steps.Generated`, and the sounds, int16 (B, T)
"""
import functools

import numpy as np

from . import steps


def numbers(side, config, given):
    """What must be equal or close: helpers, data, the model at given parameters, its training."""
    result = {'utils/' + name: array for name, array in side.helpers(config, given).items()}
    result.update(side.prepared(config, given))
    more, _, optimizer = steps.numbers(
        functools.partial(side.classifier, config), functools.partial(batch, side, config, given),
        functools.partial(reached, side, config, given), config, given)
    result.update(more)
    if optimizer is not None:
        result['logits'] = flat(result['logits'])
        result.update(side.snapshots(config, given))
    return result


def batch(side, config, given, n, dtype='float32'):
    """The n-th batch as the side's Classifier takes it. After the last batch comes the first one
    again."""
    size = config['batchsize']
    at = n * size % len(given['levels'])
    return side.batch(config, given['levels'][at:at + size].astype('i'),
                      given['targets'][at:at + size], dtype)


def flat(logits):
    """Logits (B, levels, 1, 1, T) of the author's, or (B, levels, T) → (B, levels, T)"""
    return logits.reshape(logits.shape[0], logits.shape[1], -1)


def reached(side, config, given, classifier):
    """Which logits change when one sample changes, int32 (T, T): the changed sample, then the place
    of the logits; 1 for changed. The model is in float64, so that it shows the smallest change."""
    levels, targets = given['levels'][:1].astype('i'), given['targets'][:1]

    def logits(levels):
        x, _, classes = side.batch(config, levels, targets, 'float64')
        return flat(classifier.predictor(x, *classes).data)

    before, moved = logits(levels), []
    for sample in range(levels.shape[1]):
        changed = levels.copy()
        changed[0, sample] = (changed[0, sample] + 1) % config['levels']
        moved.append((logits(changed) != before).any(axis=(0, 1)))
    return np.array(moved, 'i')


def training(side, config, given):
    """The seconds of training steps."""
    return steps.timed(side.classifier(config), functools.partial(batch, side, config, given),
                       config)


def generation(side, config, given):
    """Sounds from the model in config['our_sound_model'], their time, and the parameters in it."""
    predictor = side.load(config['our_sound_model'], config)
    generated, sounds = side.generate(predictor, config)
    result = {name: np.array(value) for name, value in generated._asdict().items()}
    result.update(('params' + name, param.data) for name, param in predictor.namedparams())
    result.update(sounds=sounds, peak_kb=steps.peak_kb())
    return result
