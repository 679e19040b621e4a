"""Generates images from a model that train.py, or the author's train.py, has saved."""
import math
import sys
from typing import NamedTuple, Optional

import numpy as np
import tqdm
from chainer.backends import cuda

from wavenet import cli, devices, pictures, sampling, serialization
from wavenet.commands import completion, sample_files
from wavenet.commands.completion import Completion
from wavenet.training import teams

DEFAULT_SIZE = 28        # of images, if neither the options nor the model's file say it
MOST_PIXELS = 512 * 512  # of an image whose size is said by the model's file alone


class Plan(NamedTuple):
    """What is to be generated.

    Attributes:
        shape: (B, C, H, W).
        lines: number of lines of images in the output file.
        class_ids: classes of the images, (B,); None for a model without classes.
        completion: the images to complete, or None.
    """

    shape: tuple
    lines: int
    class_ids: Optional[np.ndarray]
    completion: Optional[Completion]


# What other programs, and train.py, call these options
KNOWN_AS = {
    '--out': '--output', '--outfile': '--output', '--class': '--label', '--samples': '--number',
    '--num_samples': '--number', '--n_samples': '--number', '--checkpoint': '--model',
    '--weights': '--model', '--cuda': '--gpu 0', '--size': '--height N --width N',
    '--batch_size': '--batchsize', '--temp': '--temperature'}


def make_parser():
    """Makes the parser of generate.py."""
    parser = cli.ArgumentParser(check=check, known_as=KNOWN_AS, description=__doc__)
    add, count = parser.add_argument, cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N or snapshot_iter_N")
    devices.add_device_options(parser)
    teams.add_option(parser)
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        '--count', '-c', type=count, default=10, metavar='N',
        help='generate N x N images in a square, or, from a model with classes, N of each class '
             '(default: %(default)s)')
    how_many.add_argument('--number', '-n', type=count, metavar='N',
                          help='generate exactly N images, of all classes in turn')
    add('--output', '-o', metavar='FILE',
        help='one image of all samples, .png or .jpg; an .npy of their levels, (N, H, W) or '
             '(N, H, W, C); an .npz of levels, intensities and classes; "-" for a .png on standard '
             'output (default: samples.png)')
    add('--separate', action='store_true',
        help='write each sample as a .png of its own into the folder of --output (default: '
             'samples)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), metavar='N',
        help='seed of the samples: the same seed gives the same images (default: a random one)')
    add('--height', type=count, metavar='N',
        help=f"height of an image (default: the training images', or {DEFAULT_SIZE})")
    add('--width', type=count, metavar='N',
        help=f"width of an image (default: the training images', or {DEFAULT_SIZE})")
    add('--temperature', type=cli.positive_number, default=1.0, metavar='X',
        help='divide the logits by X: below 1, likelier and more uniform images (default: 1)')
    add('--scale', type=count, metavar='N',
        help='show a pixel as N x N; above 1, lines separate the images (default: small images are '
             'enlarged, and lines separate them)')
    add('--batchsize', '-b', type=count, default=500, metavar='N',
        help='images generated at once, which changes nothing but memory and time (default: '
             '%(default)s)')
    add('--method', choices=('cached', 'naive'), default='cached',
        help="naive: the post's loop, which gives the same images in thousands of times the time "
             '(default: %(default)s)')
    add('--label', '-l', metavar='NAME',
        help='class of all images, its name or its number, for a model with classes (default: a '
             'row of each class)')
    completion.add_options(parser)
    add('--gif', metavar='FILE', help='also write the generation as an animation')
    return parser


def check(parser, args):
    """Checks options that depend on each other."""
    completion.check(parser, args)
    if args.output is None:
        args.output = 'samples' if args.separate else 'samples.png'


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    """Generates images as the options say, as one of several processes if they say so."""
    args, team = teams.join(parser)
    np.seterr(over='ignore', invalid='ignore')  # sampling.generate has a better message
    if args.seed is None:
        args.seed = team.bcast(np.random.randint(2 ** 32))
    with team.reporting():
        team.connect(args)
        sample_files.check(args, writes=team.rank == 0)
        device = devices.use_device(args)
        with cli.naming('--model', args.model):
            model = serialization.load_model(args.model, 'images')
        plan = make_plan(args, model)
        if team.rank == 0 and plan.completion:
            for line in completion.describe(plan.completion, model):
                cli.say(line)
        model.to_device(device)
        samples = generate(args, team, model, plan)
    samples = np.concatenate(team.gather(samples))
    if team.rank == 0:
        with parser.reporting():
            sample_files.write(args, samples, cells(plan, samples), plan, model)


