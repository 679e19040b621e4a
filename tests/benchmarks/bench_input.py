"""The time of a training step that is not forward, backward and Adam: batches, progress, checks.

    python tests/benchmarks/bench_input.py [--steps 20]

It runs train.py for some steps, on images that it makes, and measures the time between the end of a
step and the beginning of the next, as a share of the whole time. The model is the smaller one of
bench_training.py, 128 feature maps and 5 blocks: the share of a larger model is smaller.
"""
import contextlib
import io
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: F401  before Chainer
import chainer
import numpy as np
from PIL import Image

from wavenet import cli
from wavenet.commands import train

# Name, data set, options of train.py
CASES = (('gray as RGB, 8 levels', '28.npz', ['--levels', '8']),
         ('gray as RGB, --binarize', '28.npz', ['--binarize']),
         ('folder of images, 256 levels', '32', ['--levels', '256']),
         ('folder of images, --binarize', '32', ['--binarize']))


def make_images(folder):
    """Makes 28.npz of gray images and the folder 32 of colour images."""
    random = np.random.RandomState(0)
    np.savez(os.path.join(folder, '28.npz'),
             train_x=random.randint(0, 256, (60000, 28, 28)).astype('u1'),
             test_x=random.randint(0, 256, (16, 28, 28)).astype('u1'))
    os.mkdir(os.path.join(folder, '32'))
    for n in range(1000):
        Image.fromarray(random.randint(0, 256, (32, 32, 3)).astype('u1')).save(
            os.path.join(folder, '32', f'{n}.png'))


def measure(args, steps):
    """Runs train.py. Returns: seconds of a step, and the share of the time outside of steps.

    The first step does not count: it makes what later ones use again.
    """
    times = []
    update = chainer.optimizers.Adam.update

    def timed_update(*update_args, **kwargs):
        start = time.perf_counter()
        update(*update_args, **kwargs)
        times.append((start, time.perf_counter()))

    sys.argv = ['train.py', '--hidden_dim', '64', '--blocks_num', '5', '--test_limit', '1',
                '--iteration', str(steps + 1)] + args
    chainer.optimizers.Adam.update = timed_update
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            train.run(train.make_parser())
    finally:
        chainer.optimizers.Adam.update = update
    inside = sum(end - start for start, end in times[1:])
    return inside / steps, 1 - inside / (times[-1][1] - times[0][1])


def main():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--steps', type=cli.whole_number(2), default=20, metavar='N',
                        help='how many steps are measured (default: %(default)s)')
    args = parser.parse_args()
    print('| images | a step | outside of it |')
    print('| --- | --- | --- |')
    with tempfile.TemporaryDirectory() as folder:
        make_images(folder)
        for name, dataset, options in CASES:
            step, share = measure(options + [
                '--dataset', os.path.join(folder, dataset), '--out', os.path.join(folder, 'out')],
                args.steps)
            print(f'| {name} | {step:.3f} s | {100 * share:.2f} % |', flush=True)


if __name__ == '__main__':
    main()
