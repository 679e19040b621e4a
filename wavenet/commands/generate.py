"""Generates images from a model that train.py, or the author's train.py, has saved."""
import os
import sys
from typing import NamedTuple, Optional

import numpy as np
import tqdm
from chainer.backends import cuda

from wavenet import cli, devices, pictures, sampling, serialization
from wavenet.data.image_files import read_images
from wavenet.storage import files
from wavenet.training import teams

DEFAULT_SIZE = 28        # of images, if neither the options nor the model's file say it
MOST_PIXELS = 512 * 512  # of an image whose size is said by the model's file alone


class Plan(NamedTuple):
    """What is to be generated.

    Attributes:
        shape: (B, C, H, W).
        lines: number of lines of images in the output file.
        class_ids: classes of the images, (B,); None for a model without classes.
        originals: the images to complete, floating (N, C, H, W), or None.
    """

    shape: tuple
    lines: int
    class_ids: Optional[np.ndarray]
    originals: Optional[np.ndarray]


# What other programs, and train.py, call these options
KNOWN_AS = {
    '--out': '--output', '--outfile': '--output', '--class': '--label', '--samples': '--count',
    '--num_samples': '--count', '--checkpoint': '--model', '--weights': '--model',
    '--cuda': '--gpu 0', '--size': '--height N --width N'}


def make_parser():
    """Makes the parser of generate.py."""
    parser = cli.ArgumentParser(check=check, known_as=KNOWN_AS, description=__doc__)
    add, count = parser.add_argument, cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N or snapshot_iter_N")
    devices.add_device_options(parser)
    teams.add_option(parser)
    add('--count', '-c', type=count, default=10, metavar='N',
        help='generate N x N images in a square, or, from a model with classes, N of each class '
             '(default: %(default)s)')
    add('--output', '-o', default='samples.png', metavar='FILE',
        help='the image file, .png or .jpg (default: %(default)s)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), metavar='N',
        help='seed of the samples: the same seed gives the same images (default: a random one)')
    add('--height', type=count, metavar='N',
        help=f"height of an image (default: the training images', or {DEFAULT_SIZE})")
    add('--width', type=count, metavar='N',
        help=f"width of an image (default: the training images', or {DEFAULT_SIZE})")
    add('--scale', type=count, default=1, metavar='N',
        help='show a pixel as N x N; above 1, lines separate the images (default: %(default)s)')
    add('--method', choices=('cached', 'naive'), default='cached',
        help="naive: the post's loop, which gives the same images in thousands of times the time "
             '(default: %(default)s)')
    add('--label', '-l', metavar='NAME',
        help='class of all images, its name or its number, for a model with classes (default: a '
             'row of each class)')
    add('--complete', nargs='+', metavar='IMAGE',
        help='keep the first --rows rows of these image files and generate the rest, --count times '
             'each; a line shows an image, what was kept of it, and its completions')
    add('--rows', type=cli.whole_number(0), metavar='N', help='rows that --complete keeps')
    add('--gif', metavar='FILE', help='also write the generation as an animation')
    return parser


def check(parser, args):
    """Checks options that depend on each other."""
    if (args.complete is None) != (args.rows is None):
        parser.error('--complete and --rows go together')
    if args.complete and (args.height or args.width):
        parser.error('--complete takes height and width from the images')


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
        check_files(args, team)
        device = devices.use_device(args)
        model = serialization.load_model(args.model)
        plan = make_plan(args, model)
        model.to_device(device)
        samples = generate(args, team, model, plan)
    samples = np.concatenate(team.gather(cuda.to_cpu(samples)))
    if team.rank == 0:
        with parser.reporting():
            save(args, plan, samples, model.distribution.levels)


