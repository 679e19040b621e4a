"""Likelihood of a test set, as the papers measure it: nats per image and bits/dim.

    python -m wavenet.evaluate --model out/model.npz --dataset mnist

Of a model of two levels there are three such numbers, since the images are made black and white in
one of three ways, and papers differ in which:

threshold: white where the intensity is at least 0.5, the post's two levels.
static: white with the intensity as its probability, drawn once; the draw that `train.py --binarize`
    with the same seed tests on. Papers use one that H. Larochelle has published; this is another.
dynamic: the same, drawn several times.

Of more levels there is one, with the intensities quantized to them.

The error is the standard error of the mean over the images, which are the independent ones: several
draws of an image count as one, their mean.
"""
import collections
import math
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import chainer
import numpy as np
import tqdm
from chainer import backend
from chainer.backends import cuda

from wavenet import cli, serialization
from wavenet.data.load import load_dataset

BINARIZATIONS = ('threshold', 'static', 'dynamic')
ROW = '{:34}{:>12}{:>8}{:>11}{:>8}'

Likelihood = collections.namedtuple('Likelihood', [
    'images', 'nats', 'nats_error', 'bits_per_dim', 'bits_per_dim_error'])
Likelihood.__doc__ = """Minus the log-likelihood of a test set.

`images`: their number. `nats`: per image, the mean over the images. `bits_per_dim`: nats /
(C · H · W · ln 2). `nats_error` and `bits_per_dim_error`: standard errors of these means; NaN for a
single image.
"""


def likelihood(model, dataset, batchsize=100, draws=None, progress=None):
    """Minus the log-likelihood of a data set, a `Likelihood`.

    Args:
        model: a `PixelCNN` or a `GatedPixelCNN`, which is told the images' classes.
        dataset: a `wavenet.datasets.ImageDataset`, on the model's device, of the model's levels.
        batchsize: images at once.
        draws: of a data set that binarizes, how many times each image is drawn, differently; by
            default once, as in training's tests.
        progress: called with the number of images that are done since the last call.

    Raises: ValueError for a data set that does not fit the model, and where the likelihood is not
        finite.
    """
    numbers = range(1, 1 + draws) if draws else [0]
    nats = np.mean([image_nats(model, dataset, batchsize, number, progress) for number in numbers],
                   axis=0)
    error = nats.std(ddof=1) / math.sqrt(len(nats)) if len(nats) > 1 else math.nan
    bits = 1 / (math.prod(dataset.shape) * math.log(2))
    return Likelihood(len(nats), float(nats.mean()), float(error), float(nats.mean() * bits),
                      float(error * bits))


def image_nats(model, dataset, batchsize=100, number=0, progress=None):
    """The same of each image: nats, float64 (N,), on the host. `number` is that of the draw.

    Raises: as `likelihood`.
    """
    check_fit(model, dataset)
    nats = []
    with chainer.using_device(model.device), chainer.no_backprop_mode(), \
            chainer.using_config('train', False):
        for start in range(0, len(dataset), batchsize):
            images = np.arange(start, min(start + batchsize, len(dataset)))
            x, labels, classes = dataset.batch(number * len(dataset) + images)
            nats.append(cuda.to_cpu(_nats(model(x, classes).array, labels)))
            if progress:
                progress(len(images))
    nats = np.concatenate(nats)
    if not np.isfinite(nats).all():
        raise ValueError('the likelihood is not finite: the weights of this model are too large')
    return nats


def _nats(logits, labels):
    """Logits (B, out_dims, C, H, W) and labels (B, C, H, W) → -log p of each image, float64 (B,)"""
    xp = backend.get_array_module(logits)
    if logits.shape[1] == 1:                             # a single logit is that of level 1 of two
        logits = xp.concatenate([xp.zeros_like(logits), logits], axis=1)
    chosen = xp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    largest = logits.max(axis=1)                                                     # (B, C, H, W)
    # Summed in float64, so that a mean over many values and images is right to the last digit
    total = xp.exp(logits - largest[:, None]).sum(axis=1, dtype='d')
    return (xp.log(total) + largest - chosen).sum(axis=(1, 2, 3))


