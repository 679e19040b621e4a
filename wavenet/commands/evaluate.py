"""Measures the likelihood of a test set, as the papers do: nats per image and bits/dim.

    python -m wavenet.evaluate --model out/model.npz --dataset mnist

For a model of two levels there are three such numbers, because papers make images black and white
in different ways:

threshold: white if the intensity is at least 0.5, as in the post.
static: sampled once, with the intensity as the probability of white. It is the sample on which
    `train.py --binarize` with the same seed tests. Papers use a sample that H. Larochelle has
    published, which is another one.
dynamic: sampled several times.

For a model of more levels there is one number; the intensities are quantized to its levels. For a
model of labels (`train.py --labels`) there is one number, too. For a model of sound it is in nats
and bits per sample.
"""
import csv
import io
import math
import sys

import numpy as np
import tqdm
from chainer.backends import cuda

from wavenet import cli, devices, pictures, serialization
from wavenet.commands import classes, evaluate_sounds, likelihood_map, recording_options
from wavenet.data.load import Origin, load_images
from wavenet.families import registry
from wavenet.likelihood import check_fit, check_pixels, image_nats, likelihood
from wavenet.storage import files, pretrained

BATCHSIZE = {'images': 100, 'sound': 16}
DRAWS = 5
# Options that only models of one kind of data have
ONLY_OF = {'images': ('data', 'binarization', 'draws', 'seed', 'map'),
           'sound': ('classes', 'strict')}
BINARIZATIONS = ('threshold', 'static', 'dynamic')


def make_parser(prog=None):
    """Makes the parser of the command, whose name is `prog`."""
    parser = cli.ArgumentParser(prog=prog, description='Measures the likelihood of a test set.')
    add, count = parser.add_argument, cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N, wavenet_N or snapshot_iter_N, or the name "
             f'of a pretrained model: {", ".join(pretrained.names())}')
    add('--dataset', required=True, metavar='NAME',
        help='digits, mnist, fashion-mnist, cifar10 (or cifar), or a path: a folder of images, an '
             '.npz file; of sound: speech, or a path: a folder of recordings, an .npz file')
    add('--data', metavar='DIR', help='folder that holds the files of mnist or cifar10')
    add('--binarization', nargs='+', choices=BINARIZATIONS, metavar='WAY',
        help='for a model of two levels: one or more of threshold, static and dynamic '
             '(default: all)')
    add('--draws', type=count, metavar='N',
        help=f'dynamic: how many times each image is sampled (default: {DRAWS})')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), metavar='N',
        help='seed of these samples; train.py tests on the static one of its own seed '
             '(default: 0)')
    add('--test_limit', type=count, metavar='N',
        help='the first N test images, or recordings, only (default: all)')
    add('--batchsize', '-b', type=count, metavar='N',
        help=f'images that are computed at once (default: {BATCHSIZE["images"]}), or windows of '
             f'sound (default: {BATCHSIZE["sound"]})')
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument('--marginal', action='store_true',
        help='for a model with classes: the probability of an image or a recording is the mean '
             'over all classes, and they need none')
    kinds.add_argument('--classify', action='store_true',
        help="for a model with classes: also name the class of each image or recording by Bayes' "
             'rule, and print how many are right')
    recording_options.add(add)
    add('--per_image', '--per_recording', metavar='FILE',
        help='also write the nats of each image or recording into a .csv file')
    add('--map', metavar='FILE',
        help='also write a .png file that shows the nats of each pixel of the first images')
    devices.add_device_options(parser)
    devices.add_tf32_option(parser)
    return parser


def main(prog=None):
    """The command, whose name is `prog`. Returns: its exit status."""
    return cli.run(run, make_parser(prog))


def run(parser):
    """Measures as the options say, and prints a table."""
    args = parser.parse_args()
    np.seterr(over='ignore', invalid='ignore')  # image_nats has a better message
    with parser.reporting():
        check_outputs(args)
        device = devices.use_device(args)
        with cli.naming('--model', args.model):
            model = serialization.load_model(args.model)
        kind = registry.get(model.family).data
        check_kind(args, model, kind)
        model.to_device(device)
        (evaluate_sounds.measure if kind == 'sound' else measure)(args, model, device)


def check_kind(args, model, kind):
    """Fills in the defaults of the model's kind of data.

    Raises: ValueError for options that this kind or the model does not have.
    """
    for of_kind, names in ONLY_OF.items():
        for name in names:
            if of_kind != kind and getattr(args, name) is not None:
                raise ValueError(f'--{name} is for models of {of_kind}; {args.model} is one of '
                                 f'{kind}')
    if args.classify and model.num_classes < 2:
        raise ValueError(f'--classify is for models with classes, {args.model} has none')
    args.batchsize = args.batchsize or BATCHSIZE[kind]
    args.draws = args.draws or DRAWS
    args.seed = args.seed or 0


