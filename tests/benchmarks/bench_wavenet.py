"""Generation of sound by a WaveNet of the author's default size, by one busy thread.

    python tests/benchmarks/bench_wavenet.py [--repeats 3] [--samples 2000]

Prints samples a second, over all sounds of a batch, as the median of the repeats: of the compiled
loop (numba), of the queues in NumPy, and of the same queues in PyTorch (Paine et al., 2016, arXiv
1611.09482), as far as numba and PyTorch are installed. All draw from the same model; PyTorch's
draws are from its own random numbers. The plain loop is measured for a few samples at the end of a
sound of 4,096, the author's default length.
"""
import argparse
import importlib.util
import os
import statistics
import sys
import time

for name in 'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS':
    os.environ[name] = '1'
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import wavenet  # noqa: F401  before Chainer
import numpy as np

from wavenet import sampling
from wavenet.families.wavenet.model import WaveNet
from wavenet.families.wavenet.state import QueueState

LENGTH = 4096          # of the author's infer_wavenet.py
OF_LOOP = 3            # samples of the loop that are measured


def by_numpy(model, count, length):
    samples = np.zeros((count, length), 'f')
    uniforms = np.random.RandomState(0).random_sample((length, 1, count))
    QueueState(model, samples, None, 1).run(uniforms, np.zeros(length, bool), lambda steps: None)


def by_numba(model, count, length):
    sampling.generate(model, (count, length), seed=0)


def by_torch(model, count, length):
    """The queues in PyTorch: a ring of inputs for each layer, and small products."""
    import torch
    torch.set_num_threads(1)

    def tensor(array):
        return torch.from_numpy(np.ascontiguousarray(array))

    first = [tensor(model.conv1.W.array[:, :, 0, tap].T) for tap in range(2)]
    first_b = tensor(model.conv1.b.array)
    layers = []
    for layer in model.layers:
        W = layer.gated_conv.W.array
        layers.append((tensor(W[:, :, 0, 0].T), tensor(W[:, :, 0, 1].T),
                       tensor(layer.gated_conv.b.array),
                       tensor(layer.output_conv.W.array[:, :, 0, 0].T),
                       tensor(layer.output_conv.b.array)))
    output = [(tensor(conv.W.array[:, :, 0, 0].T), tensor(conv.b.array))
              for conv in (model.conv2, model.conv3)]
    queues = [torch.zeros(dilation, count, W.shape[0])
              for dilation, (W, *_) in zip(model.config.dilations, layers)]
    before, last = [torch.zeros(count, dtype=torch.long) for _ in range(2)]
    with torch.no_grad():
        for t in range(length):
            x = first[0][before] + first[1][last] + first_b
            skips = 0
            for queue, (past, present, b, W_out, b_out) in zip(queues, layers):
                at = t % len(queue)
                gates = torch.addmm(torch.addmm(b, x, present), queue[at], past)
                queue[at] = x
                filters, gate = gates.chunk(2, 1)
                y = torch.addmm(b_out, torch.tanh(filters) * torch.sigmoid(gate), W_out)
                x, skips = x + y, skips + y
            h = torch.relu(skips)
            h = torch.relu(torch.addmm(output[0][1], h, output[0][0]))
            p = torch.softmax(torch.addmm(output[1][1], h, output[1][0]), 1)
            before, last = last, torch.multinomial(p, 1)[:, 0]


def rate(draw, model, count, length, repeats):
    """The median of samples a second."""
    draw(model, count, 20)          # compiles
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        draw(model, count, length)
        rates.append(count * length / (time.perf_counter() - start))
    return statistics.median(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--samples', type=int, default=2000)
    args = parser.parse_args()
    model = WaveNet(256, 32, 32, 5, 10)
    ways = {'numba': by_numba, 'numpy': by_numpy, 'torch': by_torch}
    ways = {name: way for name, way in ways.items() if importlib.util.find_spec(name)}
    print('| sounds | ' + ' | '.join(ways) + ' |')
    print('| --- ' * (1 + len(ways)) + '|')
    for count in 1, 10, 100:
        cells = [f'{rate(way, model, count, args.samples, args.repeats):,.0f}'
                 for way in ways.values()]
        print(f'| {count} | ' + ' | '.join(cells) + ' |', flush=True)
    given = np.zeros((1, LENGTH), 'f'), LENGTH - OF_LOOP
    start = time.perf_counter()
    sampling.generate(model, (1, LENGTH), seed=0, given=given, method='naive')
    print(f'the plain loop: {OF_LOOP / (time.perf_counter() - start):.1f} samples/s')


if __name__ == '__main__':
    main()
