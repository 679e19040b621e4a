"""The cost of a training step, compared with Chainer's own convolution and with PyTorch.

    python tests/benchmarks/bench_training.py [--model gated] [--gpu 0 [--tf32]] [--repeats 5]

A step is forward, backward and Adam. All three compute the same on the same cores: the post's
model, or the gated one in the paper's form, with a batch of 16 RGB images of 28×28, 8 levels,
softmax cross entropy and Adam. In PyTorch, too, the two convolutions of a gate are one, and no row
is computed that would be cropped. The steps of the three take turns in one run; the table shows
medians, and medians of the ratios of neighbouring steps. PyTorch is left out if it is not
installed. On a CPU a second table shows the peak memory of three steps in a process that does
nothing else, and the first lines of a profile of our step follow.
"""
import argparse
import cProfile
import importlib.util
import os
import pstats
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: E402, F401, I001  before Chainer
import chainer  # noqa: E402
import chainer.functions as F  # noqa: E402
import numpy as np  # noqa: E402

from wavenet import cli, devices, models  # noqa: E402
from wavenet.families.gated import model as gated  # noqa: E402
from wavenet.functions import masked_convolution  # noqa: E402

SIZES = {'pixelcnn': ((128, 5), (256, 15)), 'gated': ((64, 5), (128, 15))}  # (feature maps, blocks)
LEVELS = 8
OURS = masked_convolution.masked_chain_2d


def chainers_convolutions(x, layers, relu=True, shortcut=False):
    """`masked_chain_2d` by Chainer's own convolutions."""
    y = x
    for n, (W, b, mask, pad) in enumerate(layers):
        y = F.convolution_2d(F.relu(y) if n or relu else y, W * mask, b, pad=pad)
    return x + y if shortcut else y


def chainer_step(device, kind, hidden_dims, block_num, batch, convolutions):
    """A function that does one step in Chainer, with such convolutions."""
    predictor = models.PixelCNN if kind == 'pixelcnn' else gated.GatedPixelCNN
    model = models.Classifier(predictor(3, hidden_dims, block_num, 16, LEVELS))
    model.to_device(device)
    optimizer = chainer.optimizers.Adam().setup(model)
    batch = [device.send(array) for array in batch]

    def step():
        masked_convolution.masked_chain_2d = models.masked_chain_2d = convolutions
        optimizer.update(model, *batch)
        if device.xp is not np:
            device.xp.cuda.Stream.null.synchronize()
    return step