def check_fit(model, dataset):
    """Raises: ValueError for a data set of other channels, levels or classes than the model."""
    levels = max(model.out_dims, 2)
    if dataset.levels != levels or dataset.shape[0] != model.in_channels:
        raise ValueError('the model is for {} levels and {} channels, the images have {} and '
                         '{}'.format(levels, model.in_channels, dataset.levels, dataset.shape[0]))
    if model.classes is not None and int(dataset.class_ids.max()) >= model.classes:
        raise ValueError('the model has classes 0 to {}, the images 0 to {}'.format(
            model.classes - 1, int(dataset.class_ids.max())))


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.evaluate',
                                description='Measures the likelihood of a test set.')
    add = parser.add_argument
    count = cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N or snapshot_iter_N")
    add('--dataset', required=True, metavar='NAME',
        help='digits, mnist, cifar10 (or cifar), or a path: a folder of images, an .npz')
    add('--data', metavar='DIR', help='folder that holds the files of mnist or cifar10')
    add('--binarization', nargs='+', choices=BINARIZATIONS, metavar='WAY',
        help='of models of two levels: one or more of threshold, static and dynamic (default: all)')
    add('--draws', type=count, default=5, metavar='N',
        help='dynamic: times that each image is drawn (default: %(default)s)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), default=0, metavar='N',
        help='of the draws; train.py tests on the static one of its own seed '
             '(default: %(default)s)')
    add('--test_limit', type=count, metavar='N', help='the first N test images only (default: all)')
    add('--batchsize', '-b', type=count, default=100, metavar='N',
        help='images at once (default: %(default)s)')
    cli.add_device_options(parser)
    cli.add_tf32_option(parser)
    return parser


def main(parser):
    args = parser.parse_args()
    np.seterr(over='ignore', invalid='ignore')  # image_nats says it better
    with parser.reporting():
        device = cli.use_device(args)
        model = serialization.load_model(args.model)
        levels = max(model.out_dims, 2)
        if args.binarization and levels != 2:
            raise ValueError('--binarization is for models of 2 levels, this one has {}'.format(
                levels))
        model.to_device(device)
        tests = {}
        for way in args.binarization or (BINARIZATIONS if levels == 2 else ['quantized']):
            drawn = way in ('static', 'dynamic')
            _, tests[way] = load_dataset(args.dataset, model.in_channels, levels, args.data,
                                          drawn, args.seed, args.test_limit)
            tests[way].to_device(device)
        check_size(args, model, tests[way])
        check_fit(model, tests[way])
    print(describe(args, model, tests[way]))
    print(ROW.format('', 'nats/image', 'error', 'bits/dim', 'error'))
    for way, test in tests.items():
        draws = args.draws if way == 'dynamic' else None
        with tqdm.tqdm(total=len(test) * (draws or 1), unit='image', desc=way, leave=False,
                       disable=not sys.stderr.isatty()) as bar:
            result = likelihood(model, test, args.batchsize, draws, bar.update)
        print(table_row(args, way, levels, result), flush=True)


def check_size(args, model, test):
    """Raises: ValueError for images of another size than the model's; MemoryError where a batch is
    too large for the machine."""
    size = model.about.get('height'), model.about.get('width')
    if None not in size and size != test.shape[1:]:
        raise ValueError('{}: its pictures are {}×{}, the images of {} {}×{}'.format(
            args.model, *size[::-1], args.dataset, *test.shape[:0:-1]))
    args.batchsize = min(args.batchsize, len(test))
    maps = 4 * model.architecture['hidden_dims'] + 3 * max(model.out_dims, 2) * model.in_channels
    cli.check_memory(4 * args.batchsize * test.shape[1] * test.shape[2] * maps,
                     'a batch of {} images'.format(args.batchsize))


def describe(args, model, test):
    """What is measured, in a line"""
    training = ''
    if type(model.about.get('iteration')) is int:  # a stranger's file may hold anything there
        training = ', trained for {} iterations{}'.format(
            model.about['iteration'], ' with --binarize' if model.about.get('binarize') else '')
    return '{}{}{}; test images of {}: {}, {}×{}, {}, {} levels'.format(
        type(model).__name__, ', told the classes' if model.classes else '', training, args.dataset,
        len(test), test.shape[2], test.shape[1], 'RGB' if test.shape[0] == 3 else 'grayscale',
        test.levels)


def table_row(args, way, levels, result):
    what = {'threshold': 'threshold: white from 0.5 on',
            'static': 'static: one draw, of seed {}'.format(args.seed),
            'dynamic': 'dynamic: {} draws of each image'.format(args.draws),
            'quantized': 'quantized to {} levels'.format(levels)}[way]
    errors = ['-' if math.isnan(error) else '{:.{}f}'.format(error, digits) for error, digits in (
        (result.nats_error, 2), (result.bits_per_dim_error, 4))]
    return ROW.format(what, '{:.2f}'.format(result.nats), errors[0],
                      '{:.4f}'.format(result.bits_per_dim), errors[1])


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