def check_files(args, team):
    """Raises: ValueError or OSError if an output file has a wrong ending, cannot be written, or
    would replace one of the images to complete."""
    outputs = [(args.output, pictures.IMAGE_FORMATS)]
    if args.gif is not None:
        outputs.append((args.gif, pictures.ANIMATION_FORMATS))
    for path, formats in outputs:
        pictures.file_format(path, formats)
        if team.rank == 0:
            files.check_target(path)
    written = [os.path.realpath(path) for path, _ in outputs]
    for path in args.complete or []:
        if os.path.realpath(path) in written:
            raise ValueError(f'{path}: this image would be overwritten: give another --output')


def make_plan(args, model):
    """What the options ask for, a `Plan`.

    Raises: ValueError for options that do not fit the model or the images to complete; MemoryError
        if the machine has too little memory.
    """
    label = class_of_label(args, model)
    classes = trained_classes(model)
    if args.complete:
        originals = read_images(
            args.complete, model.in_channels,
            labels_of=model.distribution.levels if model.config.one_hot else None)
        count, _, height, width = originals.shape
        lines = count
        if args.rows > height:
            raise ValueError(f'--rows {args.rows}: the images have {height} rows')
    else:
        originals = None
        height = args.height or model.about.get('height', DEFAULT_SIZE)
        width = args.width or model.about.get('width', DEFAULT_SIZE)
        lines = len(classes) if model.num_classes and label is None else args.count
        if height * width > MOST_PIXELS and not (args.height and args.width):
            raise ValueError(f'{args.model}: its images are {width}×{height}: give --height and '
                             '--width')
    batch = lines * args.count
    # Random numbers, samples, and copies on the way to a file
    bytes_of_a_value = 8 + 4 + 16 * args.scale ** 2
    devices.check_memory(batch * model.in_channels * height * width * bytes_of_a_value,
                         f'{batch} images')
    class_ids = None
    if model.num_classes:  # samples fill one column after the other
        class_ids = np.resize(classes, batch) if label is None else np.full(batch, label)
    return Plan((batch, model.in_channels, height, width), lines, class_ids, originals)


def class_of_label(args, model):
    """The number of the class of --label, or None.

    A name goes before a number, so that a class named '10' is found by its name.

    Raises: ValueError for a --label that the model does not have, or one that is missing.
    """
    names = model.about.get('class_names') or [str(n) for n in range(model.num_classes)]
    if not model.num_classes:
        known = 'no classes'
    elif names == [str(n) for n in range(len(names))]:
        known = f'classes 0 to {model.num_classes - 1}'
    else:
        known = f'classes {", ".join(map(repr, names))}'
    if args.label is None:
        if args.complete and model.num_classes:
            raise ValueError(f'--complete also needs --label: the model has {known}')
        return None
    if args.label in names[:model.num_classes]:
        return names.index(args.label)
    if args.label.isdecimal() and int(args.label) < model.num_classes:
        return int(args.label)
    raise ValueError(f'--label {args.label}: the model has {known}')


def trained_classes(model):
    """The numbers of the classes that had training images; all where the file does not say it."""
    trained = model.about.get('trained_classes')
    return trained if trained and model.num_classes else list(range(model.num_classes))


def generate(args, team, model, plan):
    """Generates this rank's part of the images, floating (B, C, H, W), with a progress bar."""
    batch, _, height, width = plan.shape
    given = None
    if plan.originals is not None:
        given = plan.originals.repeat(args.count, axis=0), args.rows
    with tqdm.tqdm(total=height * width, unit='pixel',
                   disable=team.rank or not cli.shows_progress(sys.stderr)) as bar:
        return sampling.generate(model, plan.shape, args.seed, args.method, given,
                                 teams.part(batch, team), progress=bar.update,
                                 class_ids=plan.class_ids)


def save(args, plan, samples, levels):
    """Writes all images, and prints the names of the files."""
    if plan.originals is None:
        cells = pictures.grid(samples, plan.lines)
        pictures.save(args.output, cells, args.scale, levels)
    else:
        cells = pictures.completions(plan.originals, samples, args.rows)
        pictures.save(args.output, cells, args.scale)
    print(args.output)
    if args.gif:
        pictures.save_animation(args.gif, cells, args.scale, args.rows)
        print(args.gif)
