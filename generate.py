"""Draws pictures from a model that train.py has saved, or the author's train.py."""
import os
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import tqdm

from wavenet import cli, files, pictures, sampling, serialization


def parse_args():
    parser = cli.ArgumentParser(description=__doc__)
    add = parser.add_argument
    size = cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N or snapshot_iter_N")
    cli.add_device_options(parser)
    add('--count', '-c', type=size, default=10, metavar='N',
        help='N × N pictures, in a square (default: %(default)s)')
    add('--output', '-o', default='samples.png', metavar='FILE',
        help='the picture, .png or .jpg (default: %(default)s)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), metavar='N',
        help='of the draws: the same seed gives the same pictures (default: other pictures each time)')
    add('--height', type=size, metavar='N', help="height of a picture (default: the training images')")
    add('--width', type=size, metavar='N', help="width of a picture (default: the training images')")
    add('--scale', type=size, default=1, metavar='N',
        help='draw a pixel as N × N, to see small pictures (default: %(default)s)')
    return parser.parse_args(), parser


def main():
    args, parser = parse_args()
    with parser.reporting(OSError, ValueError):
        pictures.picture_format(args.output)
        files.check_writable(os.path.dirname(args.output) or '.')
        device = cli.use_device(args)
        model = serialization.load_model(args.model)
    model.to_device(device)

    height = args.height or model.about.get('height', 28)
    width = args.width or model.about.get('width', 28)
    try:
        with tqdm.tqdm(total=height * width, unit='pixel', disable=not sys.stderr.isatty()) as bar:
            samples = sampling.generate(model, (args.count ** 2, model.in_channels, height, width),
                                        args.seed, progress=bar.update)
    except KeyboardInterrupt:
        print('generate.py: interrupted; no picture is written', file=sys.stderr)
        return 130
    with parser.reporting(OSError, ValueError):
        pictures.save_grid(args.output, samples, args.scale)


if __name__ == '__main__':
    sys.exit(main())
