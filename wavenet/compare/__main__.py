"""Side by side with the author's repository: are both the same model, and where do they differ?

His code is run as it is, never copied, and nothing in his checkout is written. It runs in a process
of its own, under its own Chainer 1 and NumPy where --author_python names an interpreter that has
them, and else under this Chainer 7, which is given back the few names that it has dropped.
"""
import json
import math
import os
import sys
import tempfile

import wavenet  # noqa: F401  before Chainer, which it makes importable
import chainer
import numpy as np
import tqdm

from wavenet import cli
from wavenet.data.load import load_dataset
from wavenet.storage import files
from wavenet.compare import checkout, inputs, kinds, known, report, sides, verdicts

STATUS = {verdicts.AGREES: 0, verdicts.DIFFERS: 1, verdicts.MISSING: 2}


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.compare',
                                description=__doc__.split('\n')[0])
    add = parser.add_argument
    count = cli.whole_number(1)
    add('--author', required=True, metavar='DIR',
        help='a checkout of github.com/rampage644/wavenet; nothing in it is written')
    add('--author_python', metavar='PYTHON',
        help='an interpreter with Chainer 1 for it (default: this one, with Chainer 7)')
    add('--dataset', default='digits', metavar='NAME',
        help='digits, mnist, cifar10 (or cifar), or a path, as for train.py (default: %(default)s)')
    add('--data', metavar='DIR', help='folder that holds the files of mnist or cifar10')
    add('--levels', type=cli.whole_number(2, 256), default=4, metavar='N',
        help='values a pixel can take, 2 to 256 (default: %(default)s)')
    add('--hidden_dim', '-d', type=count, default=16, metavar='H',
        help="as the author's train.py takes it: 2H feature maps, of the gated model H "
             '(default: %(default)s)')
    add('--out_hidden_dim', type=count, default=16, metavar='N',
        help='feature maps before the last layer (default: %(default)s)')
    add('--blocks_num', '-n', type=cli.whole_number(0), default=4, metavar='N',
        help='residual blocks (default: %(default)s)')
    add('--batchsize', '-b', type=count, default=16, metavar='N',
        help='images in a batch (default: %(default)s)')
    add('--iteration', type=count, default=200, metavar='N',
        help='steps of the optimizer (default: %(default)s)')
    add('--count', '-c', type=count, default=4, metavar='N',
        help='N x N pictures are drawn (default: %(default)s)')
    add('--seconds', type=cli.positive_number, default=60.0, metavar='N',
        help="how long the author's generation is waited for; pictures are compared as far as it "
             'came, and its time is scaled (default: %(default)g)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), default=0, metavar='N',
        help='of the parameters, the batches and all draws (default: %(default)s)')
    add('--out', '-o', default='comparison', metavar='DIR',
        help='folder for report.html and comparison.json (default: %(default)s)')
    return parser


def main(parser):
    args = parser.parse_args()
    with parser.reporting(), tempfile.TemporaryDirectory() as scratch:
        if not args.out:
            raise ValueError('--out: give the name of a folder')
        both = sides.Sides(args.author, args.author_python, scratch)
        train, _ = load_dataset(args.dataset, 3, args.levels, args.data, seed=args.seed)
        author = os.path.realpath(args.author)
        if os.path.commonpath([author, os.path.realpath(args.out)]) == author:
            raise ValueError("--out {}: in the author's checkout nothing is written".format(
                args.out))
        files.make_folder(args.out)
        for name in ('comparison.json', 'report.html'):
            files.check_target(os.path.join(args.out, name))
        with tqdm.tqdm(total=6, bar_format='{n}/{total} {desc}', leave=False,
                       disable=not sys.stderr.isatty()) as bar:
            result = compare(both, args, train, bar)
        with files.atomic_write(os.path.join(args.out, 'comparison.json')) as file:
            file.write(json.dumps(without_nan(result.summary), indent=1).encode())
        with files.atomic_write(os.path.join(args.out, 'report.html')) as file:
            file.write(report.page(result, scratch).encode())
    print(report.text(result.summary))
    print(os.path.join(args.out, 'report.html'))
    if result.summary['verdict'] == verdicts.MISSING:
        cli.say('there is nothing to compare on one of the sides for: ' + ', '.join(
            row['name'] for row in result.summary['rows'] if row['verdict'] == verdicts.MISSING))
    return STATUS[result.summary['verdict']]


def compare(both, args, train, bar):
    """Runs both sides, and compares.

    Args:
        both: `sides.Sides`.
        args: the options.
        train: `datasets.ImageDataset`.
        bar: a tqdm, told what is being done.

    Returns: a `report.Result`.

    Raises: ValueError where the author's code cannot be run.
    """
    def run(task):
        """A task on both sides, one after the other: they shall not take time from each other"""
        results = {}
        for side, whose in (('author', "the author's"), ('here', 'our')):
            bar.set_description_str('{} {}'.format(whose, task))
            results[side] = both.run(side, task, config, arrays)
            bar.update()
        return results

    about = both.describe()
    kind = kinds.find(about)
    config = inputs.make_config(args, kind, train.shape, both.scratch)
    arrays = inputs.make_arrays(args, config, train)
    numbers = run('numbers')
    rows = verdicts.compare(numbers['author'], numbers['here'], config)
    drawings, times = {}, {}
    if all('float32/losses' in results for results in numbers.values()):
        drawings = run('drawing')
        rows += verdicts.compare_drawings(drawings, numbers['author'], config, arrays)
        times = {'training step': measured(run('training')),
                 '{} pictures'.format(args.count ** 2): measured(drawings)}
    summary = {
        'verdict': verdicts.overall(rows),
        'model': kind.title,
        'author': dict(about, folder=both.folder, commit=checkout.commit(both.folder)),
        'here': {'python': sys.version.split()[0], 'chainer': chainer.__version__,
                 'numpy': np.__version__},
        'config': dict({name: config[name] for name in inputs.SHOWN}, dataset=args.dataset),
        'rows': [row._asdict() for row in rows],
        'times': times,
        'losses': {side: results['float32/losses'].tolist() for side, results in numbers.items()
                   if 'float32/losses' in results},
        'known': [one._asdict() for one in
                  known.find(both.folder, about, numbers['author'], config, arrays)],
    }
    return report.Result(summary, numbers, drawings)


def measured(results):
    """Median seconds and peak memory of each side, and how many times it was timed."""
    return {side: {'seconds': float(np.median(result['seconds'])),
                   'timed': len(result['seconds']),
                   'part': float(result.get('part', 1)),
                   'peak_mb': int(result['peak_kb']) / 1024}
            for side, result in results.items()}


def without_nan(value):
    """The same with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