def measure(args, model, device):
    """Measures images as the options say, and prints a table."""
    given = classes.marginal(args, model)
    if args.map:
        with cli.naming('--map', args.map):
            check_pixels(model)
    with cli.naming('--dataset', args.dataset):
        tests = load_tests(args, model, device)
    with cli.naming('--model', args.model):
        for test in tests.values():
            check_size(args, model, test)
            check_fit(model, test)
    print(describe(args, model, test))
    print(f'{"":34}{"nats/image":>12}{"error":>8}{"bits/dim":>11}{"error":>8}')
    nats = {}
    for way, test in tests.items():
        draws = args.draws if way == 'dynamic' else None
        with tqdm.tqdm(total=len(test) * (draws or 1), unit='image', desc=way, leave=False,
                       dynamic_ncols=True, disable=not cli.shows_progress(sys.stderr)) as bar:
            result = likelihood(model, test, args.batchsize, draws, bar.update,
                                of_each=lambda of_each, way=way: nats.update({way: of_each}),
                                classes=given)
        print(table_row(args, way, test.levels, result), flush=True)
        if args.classify:
            print(accuracy(args, model, test))
    if args.per_image:
        write_table(args.per_image, test, nats)
        print(args.per_image)
    if args.map:
        likelihood_map.write(args.map, model, next(iter(tests.values())), given)
        print(args.map)


def accuracy(args, model, test):
    """The line of --classify. Of binarized images, one sample is classified."""
    trained = classes.trained(model)
    with tqdm.tqdm(total=len(test) * len(trained), unit='image', desc='classes', leave=False,
                   dynamic_ncols=True, disable=not cli.shows_progress(sys.stderr)) as bar:
        nats = np.array([image_nats(model, test, args.batchsize, 0, bar.update, [k])
                         for k in trained])
    return classes.describe_accuracy(nats, trained, cuda.to_cpu(test.class_ids))


def check_outputs(args):
    """Raises: ValueError if an output file has a wrong ending or cannot be written."""
    for option, path in (('--per_image', args.per_image), ('--map', args.map)):
        if path is not None:
            with cli.naming(option, path):
                if option == '--map':
                    pictures.file_format(path, {'.png': 'png'})
                files.check_target(path)


def write_table(path, test, nats):
    """Writes the nats of each image as a .csv file: its number from 0 on, its class, and the nats
    of each binarization, or of the quantized images."""
    class_ids = cuda.to_cpu(test.class_ids).tolist()
    names = test.class_names or [''] * test.num_classes
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(['image', 'class', *nats])
    for number, (class_id, *of_image) in enumerate(zip(class_ids, *nats.values())):
        table.writerow([number, names[class_id], *map(float, of_image)])
    with files.atomic_write(path) as file:
        file.write(text.getvalue().encode())


def load_tests(args, model, device):
    """Loads the test images on a device: {binarization, 'quantized' or 'labels': data set}.

    Raises: ValueError if --binarization is given for a model of more than two levels; what the
        data set's loader raises.
    """
    levels, labels = model.distribution.levels, model.config.one_hot
    if args.binarization and (levels != 2 or labels):
        has = 'labels' if labels else levels
        raise ValueError(f'--binarization is for models of 2 levels, this one has {has}')
    about = model.about
    size = about.get('size') if type(about.get('size')) is int else None  # a stranger may write it
    origin = Origin(about.get('data'), about.get('split'))
    tests = {}
    ways = ['labels'] if labels else BINARIZATIONS if levels == 2 else ['quantized']
    for way in args.binarization or ways:
        binarize = way in ('static', 'dynamic')
        tests[way] = load_images(args.dataset, model.in_channels, levels, args.data, binarize,
                                 args.seed, args.test_limit, labels=labels,
                                 size=size, origin=origin)
        if args.marginal:
            tests[way].forget_classes()
        else:
            classes.number(args, model, tests[way])
        tests[way].to_device(device)
    return tests


def check_size(args, model, test):
    """Limits the batch to the number of images.

    Raises: ValueError for images of another size than those of the model's training; MemoryError if
        a batch needs more memory than the machine has.
    """
    size = model.about.get('height'), model.about.get('width')
    _, height, width = test.shape
    if None not in size and size != (height, width):
        raise ValueError(f'{args.model}: it is for images of {size[1]}×{size[0]}, those of '
                         f'{args.dataset} are {width}×{height}')
    args.batchsize = min(args.batchsize, len(test))
    # A few of the widest layers at once, and the outputs with their probabilities
    family = registry.get(model.family)
    widest = max(shape[0] for shape in family.shapes(model.config).values())
    if family.is_sized:                                   # its layers are of all pixels
        widest = -(-widest // (height * width))
    values_of_a_pixel = 4 * widest + 3 * model.distribution.levels * model.in_channels
    devices.check_memory(4 * args.batchsize * height * width * values_of_a_pixel,
                         f'a batch of {args.batchsize} images')


def describe(args, model, test):
    """One line that says which model is measured, and on which images."""
    channels, height, width = test.shape
    return (f'{classes.describe_model(args, model)}; test images of {args.dataset}: '
            f'{len(test)}, {width}×{height}, {"RGB" if channels == 3 else "grayscale"}, '
            f'{test.levels} levels')


def table_row(args, way, levels, result):
    """A line of the table for a `Likelihood`."""
    what = {'threshold': 'threshold: white from 0.5 on',
            'static': f'static: one sample, of seed {args.seed}',
            'dynamic': f'dynamic: {args.draws} samples of each image',
            'labels': f'labels 0 to {levels - 1}',
            'quantized': f'quantized to {levels} levels'}[way]
    return (f'{what:34}{result.nats:12.2f}{_error(result.nats_error, 2):>8}'
            f'{result.bits_per_dim:11.4f}{_error(result.bits_per_dim_error, 4):>8}')


def _error(error, digits):
    return '-' if math.isnan(error) else f'{error:.{digits}f}'
