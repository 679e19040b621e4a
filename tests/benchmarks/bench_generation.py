"""What generation costs, beside one run of the model over the same pictures.

    python tests/benchmarks/bench_generation.py [--model gated] [--gpu 0]

Prints three tables, of medians: batches, picture sizes, and memory. The post's loop runs the model
once for each value; its time is that many times the run's, and is not waited for.
"""
import os
import sys
import time
import tracemalloc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: E402, F401
import chainer  # noqa: E402
import numpy as np  # noqa: E402

from wavenet import cli, models, sampling  # noqa: E402
from wavenet.families.gated import model as gated  # noqa: E402


def measure(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return np.median(times)


def main():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    cli.add_device_options(parser)
    parser.add_argument('--model', choices=('pixelcnn', 'gated'), default='pixelcnn')
    parser.add_argument('--repeats', type=cli.whole_number(1), default=5, metavar='N')
    args = parser.parse_args()
    with parser.reporting():
        device = cli.use_device(args)
    np.random.seed(0)
    # train.py's defaults, of 8 levels
    model = models.PixelCNN(3, 256, 15, 16, 8) if args.model == 'pixelcnn' \
        else gated.GatedPixelCNN(3, 128, 15, 16, 8)
    model.to_device(device)

    def forward(shape):
        x = device.send(np.random.rand(*shape).astype('f'))
        label = device.send(np.arange(len(x)).astype('i') % gated.CLASSES)
        with chainer.no_backprop_mode(), chainer.using_config('train', False):
            chainer.backends.cuda.to_cpu(model(x, label).array)

    def generate(shape):
        chainer.backends.cuda.to_cpu(sampling.generate(model, shape, seed=0))

    def row(name, shape, repeats):
        forward(shape)
        run = measure(lambda: forward(shape), repeats)
        drawing = measure(lambda: generate(shape), repeats)
        values = int(np.prod(shape[1:]))
        print('| {} | {:.2f} s | {:.2f} s | {:.2f} | {:.0f} s | {:.1f} |'.format(
            name, run, drawing, drawing / run, run * values,
            drawing / shape[0] / shape[2] / shape[3] * 1e6), flush=True)

    head = ('run of the model', 'generation', 'ratio', "the post's loop", 'µs a pixel')
    for title, cases in (
            ('pictures of 28×28', [(b, 28) for b in (1, 4, 16, 32, 100)]),
            ('size, 16 pictures', [(16, s) for s in (7, 14, 28, 56)])):
        print('\n| {} | {} |\n{}|'.format(title, ' | '.join(head), '| --- ' * 6))
        for batch, size in cases:
            name = batch if 'pictures of' in title else '{0}×{0}'.format(size)
            row(name, (batch, 3, size, size), args.repeats)

    # Of each block rows of the maps in its middle (gated: two of the vertical stack, two that go to the
    # horizontal one, and twice two of what the next row gets), and what belongs to one pixel; of the
    # weights, the sorted ones; and the draws, 8 bytes each
    print('\n| memory | rows of maps, weights, draws | measured peak |\n| --- | --- | --- |')
    blocks, maps = 15, 128
    weights = sum(param.size for param in model.params()) * 4
    for batch, height, width in ((16, 28, 28), (100, 28, 28), (1, 16, 256)):
        columns = blocks * (2 * width + 6 if device.xp is np else 5 * width + 5)
        if args.model == 'gated':
            columns = (1 + blocks) * (8 * width + 10) + 4 * width
        formula = 4 * maps * batch * columns + weights + 24 * height * width * batch
        peak = peak_memory(device, lambda: generate((batch, 3, height, width)))
        print('| {} of {}×{} | {:.0f} MB | {:.0f} MB |'.format(
            batch, height, width, formula / 1e6, peak / 1e6), flush=True)


def peak_memory(device, function):
    """What a function allocates, in bytes; on a GPU, what CuPy's pool took of the device for it"""
    if device.xp is np:
        tracemalloc.start()
        function()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak
    pool = chainer.backends.cuda.memory_pool
    pool.free_all_blocks()
    before = pool.total_bytes()
    function()
    return pool.total_bytes() - before


if __name__ == '__main__':
    main()
