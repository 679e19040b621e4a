"""What each side computes with a model, of images or of sound. See tasks.py."""
import collections
import time

import chainer
import numpy as np

STEPS_TIMED = 7

Generated = collections.namedtuple('Generated', [
    'samples',  # float32 (B, C, H, W), or int32 (B, T) of sound
    'part',     # the part of their values that was generated in time, up to 1
    'seconds',  # each measurement of the time that all values take
])


def numbers(make_classifier, batch, reached, config, given):
    """A model at the parameters in `given`, and its training.

    Args:
        make_classifier: makes a new Classifier around a new model, its `predictor`.
        batch: called with n and a dtype; the n-th batch, (x, targets, classes), `classes` a list.
        reached: called with a Classifier in float64; which logits a changed input changes.
        config, given: see tasks.py.

    Returns: a dict of arrays, the trained Classifier in float32 and its optimizer. With other
        parameters than those in `given` there is nothing but their shapes, and the optimizer is
        None.
    """
    classifier = make_classifier()
    params = dict(classifier.predictor.namedparams())
    result = {'shapes' + name: np.array(param.data.shape, 'i') for name, param in params.items()}
    start = {name[len('params'):]: given[name] for name in given if name.startswith('params/')}
    if {name: param.data.shape for name, param in params.items()} != \
            {name: array.shape for name, array in start.items()}:
        return result, classifier, None          # the rest needs the same parameters on both sides

    set_params(classifier, start, 'float32')
    result.update(first_batch(classifier, *batch(0, 'float32')))
    # In float32, rounding errors grow by a factor of thousands within dozens of steps. In float64
    # they start so small that they stay small. So both are compared.
    precise = make_classifier()
    set_params(precise, start, 'float64')
    result['reached'] = reached(precise)
    result.update(('float64/' + name, array)
                  for name, array in first_batch(precise, *batch(0, 'float64')).items()
                  if name.startswith('grads'))
    for dtype, model in (('float64', precise), ('float32', classifier)):
        optimizer = make_optimizer(model, config)
        result[dtype + '/losses'] = np.array([
            step(model, optimizer, *batch(n, dtype)) for n in range(config['iteration'])])
        result.update((dtype + '/params' + name, param.data.copy())
                      for name, param in model.predictor.namedparams())
    return result, classifier, optimizer


def set_params(classifier, start, dtype):
    """Gives the model the parameters `start`, a dict of arrays, in this dtype."""
    for name, param in classifier.predictor.namedparams():
        param.data = start[name].astype(dtype)
    classifier.cleargrads()                      # Chainer 1 creates gradients in float32 at once


def first_batch(classifier, x, targets, classes):
    """Logits, loss and gradients of a batch."""
    result = {'logits': classifier.predictor(x, *classes).data}
    loss = classifier(x, targets, *classes)
    loss.backward()
    result['loss'] = loss.data
    for name, param in classifier.predictor.namedparams():
        unused = param.grad is None              # the loss does not depend on this parameter
        result['grads' + name] = np.zeros_like(param.data) if unused else param.grad.copy()
    return result


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


def step(classifier, optimizer, x, targets, classes):
    """Takes one optimizer step on a batch. Returns: the loss before the step."""
    losses = []

    def loss_function(*arrays):
        losses.append(classifier(*arrays))
        return losses[0]

    optimizer.update(loss_function, x, targets, *classes)
    return float(losses[0].data)


def timed(classifier, batch, config):
    """The seconds that each of STEPS_TIMED training steps takes, after one that is not timed, and
    the peak memory. Args: as of `numbers`."""
    optimizer = make_optimizer(classifier, config)
    seconds = []
    for n in range(1 + STEPS_TIMED):
        start = time.perf_counter()
        step(classifier, optimizer, *batch(n, 'float32'))
        seconds.append(time.perf_counter() - start)
    return {'seconds': np.array(seconds[1:]), 'peak_kb': peak_kb()}


def peak_kb():
    """The peak memory of this process in kB.

    getrusage's ru_maxrss would be wrong: it starts with the memory of the parent process.
    """
    with open('/proc/self/status') as status:
        return np.array([int(line.split()[1]) for line in status if line.startswith('VmHWM')][0])
