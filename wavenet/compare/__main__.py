"""Compares the author's repository with this project: is it the same model, and what differs?

The author's code runs as it is, in a process of its own; nothing is copied from his checkout and
nothing in it is written. It runs under Chainer 1 and the NumPy of its time if --author_python names
an interpreter that has them, and otherwise under this Chainer 7, with the few names restored that
Chainer 7 has dropped.
"""
import functools
import json
import math
import os
import sys
import tempfile

import chainer
import numpy as np
import tqdm

from wavenet import cli
from wavenet.compare import (
    checkout,
    compare_sound,
    differences,
    inputs,
    kinds,
    page,
    report,
    running,
    sides,
    verdicts,
)
from wavenet.data.load import load_dataset
from wavenet.storage import files

STATUS = {verdicts.AGREES: 0, verdicts.DIFFERS: 1, verdicts.MISSING: 2}


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.compare',
                                description=__doc__.split('\n')[0])
    parser.add_argument(
        '--author', required=True, metavar='DIR',
        help='a checkout of github.com/rampage644/wavenet; nothing in it is written')
    parser.add_argument(
        '--author_python', metavar='PYTHON',
        help='an interpreter with Chainer 1 for it (default: this one, with Chainer 7)')
    parser.add_argument(
        '--out', '-o', default='comparison', metavar='DIR',
        help='folder for report.html and comparison.json (default: %(default)s)')
    add_data_options(parser)
    add_model_options(parser)
    add_run_options(parser)
    return parser


def add_data_options(parser):
    parser.add_argument(
        '--dataset', default='digits', metavar='NAME',
        help='digits, mnist, cifar10 (or cifar), or a path, as for train.py (default: %(default)s)')
    parser.add_argument(
        '--data', metavar='DIR', help='folder that holds the files of mnist or cifar10')
    parser.add_argument(
        '--levels', type=cli.whole_number(2, 256), default=4, metavar='N',
        help='levels of a quantized value of an image, 2 to 256 (default: %(default)s); sound has '
             '256')


def add_model_options(parser):
    parser.add_argument(
        '--hidden_dim', '-d', type=cli.whole_number(1), default=16, metavar='H',
        help="as for the author's train.py: 2H feature maps, or H in the gated model "
             '(default: %(default)s)')
    parser.add_argument(
        '--out_hidden_dim', type=cli.whole_number(1), default=16, metavar='N',
        help='feature maps before the last layer (default: %(default)s)')
    parser.add_argument(
        '--blocks_num', '-n', type=cli.whole_number(0), default=4, metavar='N',
        help='residual blocks (default: %(default)s)')
    parser.add_argument(
        '--stacks_num', '-s', type=cli.whole_number(1), default=3, metavar='N',
        help="stacks of layers of WaveNet, which the author's newest commit has "
             '(default: %(default)s)')
    parser.add_argument(
        '--layers_num', '-l', type=cli.whole_number(1), default=4, metavar='N',
        help='layers of a stack of WaveNet (default: %(default)s)')