def torch_masked(in_channels, out_channels, ksize, mask='B', parts=1):
    """A masked convolution; with `parts`, as many of them of one input, as one convolution."""
    import torch
    ksize = ksize if isinstance(ksize, tuple) else (ksize, ksize)

    class Masked(torch.nn.Conv2d):
        def __init__(self):
            super().__init__(in_channels, parts * out_channels, ksize,
                             padding=(ksize[0] // 2, ksize[1] // 2))
            mask_of_one = models.make_mask((out_channels, in_channels) + ksize, mask, 3)
            self.register_buffer('mask', torch.from_numpy(np.concatenate(parts * [mask_of_one])))

        def forward(self, x):
            return torch.nn.functional.conv2d(x, self.weight * self.mask, self.bias,
                                              padding=self.padding)

    return Masked()


def torch_pixelcnn(hidden_dims, block_num):
    import torch

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            half = hidden_dims // 2
            self.convolutions = torch.nn.ModuleList([
                torch_masked(hidden_dims, half, 1), torch_masked(half, half, 3),
                torch_masked(half, hidden_dims, 1)])

        def forward(self, x):
            h = x
            for convolution in self.convolutions:
                h = convolution(torch.relu(h))
            return x + h

    model = torch.nn.Sequential(
        torch_masked(3, hidden_dims, 7, 'A'), *[Block() for _ in range(block_num)],
        torch.nn.ReLU(), torch_masked(hidden_dims, 16, 1),
        torch.nn.ReLU(), torch_masked(16, 3 * LEVELS, 1))
    return model, lambda x, label: model(x)


def torch_gated(hidden_dims, block_num):
    import torch

    def gate(x, label):
        t, s = (x + label[:, :, None, None]).chunk(2, 1)
        return torch.tanh(t) * torch.sigmoid(s)

    class Block(torch.nn.Module):
        def __init__(self, in_channels, ksize, mask='B', last=False):
            super().__init__()
            half = ksize // 2
            self.last = last
            # left, right, top, bottom
            self.border = half, half, half + (mask == 'A'), -(mask == 'A')
            self.vertical = torch.nn.Conv2d(in_channels, 2 * hidden_dims, (half + 1, ksize))
            self.to_h = torch.nn.Conv2d(2 * hidden_dims, 2 * hidden_dims, 1, groups=2)
            self.horizontal = torch_masked(in_channels, hidden_dims, (1, ksize), mask, parts=2)
            self.output = torch_masked(hidden_dims, hidden_dims, 1)
            self.labels = torch.nn.ModuleList([
                torch.nn.Embedding(gated.NUM_CLASSES, 2 * hidden_dims) for _ in range(2 - last)])

        def forward(self, v, h, label):
            v = self.vertical(torch.nn.functional.pad(v, self.border))
            h = gate(self.horizontal(h) + self.to_h(v), self.labels[0](label))
            return None if self.last else gate(v, self.labels[1](label)), self.output(h)

    blocks = torch.nn.ModuleList([Block(3, 7, 'A')] + [
        Block(hidden_dims, 3, last=n == block_num - 1) for n in range(block_num)])
    output = torch.nn.Sequential(
        torch.nn.ReLU(), torch_masked(hidden_dims, 16, 1),
        torch.nn.ReLU(), torch_masked(16, 3 * LEVELS, 1))

    def forward(x, label):
        v, h = blocks[0](x, x, label)
        for block in blocks[1:]:
            v, more = block(v, h, label)
            h = h + more
        return output(h)

    return torch.nn.ModuleList([blocks, output]), forward


def torch_step(gpu, kind, hidden_dims, block_num, batch, tf32):
    """A function that does one step in PyTorch."""
    import torch  # not at the top, where it would count as memory of the others
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    place = torch.device('cuda', gpu) if gpu is not None else torch.device('cpu')
    make_model = {'pixelcnn': torch_pixelcnn, 'gated': torch_gated}[kind]
    model, forward = make_model(hidden_dims, block_num)
    model.to(place)
    optimizer = torch.optim.Adam(model.parameters())
    x, t, label = [torch.from_numpy(array).to(place) for array in batch]
    t, label = t.long(), label.long()

    def step():
        optimizer.zero_grad()
        logits = forward(x, label).reshape(len(x), LEVELS, 3, *x.shape[2:])
        loss = torch.nn.functional.cross_entropy(logits, t, reduction='sum') / len(x)
        loss.backward()
        optimizer.step()
        if gpu is not None:
            torch.cuda.synchronize()
    return step


def make_step(peer, device, gpu, kind, size, tf32=False):
    t = np.random.RandomState(0).randint(0, LEVELS, (16, 3, 28, 28)).astype('i')
    batch = t.astype('f') / (LEVELS - 1), t, np.arange(16).astype('i') % gated.NUM_CLASSES
    if peer == 'torch':
        return torch_step(gpu, kind, *size, batch, tf32)
    convolutions = OURS if peer == 'ours' else chainers_convolutions
    return chainer_step(device, kind, *size, batch, convolutions)


def print_row(size, values, unit, ratios):
    """values: ours, Chainer's and, if it is installed, PyTorch's. ratios: ours to the others."""
    maps, blocks = size
    cells = [f'{value:.3f} {unit}' for value in values] + ['—'] * (3 - len(values))
    cells += [f'{ratio:.2f}' for ratio in ratios] + ['—'] * (2 - len(ratios))
    print(f'| {maps} maps, {blocks} blocks | {" | ".join(cells)} |', flush=True)


def print_head(title):
    print(f"\n| {title} | ours | Chainer's convolution | PyTorch | ours / Chainer | "
          f'ours / PyTorch |')
    print('| --- ' * 6 + '|')


def measure_time(peers, device, gpu, kind, tf32, repeats):
    print_head('one step of')
    for size in SIZES[kind]:
        steps = [make_step(peer, device, gpu, kind, size, tf32) for peer in peers]
        for step in steps:
            step()
        times = np.zeros((repeats, len(steps)))
        for repeat in times:
            for n, step in enumerate(steps):
                start = time.perf_counter()
                step()
                repeat[n] = time.perf_counter() - start
        print_row(size, np.median(times, axis=0), 's',
                  np.median(times[:, :1] / times[:, 1:], axis=0))


def measure_memory(peers, kind):
    print_head('peak memory')
    for size in SIZES[kind]:
        peaks = []
        for peer in peers:
            command = [sys.executable, __file__, '--model', kind, '--only', peer, *map(str, size)]
            peaks.append(float(subprocess.check_output(command)))
        print_row(size, peaks, 'GiB', [peaks[0] / peak for peak in peaks[1:]])


def measure_memory_of_one(step):
    """Prints the peak memory of this process after three steps, in GiB."""
    for _ in range(3):
        step()
    with open('/proc/self/status') as status:
        peak, = [line.split()[1] for line in status if line.startswith('VmHWM:')]
    print(int(peak) / 2 ** 20)                               # KiB → GiB


def profile(device, kind):
    maps, blocks = size = SIZES[kind][-1]
    step = make_step('ours', device, None, kind, size)
    step()
    profiler = cProfile.Profile()
    profiler.runcall(step)
    print(f'\nWhere a step of {maps} maps, {blocks} blocks spends its time (the main thread; '
          f'OPENBLAS_NUM_THREADS=1 shows all of it):')
    pstats.Stats(profiler).sort_stats('tottime').print_stats(12)


def main():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    devices.add_device_options(parser)
    devices.add_tf32_option(parser)
    parser.add_argument('--model', choices=sorted(SIZES), default='pixelcnn',
                        help='the model to measure (default: %(default)s)')
    parser.add_argument('--repeats', type=cli.whole_number(1), default=5, metavar='N',
                        help='how often each step is measured (default: %(default)s)')
    parser.add_argument('--only', nargs=3, help=argparse.SUPPRESS)  # `measure_memory` uses it
    args = parser.parse_args()
    with parser.reporting():
        device = devices.use_device(args)
    gpu = None if device.xp is np else device.device.id
    if args.only:
        peer, *size = args.only
        measure_memory_of_one(make_step(peer, device, gpu, args.model, [int(n) for n in size]))
        return
    peers = ['ours', 'chainer'] + ['torch'] * bool(importlib.util.find_spec('torch'))
    measure_time(peers, device, gpu, args.model, args.tf32, args.repeats)
    if gpu is None:
        measure_memory(peers, args.model)
        profile(device, args.model)


if __name__ == '__main__':
    main()
