"""What each side computes for a comparison: the same lines, with the author's code or with ours.

They run in the author's interpreter, too, so they keep to Python 3.5, to NumPy, and to what Chainer
1 and Chainer 7 have in common. A side is an object with

    utils                               binarize, quantisize, convert_to_rgb, sample_from
    classifier(config)                  a new Classifier around a new PixelCNN, `.predictor`
    snapshots(classifier, optimizer, config, given)  writes and reads files, and returns results
    load(path, config)                  the PixelCNN of a file
    draw(predictor, config, classes)    pictures (B, C, H, W), the part of their values that was
                                        drawn, and seconds: what all take, by each measurement

`config` is a dict of numbers and strings, the same for both sides. A task returns a dict of arrays.
"""
import json
import time

import chainer
import numpy as np

STEPS_TIMED = 7


def numbers(side, config, given):
    """All that must be equal, or nearly: helpers, the model at `given` parameters, its training."""
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
        return result                            # without a common start there is no more to do

    set_params(classifier, start, 'float32')
    result.update(first_batch(classifier, config, given))
    # In float32, small differences in rounding soon grow large: in dozens of steps, by a factor of
    # thousands. In float64 they are too small at the start for that.
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
    for name, param in classifier.predictor.namedparams():
        param.data = start[name].astype(dtype)
    classifier.cleargrads()                      # Chainer 1 has some in float32 from the beginning


def first_batch(classifier, config, given, dtype='float32'):
    """Logits, loss, what is reported, and gradients."""
    x, t, classes = batch(config, given, 0, dtype)
    result = {'logits': classifier.predictor(x, *classes).data}
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', classifier)
    with reporter.scope(observation):
        loss = classifier(x, t, *classes)
    loss.backward()
    result['loss'] = loss.data
    for name, value in observation.items():
        value = value.data if isinstance(value, chainer.Variable) else value
        result['reported' + name[len('main'):]] = np.array(float(value))
    for name, param in classifier.predictor.namedparams():
        nothing = param.grad is None             # where the loss does not depend on it
        result['grads' + name] = np.zeros_like(param.data) if nothing else param.grad.copy()
    return result


def reached(classifier, config, given):
    """Which logits move when R, G or B of the last pixel of the first row changes: 0 or 1
    (C, C, H, W), by a float64 model, in which no change is too small to be seen."""
    x, _, classes = batch(config, given, 0, 'float64')
    logits, moved = classifier.predictor(x, *classes).data, []
    for color in range(x.shape[1]):
        changed = x.copy()
        changed[:, color, 0, -1] += 1
        moved.append((classifier.predictor(changed, *classes).data != logits).any(axis=(0, 1)))
    return np.array(moved, 'i')


def helpers(utils, config, given):
    """The functions of utils.py, each from the same seed."""
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
    """x, labels and a list that holds the classes, if the model takes them, of batch n: floating
    (B, C, H, W), int32 (B, C, H, W) and int32 (B,). The batches come again and again."""
    size = config['batchsize']
    at = n * size % len(given['labels'])
    t = given['labels'][at:at + size].astype('i')
    classes = [given['classes'][at:at + size]] if config['labelled'] else []
    return (t.astype('f') / (config['levels'] - 1)).astype(dtype), t, classes


def make_optimizer(classifier, config):
    """Adam with what the train.py of the author's commit adds to it."""
    optimizer = chainer.optimizers.Adam(config['learning_rate'])
    optimizer.setup(classifier)
    hooks = getattr(chainer, 'optimizer_hooks', chainer.optimizer)    # Chainer 7, Chainer 1
    if config['clip']:
        optimizer.add_hook(hooks.GradientClipping(config['clip']))
    if config['weight_decay']:
        optimizer.add_hook(hooks.WeightDecay(config['weight_decay']))
    return optimizer


def step(classifier, optimizer, config, given, n, dtype='float32'):
    """A step of the optimizer on batch n. Returns the loss before it."""
    losses = []

    def loss_function(*arrays):
        losses.append(classifier(*arrays))
        return losses[0]

    x, t, classes = batch(config, given, n, dtype)
    optimizer.update(loss_function, x, t, *classes)
    return float(losses[0].data)


def training(side, config, given):
    """Seconds of each of STEPS_TIMED training steps, after one that is not counted."""
    classifier = side.classifier(config)
    optimizer = make_optimizer(classifier, config)
    seconds = []
    for n in range(1 + STEPS_TIMED):
        start = time.perf_counter()
        step(classifier, optimizer, config, given, n)
        seconds.append(time.perf_counter() - start)
    return {'seconds': np.array(seconds[1:]), 'peak_kb': peak_kb()}


def drawing(side, config, given):
    """Pictures of the model in the file config['our_model'], their time, and what was read."""
    predictor = side.load(config['our_model'], config)
    samples, part, seconds = side.draw(predictor, config, given['picture_classes'])
    result = {'samples': samples, 'part': np.array(part), 'seconds': np.array(seconds),
              'peak_kb': peak_kb()}
    result.update(('params' + name, param.data) for name, param in predictor.namedparams())
    return result


def peak_kb():
    """The most memory that this process has held, in kB.

    Not getrusage's ru_maxrss, in which the parent's memory counts from before the program started.
    """
    with open('/proc/self/status') as status:
        return np.array([int(line.split()[1]) for line in status if line.startswith('VmHWM')][0])


TASKS = {task.__name__: task for task in (numbers, training, drawing)}


def run(side, name, source, target):
    """Reads a task's config and arrays from the .npz `source`, writes its results to `target`."""
    with np.load(source, allow_pickle=False) as npz:
        given = {key: npz[key] for key in npz.files}
    config = json.loads(str(given.pop('config')))
    result = TASKS[name](side, config, given)
    with open(target, 'wb') as file:
        np.savez(file, **result)
