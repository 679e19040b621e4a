"""What a step of train.py spends outside of forward, backward and Adam: batches, progress, checks.

    python tests/benchmarks/bench_input.py

Runs train.py for some iterations, on pictures that it makes, and takes the time between the end of a
step and the beginning of the next, as a share of all. The model is the smaller one of
bench_training.py, 128 feature maps and 5 blocks: for larger ones the share is smaller.
"""
import contextlib
import io
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: E402, F401
import chainer  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from wavenet.commands import train  # noqa: E402

CASES = (('gray as RGB, 8 levels', '28.npz', ['--levels', '8']),
         ('gray as RGB, --binarize', '28.npz', ['--binarize']),
         ('folder of images, 256 levels', '32', ['--levels', '256']),
         ('folder of images, --binarize', '32', ['--binarize']))
STEPS = 20


def make_pictures(folder):
    random = np.random.RandomState(0)
    np.savez(os.path.join(folder, '28.npz'),
             train_x=random.randint(0, 256, (60000, 28, 28)).astype('u1'),
             test_x=random.randint(0, 256, (16, 28, 28)).astype('u1'))
    os.mkdir(os.path.join(folder, '32'))
    for n in range(1000):
        Image.fromarray(random.randint(0, 256, (32, 32, 3)).astype('u1')).save(
            os.path.join(folder, '32', '{}.png'.format(n)))


def share_outside(args):
    """Of the time of all steps but the first, which makes what the others use again"""
    times = []
    update = chainer.optimizers.Adam.update

    def timed_update(*update_args, **kwargs):
        start = time.perf_counter()
        update(*update_args, **kwargs)
        times.append((start, time.perf_counter()))

    sys.argv = ['train.py', '--hidden_dim', '64', '--blocks_num', '5', '--iteration', str(STEPS),
                '--test_limit', '1'] + args
    chainer.optimizers.Adam.update = timed_update
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            train.run(train.make_parser())
    finally:
        chainer.optimizers.Adam.update = update
    inside = sum(end - start for start, end in times[1:])
    return 1 - inside / (times[-1][1] - times[0][1]), inside / (len(times) - 1)


def main():
    print('| pictures | a step | outside of it |')
    print('| --- | --- | --- |')
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(folder)
        for name, dataset, args in CASES:
            share, step = share_outside(args + [
                '--dataset', os.path.join(folder, dataset), '--out', os.path.join(folder, 'out')])
            print('| {} | {:.3f} s | {:.2f} % |'.format(name, step, 100 * share), flush=True)


if __name__ == '__main__':
    main()
