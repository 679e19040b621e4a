"""Plots the losses of one or several trainings from the logs that train.py writes.

    python -m wavenet.curve out/log [LOG...] [--output curve.png]

Each log gives two curves. The solid one with dots is the loss on the test images. The dashed one is
the loss on the training images, averaged since the entry before. The axis of batches is
logarithmic: a loss is nearly straight there, which shows where the training is heading.
"""
import json
import math
import sys

from wavenet import cli, pictures, plots
from wavenet.storage import files

TEST, TRAINING = 'validation/main/nll', 'main/nll'
BITS = 'validation/main/bits/dim'


def read_log(path):
    """Reads a log of train.py: a list of dicts, one for each entry.

    Raises: ValueError if the file is not a log of train.py, OSError if it cannot be read.
    """
    with files.open_regular(path) as file:
        try:
            log = json.load(file)
            valid = isinstance(log, list) and log and all(
                math.isfinite(entry[name]) and entry['iteration'] >= 1
                for entry in log for name in (TEST, TRAINING))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            valid = False
    if not valid:
        raise ValueError(f'{path}: not a log of train.py')
    return log


def label(logs):
    """What the losses of logs are. Of sound, they are as many bits as bits/dim says."""
    of_sound = [isinstance(log[0].get(BITS), float) and math.isclose(
        log[0][TEST], log[0][BITS] * math.log(2), rel_tol=1e-3) for log in logs]
    return 'nats per sample' if all(of_sound) else 'nats' if any(of_sound) else 'nats per image'


def plot(logs):
    """Plots {prefix of the label: log}. Returns: a Matplotlib figure."""
    figure = plots.new_figure(7, 4)
    axes = figure.add_subplot(xlabel='batches', ylabel=label(logs.values()), xscale='log')
    for prefix, log in logs.items():
        batches = [entry['iteration'] for entry in log]
        line, = axes.plot(batches, [entry[TEST] for entry in log], 'o-', markersize=3,
                          label=prefix + 'test')
        axes.plot(batches, [entry[TRAINING] for entry in log], '--', color=line.get_color(),
                  label=prefix + 'training')
    plots.label_round_numbers(axes.xaxis)
    axes.grid(color='0.9')
    axes.legend()
    figure.tight_layout()
    return figure


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.curve',
                                description='Plots the losses of trainings from their logs.')
    parser.add_argument('logs', nargs='+', metavar='LOG', help='a log of train.py, such as out/log')
    parser.add_argument('--output', '-o', default='curve.png', metavar='FILE',
                        help='image file, .png or .jpg (default: %(default)s)')
    return parser


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    args = parser.parse_args()
    with parser.reporting():
        kind = pictures.file_format(args.output, pictures.IMAGE_FORMATS)
        files.check_target(args.output)
        figure = plot({f'{path}, ' if len(args.logs) > 1 else '': read_log(path)
                       for path in args.logs})
        with files.atomic_write(args.output) as file:
            figure.savefig(file, format=kind, dpi=100)
    print(args.output)


if __name__ == '__main__':
    sys.exit(main())
