"""The time and memory of generation, compared with one run of the model over the same images.

    python tests/benchmarks/bench_generation.py [--model gated] [--gpu 0]

It prints three tables of medians: by batch size, by image size, and of memory. The post's loop runs
the model once for each value, so its time is computed from that of one run.
"""
import os
import sys
import time
import tracemalloc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: E402, F401, I001  before Chainer
import chainer  # noqa: E402
import numpy as np  # noqa: E402

from wavenet import cli, devices, models, sampling  # noqa: E402
from wavenet.families.gated import model as gated  # noqa: E402

COLORS, BLOCKS, OUT_HIDDEN_DIMS, LEVELS = 3, 15, 16, 8
HIDDEN_DIMS = {'pixelcnn': 256, 'gated': 128}  # train.py's defaults


def make_parser():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    devices.add_device_options(parser)
    parser.add_argument('--model', choices=sorted(HIDDEN_DIMS), default='pixelcnn',
                        help='the model to measure (default: %(default)s)')
    parser.add_argument('--repeats', type=cli.whole_number(1), default=5, metavar='N',
                        help='how often each time is measured (default: %(default)s)')
    return parser


def make_model(name):
    build = {'pixelcnn': models.PixelCNN, 'gated': gated.GatedPixelCNN}[name]
    return build(COLORS, HIDDEN_DIMS[name], BLOCKS, OUT_HIDDEN_DIMS, LEVELS)


def run(model, shape):
    """One run of the model over images (B, C, H, W)."""
    x = model.device.send(np.random.rand(*shape).astype('f'))
    class_ids = model.device.send(np.arange(len(x)).astype('i') % gated.NUM_CLASSES)
    with chainer.no_backprop_mode(), chainer.using_config('train', False):
        chainer.backends.cuda.to_cpu(model(x, class_ids).array)


def generate(model, shape):
    chainer.backends.cuda.to_cpu(sampling.generate(model, shape, seed=0))


def median_time(function, repeats, *args):
    """Median of the seconds that some calls of the function take."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return np.median(times)


def print_times(model, title, cases, repeats):
    """A table of generation. cases: the name and the shape of each row."""
    head = title, 'run of the model', 'generation', 'ratio', "the post's loop", 'µs a pixel'
    print(f'\n| {" | ".join(head)} |\n{"| --- " * len(head)}|')
    for name, shape in cases:
        batch, _, height, width = shape
        run(model, shape)                                    # warms up
        one_run = median_time(run, repeats, model, shape)
        generation = median_time(generate, repeats, model, shape)
        loop = one_run * np.prod(shape[1:])
        pixel = generation / (batch * height * width) * 1e6
        print(f'| {name} | {one_run:.2f} s | {generation:.2f} s | {generation / one_run:.2f} | '
              f'{loop:.0f} s | {pixel:.1f} |', flush=True)


def print_memory(model, name):
    print('\n| memory | rows of maps, weights, uniforms | measured peak |\n| --- | --- | --- |')
    for batch, height, width in ((16, 28, 28), (100, 28, 28), (1, 16, 256)):
        expected = expected_memory(model, name, batch, height, width)
        peak = peak_memory(generate, model, (batch, COLORS, height, width))
        print(f'| {batch} of {height}×{width} | {expected / 1e6:.0f} MB | {peak / 1e6:.0f} MB |',
              flush=True)


def expected_memory(model, name, batch, height, width):
    """Bytes of the feature maps that later pixels need, of the weights and of the uniform numbers.

    Each block keeps two rows of 128 maps on a CPU and five on a GPU, and the maps of one pixel. A
    gated block keeps eight rows: two of the vertical stack, two of what the horizontal stack gets,
    and four of what the next row gets.
    """
    maps = 128
    if name == 'gated':
        columns = (1 + BLOCKS) * (8 * width + 10) + 4 * width
    elif model.xp is np:
        columns = BLOCKS * (2 * width + 6)
    else:
        columns = BLOCKS * (5 * width + 5)
    weights = sum(param.size for param in model.params())
    return 4 * maps * batch * columns + 4 * weights + 8 * COLORS * height * width * batch


def peak_memory(function, model, *args):
    """The bytes that a function allocates; on a GPU, those that CuPy's pool takes of the device."""
    if model.xp is np:
        tracemalloc.start()
        function(model, *args)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak
    pool = chainer.backends.cuda.memory_pool
    pool.free_all_blocks()
    before = pool.total_bytes()
    function(model, *args)
    return pool.total_bytes() - before


def main():
    parser = make_parser()
    args = parser.parse_args()
    with parser.reporting():
        device = devices.use_device(args)
    np.random.seed(0)
    model = make_model(args.model)
    model.to_device(device)
    print_times(model, 'images of 28×28', [
        (batch, (batch, COLORS, 28, 28)) for batch in (1, 4, 16, 32, 100)], args.repeats)
    print_times(model, 'size, 16 images', [
        (f'{size}×{size}', (16, COLORS, size, size)) for size in (7, 14, 28, 56)], args.repeats)
    print_memory(model, args.model)


if __name__ == '__main__':
    main()
