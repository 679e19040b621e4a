
"""What each side of a comparison computes: the same lines of code run the author's model and ours.

This file also runs in the author's interpreter. It keeps to Python 3.5, NumPy, and what Chainer 1
and Chainer 7 have in common. A side is an object with

    utils                               binarize, quantisize, convert_to_rgb, sample_from
    classifier(config)                  a new Classifier around a new PixelCNN, its `predictor`
    snapshots(classifier, optimizer, config, given)  writes and reads files; a dict of arrays
    load(path, config)                  the PixelCNN of a file
    generate(predictor, config, class_ids)           a `Generated`

`config` is a dict of numbers and strings, `given` a dict of arrays; both sides get the same. A task
returns a dict of arrays.
"""
import collections
import json
import time

import chainer
import numpy as np

STEPS_TIMED = 7

Generated = collections.namedtuple('Generated', [
    'samples',  # float32 (B, C, H, W)
    'part',     # the part of their values that was generated in time, up to 1
    'seconds',  # each measurement of the time that all values take
])


def numbers(side, config, given):
    """What must be equal or close: helpers, the model at given parameters, and its training."""
    result = helpers(side.utils, config, given)
    classifier = side.classifier(config)
    params = dict(classifier.predictor.namedparams())
    result.update(('shapes' + name, np.array(param.data.shape, 'i'))
                  for name, param in params.items())
    result.update(('masks' + name, np.asarray(link.mask))
                  for name, link in classifier.predictor.namedlinks() if hasattr(link, 'mask'))
    start = {name[len('params'):]: given[name] for name in given if name.startswith('params/')}
    if {name: param.data.shape for name, param in params.items()} != \
            {name: array.shape for name, array in start.items()}:
        return result                            # the rest needs the same parameters on both sides

    set_params(classifier, start, 'float32')
    result.update(first_batch(classifier, config, given))
    # In float32, rounding errors grow by a factor of thousands within dozens of steps. In float64
    # they start so small that they stay small. So both are compared.
    precise = side.classifier(config)
    set_params(precise, start, 'float64')
    result['reached'] = reached(precise, config, given)
    result.update(('float64/' + name, array)
                  for name, array in first_batch(precise, config, given, 'float64').items()
                  if name.startswith('grads'))
    for dtype, model in (('float64', precise), ('float32', classifier)):
        optimizer = make_optimizer(model, config)
        result[dtype + '/losses'] = np.array([
            step(model, optimizer, config, given, n, dtype) for n in range(config['iteration'])])
        result.update((dtype + '/params' + name, param.data.copy())
                      for name, param in model.predictor.namedparams())
    result.update(side.snapshots(classifier, optimizer, config, given))
    return result


def set_params(classifier, start, dtype):
    """Gives the model the parameters `start`, a dict of arrays, in this dtype."""
    for name, param in classifier.predictor.namedparams():
        param.data = start[name].astype(dtype)
    classifier.cleargrads()                      # Chainer 1 creates gradients in float32 at once


def first_batch(classifier, config, given, dtype='float32'):
    """Logits, loss and gradients of the first batch."""
    x, targets, classes = batch(config, given, 0, dtype)
    result = {'logits': classifier.predictor(x, *classes).data}
    loss = classifier(x, targets, *classes)
    loss.backward()
    result['loss'] = loss.data
    for name, param in classifier.predictor.namedparams():
        unused = param.grad is None              # the loss does not depend on this parameter
        result['grads' + name] = np.zeros_like(param.data) if unused else param.grad.copy()
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


def make_optimizer(classifier, config):
    """Adam with the hooks that train.py of the author's commit adds to it."""
    optimizer = chainer.optimizers.Adam(config['learning_rate'])
    optimizer.setup(classifier)
    hooks = getattr(chainer, 'optimizer_hooks', chainer.optimizer)    # Chainer 7, Chainer 1
    if config['clip']:
        optimizer.add_hook(hooks.GradientClipping(config['clip']))
    if config['weight_decay']:
        optimizer.add_hook(hooks.WeightDecay(config['weight_decay']))
    return optimizer


def step(classifier, optimizer, config, given, n, dtype='float32'):
    """Takes one optimizer step on the n-th batch. Returns: the loss before the step."""
    losses = []

    def loss_function(*arrays):
        losses.append(classifier(*arrays))
        return losses[0]

    x, targets, classes = batch(config, given, n, dtype)
    optimizer.update(loss_function, x, targets, *classes)
    return float(losses[0].data)


def training(side, config, given):
    """The seconds that each of STEPS_TIMED training steps takes, after one that is not timed."""
    classifier = side.classifier(config)
    optimizer = make_optimizer(classifier, config)
    seconds = []
    for n in range(1 + STEPS_TIMED):
        start = time.perf_counter()
        step(classifier, optimizer, config, given, n)
        seconds.append(time.perf_counter() - start)
    return {'seconds': np.array(seconds[1:]), 'peak_kb': peak_kb()}


def generation(side, config, given):
    """Images from the model in config['our_model'], their time, and the parameters in that file."""
    predictor = side.load(config['our_model'], config)
    generated = side.generate(predictor, config, given['sample_class_ids'])
    result = {name: np.array(value) for name, value in generated._asdict().items()}
    result.update(('params' + name, param.data) for name, param in predictor.namedparams())
    result['peak_kb'] = peak_kb()
    return result


def peak_kb():
    """The peak memory of this process in kB.

    getrusage's ru_maxrss would be wrong: it starts with the memory of the parent process.
    """
    with open('/proc/self/status') as status:
        return np.array([int(line.split()[1]) for line in status if line.startswith('VmHWM')][0])


TASKS = {task.__name__: task for task in (numbers, training, generation)}


def run(side, name, source, target):
    """Runs a task with the config and arrays of `source`, and writes its results: .npz files."""
    with np.load(source, allow_pickle=False) as npz:
        given = {key: npz[key] for key in npz.files}
    config = json.loads(str(given.pop('config')))
    result = TASKS[name](side, config, given)
    with open(target, 'wb') as file:
        np.savez(file, **result)
