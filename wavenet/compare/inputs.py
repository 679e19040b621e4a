"""What both sides of a comparison are given."""
import os

import numpy as np

from wavenet.data.images import batches
from wavenet.data.pixels import INTENSITY
from wavenet.compare import kinds

BATCHES = 64  # at most: the optimizer's steps go through them again and again
CLASSES = 10  # of the author's models

SHOWN = ('in_channels', 'height', 'width', 'levels', 'hidden_dims', 'block_num', 'out_hidden_dims',
         'batchsize', 'iteration', 'learning_rate', 'clip', 'weight_decay', 'count', 'seed')


def make_config(args, kind, shape, scratch):
    """What both sides must know, as tasks.py reads it: a dict that JSON can hold.

    Args:
        args: the options of the command.
        kind: a `kinds.Kind`.
        shape: of the pictures, (C, H, W).
        scratch: the folder for files.
    """
    config = {name: getattr(args, name) for name in (
        'levels', 'batchsize', 'iteration', 'count', 'seconds', 'seed')}
    config.update(zip(('in_channels', 'height', 'width'), shape))
    config.update(
        kind=kind.key, labelled=kind.labelled, clip=kind.clip, weight_decay=kind.weight_decay,
        learning_rate=0.001, hidden_dims=kind.maps * args.hidden_dim, block_num=args.blocks_num,
        out_hidden_dims=args.out_hidden_dim, out_dims=args.levels)
    config.update(snapshots=scratch, our_model=os.path.join(scratch, 'model.npz'))
    return config


def make_arrays(args, config, train):
    """Batches, parameters to start from, and what the helpers are tried with: a dict of arrays.

    Raises: ValueError for a data set that is not for this model.
    """
    if len(train) < args.batchsize:
        raise ValueError('--batchsize {}: there are {} images to train on'.format(
            args.batchsize, len(train)))
    numbers_of = batches(train, args.batchsize, shuffle_seed=args.seed)
    numbers = np.concatenate([next(numbers_of) for _ in range(min(args.iteration, BATCHES))])
    _, labels, classes = train.batch(numbers)
    if config['labelled'] and classes.max() >= CLASSES:
        raise ValueError("--dataset {}: the author's model knows {} classes".format(
            args.dataset, CLASSES))
    random = np.random.RandomState(args.seed)
    distribution = random.exponential(size=(256, args.levels)).astype('f')
    arrays = {
        'labels': labels.astype('u1'),
        'classes': classes,
        'picture_classes': np.arange(args.count ** 2, dtype='i') % CLASSES,
        'images': random.uniform(size=(4, 3, 8, 8)).astype('f'),
        'levels': np.array(sorted({2, 3, 4, 8, 16, 256, args.levels})),
        'intensities': np.concatenate([INTENSITY, random.uniform(size=1000).astype('f')]),
        'gray': random.uniform(size=(2, 1, 4, 5)).astype('f'),
        'distribution': distribution / distribution.sum(axis=1, keepdims=True),
    }
    arrays.update(('params' + name, array) for name, array in start(config, args.seed))
    return arrays


def start(config, seed):
    """Parameters of our model, as Chainer draws them, and biases: one ignored would show."""
    np.random.seed(seed)
    for name, param in sorted(kinds.make_classifier(config).predictor.namedparams()):
        if name.endswith('/b'):
            param.array[...] = np.random.normal(0, 0.1, param.shape)
        yield name, param.array
