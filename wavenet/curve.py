"""The losses of trainings, from the logs that train.py writes, in one picture.

    python -m wavenet.curve out/log [LOG...] [--output curve.png]

For each log: dashed, the mean of the training images since the line before; with dots, the test
images. Batches are on a logarithmic scale, on which a loss is nearly straight, so that one sees where
it is going.
"""
import json
import math
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable

from wavenet import cli, pictures
from wavenet.storage import files

TEST, TRAINING = 'validation/main/nll', 'main/nll'


def read_log(path):
    """The lines of a log of train.py, dicts. Raises: ValueError for another file, OSError."""
    with files.open_regular(path) as file:
        try:
            log = json.load(file)
            good = isinstance(log, list) and log and all(
                math.isfinite(entry[name]) and entry['iteration'] >= 1
                for entry in log for name in (TEST, TRAINING))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            good = False
    if not good:
        raise ValueError('{}: this is no log of train.py'.format(path))
    return log


def figure(logs):
    """The curves of {what to call it: log} as a Matplotlib figure."""
    page = pictures.page(7, 4)
    axes = page.add_subplot(xlabel='batches', ylabel='nats per image', xscale='log')
    for label, log in logs.items():
        batches = [entry['iteration'] for entry in log]
        line, = axes.plot(batches, [entry[TEST] for entry in log], 'o-', markersize=3,
                          label=label + 'test')
        axes.plot(batches, [entry[TRAINING] for entry in log], '--', color=line.get_color(),
                  label=label + 'training')
    pictures.round_numbers(axes.xaxis)
    axes.grid(color='0.9')
    axes.legend()
    page.tight_layout()
    return page


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.curve',
                                description='Draws the losses of trainings from their logs.')
    parser.add_argument('logs', nargs='+', metavar='LOG', help='what train.py wrote, out/log')
    parser.add_argument('--output', '-o', default='curve.png', metavar='FILE',
                        help='the picture, .png or .jpg (default: %(default)s)')
    return parser


def main(parser):
    args = parser.parse_args()
    with parser.reporting():
        kind = pictures.file_format(args.output, pictures.PICTURES)
        files.check_target(args.output)
        page = figure({path + ', ' if len(args.logs) > 1 else '': read_log(path)
                       for path in args.logs})
        with files.atomic_write(args.output) as file:
            page.savefig(file, format=kind, dpi=100)
    print(args.output)


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
