"""Generation of sound by a WaveNet of the author's default size: queues beside the plain loop.

    python tests/benchmarks/bench_wavenet.py [--repeats 5] [--samples 2000]

Prints samples a second, over all sounds of a batch, as the median of the repeats. The loop is
measured for a few samples at the end of a sound of 4,096, the author's default length.
"""
import argparse
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from wavenet import sampling
from wavenet.families.wavenet.model import WaveNet

LENGTH = 4096          # of the author's infer_wavenet.py
OF_LOOP = 3            # samples of the loop that are measured


def rate(count, drawn, repeats, **options):
    """The median of samples a second: `drawn` samples each of `count` sounds."""
    model = WaveNet(256, 32, 32, 5, 10, form='author')
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        sampling.generate(model, seed=0, **options)
        rates.append(count * drawn / (time.perf_counter() - start))
    return statistics.median(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--samples', type=int, default=2000)
    args = parser.parse_args()
    print(f'{"sounds":>8}{"samples/s in all":>20}{"of one sound":>16}')
    for count in 1, 10, 100:
        result = rate(count, args.samples, args.repeats, shape=(count, args.samples))
        print(f'{count:>8}{result:>20,.0f}{result / count:>16,.0f}')
    given = np.zeros((1, LENGTH), 'f'), LENGTH - OF_LOOP
    loop = rate(1, OF_LOOP, args.repeats, shape=(1, LENGTH), given=given, method='naive')
    print(f'the plain loop: {loop:.1f} samples/s')


if __name__ == '__main__':
    main()
