"""A training step of PixelRNN here and in PyTorch, on the same cores in one run.

    OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 python tests/benchmarks/bench_pixelrnn.py

PyTorch's model is the plain form: a loop over rows or skewed columns, the convolutions of the
inputs before, and both directions of the Diagonal BiLSTM side by side. Sizes are the paper's for
MNIST. The order alternates; a time is the median.
"""
import argparse
import resource
import statistics
import time

import wavenet  # noqa: F401  before Chainer
import chainer
import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from wavenet.families import registry

SIZE = 28


class TorchLSTM(nn.Module):
    """A Row LSTM, or with `directions` of 2 a Diagonal BiLSTM, in a residual block."""

    def __init__(self, hidden, directions):
        super().__init__()
        self.hidden, self.directions = hidden, directions
        self.to_state = nn.Conv2d(2 * hidden, directions * 4 * hidden, (1, 3 if directions == 1
                                                                        else 1))
        taps = 3 if directions == 1 else 2
        self.of_states = nn.Conv1d(directions * hidden, directions * 4 * hidden, taps, bias=False,
                                   groups=directions)
        self.output = nn.Conv2d(hidden, 2 * hidden, 1)

    def steps(self, z):
        """z (B, G · 4h, T, N) → h (B, G, h, T, N)"""
        batch, _, _, positions = z.shape
        h = c = z.new_zeros(batch, self.directions, self.hidden, positions)
        padding = (1, 1) if self.directions == 1 else (1, 0)
        results = []
        for of_step in z.unbind(2):
            state = self.of_states(pad(h.flatten(1, 2), padding))
            gates = (of_step + state).view(batch, self.directions, 4, self.hidden, positions)
            o, f, i = torch.sigmoid(gates[:, :, :3]).unbind(2)
            c = f * c + i * torch.tanh(gates[:, :, 3])
            h = o * torch.tanh(c)
            results.append(h)
        return torch.stack(results, 3)

    def forward(self, x):
        if self.directions == 1:
            return x + self.output(self.steps(self.to_state(pad(x, (1, 1))))[:, 0])
        batch, _, height, width = x.shape
        z = self.to_state(x)
        half = z.shape[1] // 2
        z = torch.cat([z[:, :half], z[:, half:].flip(3)], 1)
        # Skewed: each row padded to W + H, cut to W + H - 1, so that row i moves right by i
        columns = width + height - 1
        skewed = pad(z, (0, height)).flatten(2)[:, :, :height * columns]
        skewed = skewed.view(batch, -1, height, columns)
        h = self.steps(skewed.transpose(2, 3)).transpose(3, 4)
        h = pad(h.flatten(3), (0, height)).view(batch, 2, self.hidden, height, columns + 1)
        left, right = h[..., :width].unbind(1)
        right = pad(right.flip(3)[:, :, :-1], (0, 0, 1, 0))
        return x + self.output(left + right)


class TorchNet(nn.Module):
    def __init__(self, hidden, layers, out_hidden, directions):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 2 * hidden, 7, padding=3),
            *[TorchLSTM(hidden, directions) for _ in range(layers)],
            nn.ReLU(), nn.Conv2d(2 * hidden, out_hidden, 1), nn.ReLU(), nn.Conv2d(out_hidden, 1, 1))

    def forward(self, x):
        return self.net(x)


def ours(name, args, x):
    family = registry.get(name)
    model = family.build(family.config(1, args.hidden_dim, args.layers_num, 32, 1))
    optimizer = family.recipe.optimizer(0.001).setup(family.loss(model))
    targets = x.astype('i')
    return lambda: optimizer.update(optimizer.target, x, targets)


def torchs(name, args, x):
    net = TorchNet(args.hidden_dim, args.layers_num, 32, 2 if 'diagonal' in name else 1)
    optimizer = torch.optim.RMSprop(net.parameters(), 0.001)
    x = torch.from_numpy(x)

    def step():
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(net(x), x, reduction='sum').div(len(x)).backward()
        optimizer.step()
    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (('hidden_dim', 16), ('layers_num', 7), ('batchsize', 16), ('runs', 7)):
        parser.add_argument(f'--{option}', type=int, default=default)
    args = parser.parse_args()
    x = (np.random.RandomState(0).rand(args.batchsize, 1, SIZE, SIZE) < 0.3).astype('f')
    chainer.config.train = True
    for name in ('rowlstm', 'diagonal_bilstm'):
        times = {'ours': [], 'PyTorch': []}
        steps = {'ours': ours(name, args, x), 'PyTorch': torchs(name, args, x)}
        for run in range(args.runs + 1):
            for side, step in steps.items():
                start = time.perf_counter()
                step()
                if run:
                    times[side].append(time.perf_counter() - start)
        medians = {side: 1000 * statistics.median(values) for side, values in times.items()}
        print(f'{name}: ours {medians["ours"]:.0f} ms, PyTorch {medians["PyTorch"]:.0f} ms, '
              f'{medians["ours"] / medians["PyTorch"]:.2f} ×')
    print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB')


if __name__ == '__main__':
    main()
