"""PixelCNN++: generation beside one run of the model, and a training step beside PyTorch's.

    python tests/benchmarks/bench_pixelcnn_pp.py [--nr_filters 64] [--nr_resnet 2] [--repeats 5]

16 images of 32×32, three colours, 10 logistics, without dropout. Each part runs in a process of
its own, so that the threads of PyTorch and of NumPy do not meet; the parts take turns. Prints
medians of seconds; those of PyTorch where it is installed.
"""
import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import numpy as np

SHAPE = 16, 3, 32, 32
COMPONENTS = 10
TURNS = 3


def seconds(function, repeats):
    """The median of some calls after the first one."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def images():
    return np.random.RandomState(0).random_sample(SHAPE).astype('f')


def ours(args):
    """Seconds of one run, of generation, and of a training step."""
    import wavenet  # noqa: F401  before Chainer
    # isort: split
    import chainer

    from wavenet import sampling
    from wavenet.families import registry
    from wavenet.families.pixelcnn_pp.model import PixelCNNPP
    from wavenet.functions import threads
    from wavenet.models import Classifier

    threads.keep_freed_memory()
    x = images()
    model = Classifier(PixelCNNPP(3, args.nr_resnet, args.nr_filters, COMPONENTS))
    model.predictor.initialize(x)
    optimizer = registry.get('pixelcnn++').recipe.optimizer(0.001).setup(model)
    targets = (x * 255).astype('i')

    def run():
        with chainer.no_backprop_mode(), chainer.using_config('train', False):
            model.predictor(x)

    return (seconds(run, args.repeats),
            seconds(lambda: sampling.generate(model.predictor, SHAPE, 0), args.repeats),
            seconds(lambda: optimizer.update(model, x, targets), args.repeats))


def pytorch(args):
    """Seconds of a training step."""
    import torch

    x = torch.from_numpy(images())
    model = torch_model(args.nr_resnet, args.nr_filters)
    optimizer = torch.optim.Adam(model.parameters(), 0.001)

    def step():
        optimizer.zero_grad()
        torch_loss(model(x), x).backward()
        optimizer.step()

    return seconds(step, args.repeats),


def torch_model(blocks, maps):
    """The network in PyTorch, as its users write it."""
    import torch
    from torch.nn import functional as F

    class Convolution(torch.nn.Module):
        """With weight normalization, one g for each output map."""

        def __init__(self, inputs, outputs, kernel, kind, stride=1):
            super().__init__()
            self.kernel, self.kind, self.stride = kernel, kind, stride
            pair = (inputs, outputs) if kind.startswith('up') else (outputs, inputs)
            self.v = torch.nn.Parameter(0.05 * torch.randn(*pair, *kernel))
            self.g = torch.nn.Parameter(torch.ones(outputs))
            self.b = torch.nn.Parameter(torch.zeros(outputs))

        def forward(self, x):
            up = self.kind.startswith('up')
            shape = (1, -1, 1, 1) if up else (-1, 1, 1, 1)
            axes = (0, 2, 3) if up else (1, 2, 3)
            W = self.g.view(shape) * self.v / self.v.pow(2).sum(axes, keepdim=True).sqrt()
            if self.kind == 'up':
                return F.conv_transpose2d(x, W, self.b, stride=2, padding=(0, 1),
                                          output_padding=(0, 1))
            if self.kind == 'up_right':
                return F.conv_transpose2d(x, W, self.b, stride=2)
            kh, kw = self.kernel
            left, right = (kw // 2, kw // 2) if self.kind == 'down' else (kw - 1, 0)
            x = F.pad(x, (left, right, kh - 1, 0)) if kh * kw > 1 else x
            return F.conv2d(x, W, self.b, stride=self.stride)

    def concat_elu(x):
        return F.elu(torch.cat([x, -x], 1))

    class Block(torch.nn.Module):
        def __init__(self, kind, kernel, shortcuts):
            super().__init__()
            self.conv_in = Convolution(2 * maps, maps, kernel, kind)
            if shortcuts:
                self.shortcut = Convolution(2 * shortcuts * maps, maps, (1, 1), 'dense')
            self.conv_out = Convolution(2 * maps, 2 * maps, kernel, kind)

        def forward(self, x, *shortcuts):
            h = self.conv_in(concat_elu(x))
            if shortcuts:
                h = h + self.shortcut(concat_elu(torch.cat(shortcuts, 1)))
            p, q = self.conv_out(concat_elu(h)).chunk(2, 1)
            return x + p * torch.sigmoid(q)

    def pairs(count, shortcuts):
        return torch.nn.ModuleList([torch.nn.ModuleList([
            Block('down', (2, 3), shortcuts), Block('right', (2, 2), shortcuts + 1)])
            for _ in range(count)])

    def resizes(kinds, stride):
        return torch.nn.ModuleList([torch.nn.ModuleList([
            Convolution(maps, maps, kernel, kind, stride)
            for kind, kernel in zip(kinds, ((2, 3), (2, 2)))]) for _ in range(2)])

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.ModuleList([
                Convolution(4, maps, kernel, kind) for kernel, kind in (
                    ((2, 3), 'down'), ((1, 3), 'down'), ((2, 1), 'right'))])
            self.up = torch.nn.ModuleList([pairs(blocks, 0) for _ in range(3)])
            self.down = torch.nn.ModuleList([pairs(blocks + (n > 0), 1) for n in range(3)])
            self.halving = resizes(('down', 'right'), 2)
            self.doubling = resizes(('up', 'up_right'), 2)
            self.output = Convolution(maps, 10 * COMPONENTS, (1, 1), 'dense')

        def forward(self, x):
            x = torch.cat([2 * x - 1, torch.ones_like(x[:, :1])], 1)
            u, above, left = [layer(x) for layer in self.first]
            u, above = [F.pad(y[:, :, :-1], (0, 0, 1, 0)) for y in (u, above)]
            ul = above + F.pad(left[..., :-1], (1, 0))
            seen = [(u, ul)]
            for n, level in enumerate(self.up):
                for of_u, of_ul in level:
                    u = of_u(u)
                    ul = of_ul(ul, u)
                    seen.append((u, ul))
                if n < 2:
                    u, ul = [layer(y) for layer, y in zip(self.halving[n], (u, ul))]
                    seen.append((u, ul))
            u, ul = seen.pop()
            for n, level in enumerate(self.down):
                for of_u, of_ul in level:
                    u_before, ul_before = seen.pop()
                    u = of_u(u, u_before)
                    ul = of_ul(ul, u, ul_before)
                if n < 2:
                    u, ul = [layer(y) for layer, y in zip(self.doubling[n], (u, ul))]
            return self.output(F.elu(ul))

    torch.manual_seed(0)
    return Network()


def torch_loss(outputs, x):
    """Nats per image, in openai's form."""
    import torch
    from torch.nn import functional as F

    x = 2 * x[:, :, None] - 1                                # (B, C, 1, H, W)
    of_colours = outputs[:, COMPONENTS:].unflatten(1, (3, 3, COMPONENTS))
    means, log_scales, k = of_colours.unbind(2)              # (B, C, M, H, W)
    log_scales, k = log_scales.clamp(min=-7), torch.tanh(k)
    means = torch.stack([means[:, 0], means[:, 1] + k[:, 0] * x[:, 0],
                         means[:, 2] + k[:, 1] * x[:, 0] + k[:, 2] * x[:, 1]], 1)
    inverse = torch.exp(-log_scales)
    middle, half = (x - means) * inverse, inverse / 255
    a, b = middle + half, middle - half
    inside = torch.sigmoid(a) - torch.sigmoid(b)
    density = middle - log_scales - 2 * F.softplus(middle) - np.log(127.5)
    log_p = torch.where(inside > 1e-5, torch.log(inside.clamp(min=1e-12)), density)
    log_p = torch.where(x < -0.999, a - F.softplus(a),
                        torch.where(x > 0.999, -F.softplus(b), log_p))
    mixture = torch.log_softmax(outputs[:, :COMPONENTS], 1)
    return -torch.logsumexp(mixture + log_p.sum(1), 1).sum() / len(x)


PARTS = {'ours': ours, 'pytorch': pytorch}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--nr_filters', type=int, default=64)
    parser.add_argument('--nr_resnet', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--part', choices=PARTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print(*PARTS[args.part](args))
        return
    names = ['ours'] + ['pytorch'] * (importlib.util.find_spec('torch') is not None)
    found = {name: [] for name in names}
    for _ in range(TURNS):
        for name in names:
            output = subprocess.run([sys.executable, *sys.argv, '--part', name], check=True,
                                    stdout=subprocess.PIPE, text=True).stdout
            found[name].append([float(word) for word in output.split()])
    run, generation, step = [statistics.median(times) for times in zip(*found['ours'])]
    pixels = SHAPE[2] * SHAPE[3]
    print(f'one run {run:.3f} s; generation {generation:.3f} s, {generation / run:.2f} runs; the '
          f'plain loop, {pixels} runs, {pixels * run / generation:.0f} times as long')
    print(f'training step: {step:.3f} s', end='')
    if 'pytorch' in found:
        theirs, = [statistics.median(times) for times in zip(*found['pytorch'])]
        print(f'; PyTorch {theirs:.3f} s, ratio {step / theirs:.2f}', end='')
    print()


if __name__ == '__main__':
    main()
