"""Measures the likelihood of a test set, as the papers do: nats per image and bits/dim.

    python -m wavenet.evaluate --model out/model.npz --dataset mnist

A model of two levels has three such numbers. Images become black and white in one of three ways, and
papers differ in which:

threshold: white where the intensity is at least 0.5, the post's two levels.
static: white with the intensity as its probability, drawn once; the draw that `train.py --binarize`
    with the same seed tests on. Papers use a draw that H. Larochelle has published; this is another.
dynamic: the same, drawn several times.

A model of more levels has one number, with the intensities quantized to its levels.
"""
import math
import sys

import numpy as np
import tqdm

from wavenet import cli, serialization
from wavenet.data.load import load_dataset
from wavenet.families import registry
from wavenet.likelihood import check_fit, likelihood

BINARIZATIONS = ('threshold', 'static', 'dynamic')
ROW = '{:34}{:>12}{:>8}{:>11}{:>8}'


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


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    args = parser.parse_args()
    np.seterr(over='ignore', invalid='ignore')  # image_nats says it better
    with parser.reporting():
        device = cli.use_device(args)
        model = serialization.load_model(args.model)
        levels = model.distribution.levels
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
    # A few of the widest layers at a time, and the outputs with what they are turned into
    shapes = registry.get(model.family).shapes(model.config)
    maps = (4 * max(shape[0] for shape in shapes.values())
            + 3 * model.distribution.levels * model.in_channels)
    cli.check_memory(4 * args.batchsize * test.shape[1] * test.shape[2] * maps,
                     'a batch of {} images'.format(args.batchsize))


def describe(args, model, test):
    """What is measured, in a line"""
    training = ''
    if type(model.about.get('iteration')) is int:  # a stranger's file may hold anything there
        training = ', trained for {} iterations{}'.format(
            model.about['iteration'], ' with --binarize' if model.about.get('binarize') else '')
    return '{}{}{}; test images of {}: {}, {}×{}, {}, {} levels'.format(
        registry.get(model.family).title, ', conditioned on the class' if model.num_classes else '', training, args.dataset,
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