def add_run_options(parser):
    parser.add_argument(
        '--batchsize', '-b', type=cli.whole_number(1), default=16, metavar='N',
        help='images, or chunks of sound, in a batch (default: %(default)s)')
    parser.add_argument(
        '--iteration', type=cli.whole_number(1), default=200, metavar='N',
        help='optimizer steps (default: %(default)s)')
    parser.add_argument(
        '--count', '-c', type=cli.whole_number(1), default=4, metavar='N',
        help='generate N x N images (default: %(default)s)')
    parser.add_argument(
        '--target_length', type=cli.whole_number(1), default=64, metavar='N',
        help="samples of a chunk that WaveNet is trained on, as for the author's preprocess.py "
             '(default: %(default)s)')
    parser.add_argument(
        '--length', type=cli.whole_number(2), default=96, metavar='N',
        help='samples of each of N x N sounds that WaveNet generates, 2 or more: his files hold no '
             'single sample (default: %(default)s)')
    parser.add_argument(
        '--seconds', type=cli.positive_number, default=60.0, metavar='N',
        help="time limit for the author's generation; the values generated until then are "
             'compared, and his time is scaled (default: %(default)g)')
    parser.add_argument(
        '--seed', type=cli.whole_number(0, 2 ** 32 - 1), default=0, metavar='N',
        help='seed of the parameters, the batches and the generation (default: %(default)s)')


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    """Compares, prints the table, and writes the two files. Returns: the exit status."""
    args = parser.parse_args()
    with parser.reporting(), tempfile.TemporaryDirectory() as scratch:
        if not args.out:
            raise ValueError('--out: give the name of a folder')
        both = sides.Sides(args.author, args.author_python, scratch)
        train, _ = load_dataset(args.dataset, 3, args.levels, args.data, seed=args.seed)
        json_path, page_path = prepare_folder(args.out, args.author)
        with tqdm.tqdm(total=6, bar_format='{n}/{total} {desc}', leave=False,
                       disable=not sys.stderr.isatty()) as bar:
            result = compare(both, args, train, bar)
        with files.atomic_write(json_path) as file:
            file.write(json.dumps(without_nan(result.summary), indent=1).encode())
        with files.atomic_write(page_path) as file:
            file.write(page.render(result, scratch).encode())
    summary = result.summary
    print(report.text(summary))
    print(page_path)
    missing = [row['name'] for row in summary['rows'] if row['verdict'] == verdicts.MISSING]
    if summary['verdict'] == verdicts.MISSING:
        cli.say(f'one side has nothing to compare for: {", ".join(missing)}')
    return STATUS[summary['verdict']]


def prepare_folder(folder, author):
    """Makes the folder for the results.

    Returns: the paths of comparison.json and report.html.

    Raises: ValueError if it is in the author's checkout, OSError if it cannot be written.
    """
    author = os.path.realpath(author)
    if os.path.commonpath([author, os.path.realpath(folder)]) == author:
        raise ValueError(f"--out {folder}: this folder is in the author's checkout, where nothing "
                         'is written: choose another')
    files.make_folder(folder)
    paths = [os.path.join(folder, name) for name in ('comparison.json', 'report.html')]
    for path in paths:
        files.check_target(path)
    return paths


def compare(both, args, train, bar):
    """Runs both sides and compares their results.

    Args:
        both: `sides.Sides`.
        args: the options.
        train: the `ImageDataset` to train on.
        bar: a tqdm that shows which task runs.

    Returns: a `report.Result`.

    Raises: ValueError if the author's code cannot be run.
    """
    about = both.describe()
    kind = kinds.find(about)
    config = inputs.make_config(args, kind, train.shape, both.scratch)
    arrays = inputs.make_arrays(args, config, train)
    run_both = functools.partial(running.run_task, both, bar, config, arrays)
    rows, numbers, generated, training = running.compare(run_both, '', verdicts, config, arrays)
    times = {'training step': training,
             f'{args.count ** 2} pictures': running.measured(generated)} if generated else {}
    sound = compare_sound.compare(both, args, bar) if kinds.has_wavenet(about) else None
    if sound:
        rows += sound.rows
        times.update(sound.times)
    commit = checkout.commit(both.folder)
    summary = {
        'verdict': verdicts.overall(rows),
        'model': kind.title + (' and WaveNet' if sound else ''),
        'author': dict(about, folder=both.folder, commit=commit.description),
        'here': {'python': sys.version.split()[0], 'chainer': chainer.__version__,
                 'numpy': np.__version__},
        'config': dict({name: config[name] for name in inputs.SHOWN}, dataset=args.dataset),
        'rows': [row._asdict() for row in rows],
        'times': times,
        'losses': running.losses(numbers),
        'known': [one._asdict() for one in differences.of_commit(commit.name)],
    }
    if sound:
        summary['wavenet'] = {'config': sound.config, 'losses': sound.losses}
    return report.Result(summary, numbers, generated, sound.generated if sound else {})


def without_nan(value):
    """Replaces numbers that are not finite, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == '__main__':
    sys.exit(main())
