"""Draws pictures from a model that train.py has saved, or the author's train.py."""
import os
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import numpy as np
import tqdm
from chainer.backends import cuda

from wavenet import cli, pictures, sampling, serialization
from wavenet.data.image_files import read_images
from wavenet.storage import files
from wavenet.training import teams

MOST_PIXELS = 512 * 512  # of a picture, where the model's file alone says how large it is


def make_parser():
    parser = cli.ArgumentParser(description=__doc__)
    add = parser.add_argument
    size = cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N or snapshot_iter_N")
    cli.add_device_options(parser)
    teams.add_option(parser)
    add('--count', '-c', type=size, default=10, metavar='N',
        help='N x N pictures, in a square, or, of a model with classes, N of each '
             '(default: %(default)s)')
    add('--output', '-o', default='samples.png', metavar='FILE',
        help='the picture, .png or .jpg (default: %(default)s)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), metavar='N',
        help='of the draws: the same seed gives the same pictures (default: other pictures each time)')
    add('--height', type=size, metavar='N', help="height of a picture (default: the training images', or 28)")
    add('--width', type=size, metavar='N', help="width of a picture (default: the training images', or 28)")
    add('--scale', type=size, default=1, metavar='N',
        help='draw a pixel as N x N, to see small pictures (default: %(default)s)')
    add('--method', choices=('cached', 'naive'), default='cached',
        help="naive: the post's loop, the same pictures in thousands of times the time "
             '(default: %(default)s)')
    add('--label', '-l', type=cli.whole_number(0), metavar='K',
        help='class of all pictures, for a model with classes (default: a row of each)')
    add('--complete', nargs='+', metavar='IMAGE',
        help='draw what is below the first --rows rows of image files, N times each: a line of '
             'original, what is kept, completions')
    add('--rows', type=cli.whole_number(0), metavar='N', help='rows that --complete keeps')
    add('--gif', metavar='FILE', help='write the drawing, too, as an animation')
    return parser


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    args, team = teams.join(parser)
    if (args.complete is None) != (args.rows is None):
        parser.error('--complete and --rows go together')
    if args.complete and (args.height or args.width):
        parser.error('--complete takes height and width from the images')
    np.seterr(over='ignore', invalid='ignore')  # sampling.generate says it better
    if args.seed is None:
        args.seed = team.bcast(np.random.randint(2 ** 32))
    with team.reporting():
        team.connect(args)
        for path, formats in ((args.output, pictures.IMAGE_FORMATS), (args.gif, pictures.ANIMATION_FORMATS)):
            if path is not None:
                pictures.file_format(path, formats)
                if team.rank == 0:
                    files.check_target(path)
        for path in args.complete or []:
            if os.path.realpath(path) in map(os.path.realpath, filter(None, (args.output, args.gif))):
                raise ValueError(
                    '{}: this image would be overwritten: give another --output'.format(path))
        device = cli.use_device(args)
        model = serialization.load_model(args.model)
        if args.label is not None and args.label >= model.num_classes:
            raise ValueError('--label {}: the model has {}'.format(
                args.label, 'classes 0 to {}'.format(model.num_classes - 1) if model.num_classes else
                'no classes'))
        if args.complete and model.num_classes and args.label is None:
            raise ValueError('--complete needs --label, too: the model has classes 0 to {}'.format(
                model.num_classes - 1))
        originals = given = None
        height = args.height or model.about.get('height', 28)
        width = args.width or model.about.get('width', 28)
        lines = args.count if args.label is not None else model.num_classes or args.count
        batch = lines * args.count
        if args.complete:
            originals = read_images(args.complete, model.in_channels)
            batch, (height, width) = len(originals) * args.count, originals.shape[2:]
            if args.rows > height:
                raise ValueError('--rows {}: the images have {} rows'.format(args.rows, height))
        elif height * width > MOST_PIXELS and not (args.height and args.width):
            raise ValueError('{}: its pictures are {}×{}: give --height and --width'.format(
                args.model, width, height))
        values = batch * model.in_channels * height * width
        # Draws, pictures, and what is made of them on the way to a file
        cli.check_memory(values * (8 + 4 + 16 * args.scale ** 2), '{} pictures'.format(batch))
        if args.complete:
            given = originals.repeat(args.count, axis=0), args.rows
        class_ids = None if args.label is None else np.full(batch, args.label)
        model.to_device(device)
        with tqdm.tqdm(total=height * width, unit='pixel',
                       disable=team.rank or not cli.shows_progress(sys.stderr)) as bar:
            samples = sampling.generate(model, (batch, model.in_channels, height, width), args.seed,
                                        args.method, given, teams.part(batch, team),
                                        progress=bar.update, class_ids=class_ids)
    samples = np.concatenate(team.gather(cuda.to_cpu(samples)))
    if team.rank:
        return
    with parser.reporting():
        cells = pictures.completions(originals, samples, args.rows) if args.complete \
            else pictures.grid(samples, lines)
        pictures.save(args.output, cells, args.scale)
        print(args.output)
        if args.gif:
            pictures.save_animation(args.gif, cells, args.scale, args.rows)
            print(args.gif)


if __name__ == '__main__':
    sys.exit(main())
