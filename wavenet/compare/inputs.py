"""What both sides of a comparison are given."""
import os

import numpy as np

from wavenet.compare import kinds
from wavenet.data.batches import batches
from wavenet.data.pixels import INTENSITY

BATCHES = 64  # the most there are; more optimizer steps use them again
CLASSES = 10  # of the author's conditional model

SHOWN = ('in_channels', 'height', 'width', 'levels', 'hidden_dims', 'block_num', 'out_hidden_dims',
         'batchsize', 'iteration', 'learning_rate', 'clip', 'weight_decay', 'count', 'seed')


def make_config(args, kind, shape, scratch):
    """The settings of both sides.

    Args:
        args: the options of the command.
        kind: a `kinds.Kind`.
        shape: of an image, (C, H, W).
        scratch: a folder for files.

    Returns: a dict that JSON can hold, as tasks.py reads it.
    """
    channels, height, width = shape
    return {
        **{name: getattr(args, name) for name in (
            'levels', 'batchsize', 'iteration', 'count', 'seconds', 'seed')},
        'in_channels': channels, 'height': height, 'width': width,
        'kind': kind.key, 'conditional': kind.conditional,
        'clip': kind.clip, 'weight_decay': kind.weight_decay, 'learning_rate': 0.001,
        'hidden_dims': kind.hidden_dims_factor * args.hidden_dim, 'block_num': args.blocks_num,
        'out_hidden_dims': args.out_hidden_dim, 'out_dims': args.levels,
        'snapshot_folder': scratch, 'our_model': os.path.join(scratch, 'model.npz')}


def make_arrays(args, config, train):
    """The batches, the parameters at the start, and the arguments of the helper functions.

    Args:
        args: the options of the command.
        config: from `make_config`.
        train: the `ImageDataset` to train on.

    Returns: a dict of arrays, as tasks.py reads it.

    Raises: ValueError if the data set does not fit the model or the batch size.
    """
    if len(train) < args.batchsize:
        raise ValueError(f'--batchsize {args.batchsize}: there are {len(train)} images to train on')
    targets, class_ids = _batches(args, train)
    if config['conditional'] and class_ids.max() >= CLASSES:
        raise ValueError(
            f"--dataset {args.dataset}: the author's model knows {CLASSES} classes only")
    random = np.random.RandomState(args.seed)
    distribution = random.exponential(size=(256, args.levels)).astype('f')
    return {
        'targets': targets.astype('u1'),                          # (N, C, H, W)
        'class_ids': class_ids,                                   # (N,)
        'sample_class_ids': np.arange(args.count ** 2, dtype='i') % CLASSES,
        'images': random.uniform(size=(4, 3, 8, 8)).astype('f'),
        'levels': np.array(sorted({2, 3, 4, 8, 16, 256, args.levels})),
        'intensities': np.concatenate([INTENSITY, random.uniform(size=1000).astype('f')]),
        'gray': random.uniform(size=(2, 1, 4, 5)).astype('f'),
        'distribution': distribution / distribution.sum(axis=1, keepdims=True),
        **{'params' + name: array for name, array in start(config, args.seed)}}


def _batches(args, train):
    """Targets (N, C, H, W) and class_ids (N,) of the batches, one after the other."""
    iterator = batches(train, args.batchsize, shuffle_seed=args.seed)
    numbers = np.concatenate([next(iterator) for _ in range(min(args.iteration, BATCHES))])
    _, targets, class_ids = train.batch(numbers)
    return targets, class_ids


def start(config, seed):
    """Names and arrays of the parameters at the start.

    Chainer initializes the weights. The biases are random, to expose a side that ignores them.
    """
    np.random.seed(seed)
    for name, param in sorted(kinds.make_classifier(config).predictor.namedparams()):
        if name.endswith('/b'):
            param.array[...] = np.random.normal(0, 0.1, param.shape)
        yield name, param.array