def make_plan(args, model):
    """What the options ask for, a `Plan`.

    Raises: ValueError for options that do not fit the model or the images to complete; MemoryError
        if the machine has too little memory.
    """
    sample_files.check_levels(args, model)
    label = class_of_label(args, model)
    classes = trained_classes(model)
    complete = completion.read(args, model)
    if complete:
        lines, _, height, width = complete.originals.shape
        batch = lines * (args.number or args.count)
    else:
        height = args.height or model.about.get('height', DEFAULT_SIZE)
        width = args.width or model.about.get('width', DEFAULT_SIZE)
        of_each = model.num_classes > 1 and label is None and not args.number
        lines = len(classes) if of_each else \
            math.isqrt(args.number - 1) + 1 if args.number else args.count
        batch = args.number or lines * args.count
        if height * width > MOST_PIXELS and not (args.height and args.width):
            given = f'--height {args.height}' if args.height else f'--width {args.width}' \
                if args.width else f'--model {args.model}'
            raise ValueError(f'{given}: large images, {width}×{height}: give both --height and '
                             '--width')
    # Random numbers, samples, and copies on the way to a file
    bytes_of_a_value = 8 + 4 + 16 * (args.scale or 1) ** 2
    devices.check_memory(batch * model.in_channels * height * width * bytes_of_a_value,
                         f'{batch} images')
    return Plan((batch, model.in_channels, height, width), lines,
                class_ids_of(args, model, classes, label, complete, batch), complete)


def class_ids_of(args, model, classes, label, complete, batch):
    """The classes of the samples, (batch,); None for a model without classes.

    Raises: ValueError for images to complete whose class nobody says.
    """
    if model.num_classes < 2:
        return None
    if label is not None:
        return np.full(batch, label)
    if complete is None:  # samples fill one column after the other
        return np.resize(classes, batch)
    if complete.class_ids is None:
        raise ValueError('--complete also needs --label: the model is conditioned on the class')
    return complete.class_ids.repeat(batch // len(complete.class_ids))


def class_of_label(args, model):
    """The number of the class of --label, or None.

    A name goes before a number, so that a class named '10' is found by its name.

    Raises: ValueError for a --label that the model does not have, or one that is missing.
    """
    names = model.about.get('class_names') or [str(n) for n in range(model.num_classes)]
    if model.num_classes < 2:
        known = 'no classes'
    elif names == [str(n) for n in range(len(names))]:
        known = f'classes 0 to {model.num_classes - 1}'
    else:
        known = f'classes {", ".join(map(repr, names))}'
    if args.label is None:
        return None
    if model.num_classes > 1 and args.label in names[:model.num_classes]:
        return names.index(args.label)
    if model.num_classes > 1 and args.label.isdecimal() and int(args.label) < model.num_classes:
        return int(args.label)
    raise ValueError(f'--label {args.label}: the model has {known}')


def trained_classes(model):
    """The numbers of the classes that had training images; all where the file does not say it."""
    trained = model.about.get('trained_classes')
    return trained if trained and model.num_classes else list(range(model.num_classes))


def generate(args, team, model, plan):
    """Generates this rank's part of the images, floating (B, C, H, W), with a progress bar.

    It takes --batchsize images at a time; the images are the same for any number.
    """
    batch, channels, height, width = plan.shape
    given = None
    if plan.completion:
        originals = plan.completion.originals
        given = originals.repeat(batch // len(originals), axis=0), plan.completion.kept
    mine = teams.part(batch, team)
    parts = [slice(start, min(start + args.batchsize, mine.stop))
             for start in range(mine.start, mine.stop, args.batchsize)]
    samples = [np.empty((0, channels, height, width), 'f')]
    with tqdm.tqdm(total=len(parts) * height * width, unit='pixel', dynamic_ncols=True,
                   disable=team.rank or not cli.shows_progress(sys.stderr)) as bar:
        for part in parts:
            samples.append(cuda.to_cpu(sampling.generate(
                model, plan.shape, args.seed, args.method, given, part, progress=bar.update,
                class_ids=plan.class_ids, temperature=args.temperature)))
    return np.concatenate(samples)


def cells(plan, samples):
    """The samples (B, C, H, W) as cells of one image, see `wavenet.pictures`."""
    if plan.completion:
        return pictures.completions(plan.completion.originals, samples, plan.completion.kept)
    if len(samples) % plan.lines:
        return pictures.square(samples)
    return pictures.grid(samples, plan.lines)
