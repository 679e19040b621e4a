"""The cost of a training step of WaveNet, compared with PyTorch.

    python tests/benchmarks/bench_wavenet_training.py [--batchsize 16] [--gpu 0] [--repeats 5]

A step is forward, backward and Adam, of the model of the author's default size in the paper's form:
256 levels, 32 maps, 5 stacks of 10 layers. Both compute the same on the same cores: 5,120 targets
of each recording, with their 5,117 samples of context, so that no layer computes a position that is
not seen. In PyTorch, too, the first layer looks its columns up, and the gates are one dilated
conv1d. The steps take turns in one run; the table shows medians, and the median of the ratios of
neighbouring steps. Then the peak memory of three steps, on a CPU each in a process that does
nothing else, and the seconds by function in our step.
"""
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: F401  before Chainer
import chainer
import numpy as np
from chainer.function_hooks import TimerHook

from wavenet import devices
from wavenet.data.windows import WINDOW
from wavenet.families.wavenet.loss import SoundClassifier
from wavenet.families.wavenet.model import WaveNet
from wavenet.functions import threads

LEVELS, MAPS, STACKS, LAYERS = 256, 32, 5, 10


def make_batch(batchsize):
    """Random levels, int32 (B, context + targets)."""
    context = WaveNet(LEVELS, 1, 1, STACKS, LAYERS).config.receptive_field
    return np.random.RandomState(0).randint(
        LEVELS, size=(batchsize, context + WINDOW)).astype('i')


def our_step(device, x):
    model = SoundClassifier(WaveNet(LEVELS, MAPS, MAPS, STACKS, LAYERS))
    model.to_device(device)
    optimizer = chainer.optimizers.Adam().setup(model)
    x = device.send(x)

    def step():
        optimizer.update(model, x, x[:, -WINDOW:])
        if device.xp is not np:
            device.xp.cuda.Stream.null.synchronize()
    return step


def torch_step(gpu, x):
    import torch     # not at the top, where it would count as memory of ours
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, dilation):
            super().__init__()
            self.gates = nn.Conv1d(MAPS, 2 * MAPS, 2, dilation=dilation)
            self.output = nn.Conv1d(MAPS, MAPS, 1)

        def forward(self, x):
            a, b = self.gates(x).chunk(2, 1)
            y = self.output(torch.tanh(a) * torch.sigmoid(b))
            return x[:, :, -y.shape[2]:] + y, y[:, :, -WINDOW:]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.ModuleList([nn.Embedding(LEVELS, MAPS) for _ in range(2)])
            self.layers = nn.ModuleList([
                Layer(2 ** layer) for _ in range(STACKS) for layer in range(LAYERS)])
            self.output = nn.Sequential(nn.ReLU(), nn.Conv1d(MAPS, MAPS, 1), nn.ReLU(),
                                        nn.Conv1d(MAPS, LEVELS, 1))

        def forward(self, levels):
            x = (self.first[0](levels[:, :-1]) + self.first[1](levels[:, 1:])).transpose(1, 2)
            skips = 0
            for layer in self.layers:
                x, skip = layer(x)
                skips = skips + skip
            return self.output(skips)

    place = torch.device('cuda', gpu) if gpu is not None else torch.device('cpu')
    model = Net().to(place)
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.from_numpy(x).long().to(place)

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[:, :-1]), x[:, -WINDOW:])
        loss.backward()
        optimizer.step()
        if gpu is not None:
            torch.cuda.synchronize()
    return step


def make_step(peer, device, gpu, x):
    return our_step(device, x) if peer == 'ours' else torch_step(gpu, x)


def measure_time(device, gpu, x, repeats):
    steps = [make_step(peer, device, gpu, x) for peer in ('ours', 'torch')]
    for step in steps:
        step()
    times = np.zeros((repeats, 2))
    for repeat in times:
        for number, step in enumerate(steps):
            start = time.perf_counter()
            step()
            repeat[number] = time.perf_counter() - start
    ours, theirs = np.median(times, axis=0)
    print(f'a step: ours {ours:.3f} s, PyTorch {theirs:.3f} s, ratio '
          f'{np.median(times[:, 0] / times[:, 1]):.2f}', flush=True)


def measure_memory(batchsize):
    """In processes of their own: `--memory-of ours`."""
    peaks = [float(subprocess.run(
        [sys.executable, __file__, '--memory-of', peer, '--batchsize', str(batchsize)], check=True,
        capture_output=True, text=True).stdout) for peer in ('ours', 'torch')]
    print(f'peak memory: ours {peaks[0]:,.0f} MB, PyTorch {peaks[1]:,.0f} MB, ratio '
          f'{peaks[0] / peaks[1]:.2f}', flush=True)


def print_memory_of(peer, device, x):
    import resource
    step = make_step(peer, device, None, x)
    for _ in range(3):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def print_profile(device, x):
    step = our_step(device, x)
    step()
    with TimerHook() as hook:
        step()
    hook.print_report()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batchsize', type=int, default=16)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--memory-of', choices=('ours', 'torch'))
    devices.add_device_options(parser)
    args = parser.parse_args()
    device = devices.use_device(args)
    x = make_batch(args.batchsize)
    if args.memory_of:
        return print_memory_of(args.memory_of, device, x)
    gpu = args.gpu if device.xp is not np else None
    print(f'{devices.describe(device)}, {threads.WORKERS} cores, batches of {args.batchsize} × '
          f'{WINDOW} targets')
    if gpu is None:
        measure_memory(args.batchsize)     # first: a process inherits the peak of this one
    measure_time(device, gpu, x, args.repeats)
    if gpu is None:
        print_profile(device, x)


if __name__ == '__main__':
    main()
