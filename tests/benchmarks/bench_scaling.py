"""The gain of several processes: weak and strong scaling, and the share of the all-reduce.

    mpiexec -n 2 --bind-to none python tests/benchmarks/bench_scaling.py [--repeats 7]
    mpiexec -n N python tests/benchmarks/bench_scaling.py --communicator pure_nccl --gpu 0

It measures the post's model with RGB images of 28×28 and 8 levels. A step is forward, backward,
ChainerMN's all-reduce, Adam, and the messages of train.py: the losses, and whether to stop. One
process with all cores (or one GPU) and N processes that share the cores (or have a GPU each) take
turns in one run; while one process works alone, the others sleep. The tables show medians, and
medians of the ratios within a round. "Waiting" is the time that a process waits for the slowest
one, before the all-reduce.

The last table is not measured. It is a model of steps on GPUs: the time of the arithmetic, and then
that of a ring all-reduce of the gradients, since ChainerMN does not overlap them,
2 (N - 1) · (bytes / N / speed of the slowest link + latency).
"""
import os
import sys
import time
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: F401  before Chainer
import chainer
import numpy as np

from wavenet import cli, devices, models
from wavenet.functions import threads
from wavenet.training import data_parallel, teams

MEASURED, PREDICTED = (128, 5), (256, 15)  # feature maps, blocks
BATCH, COLORS, PIXELS, LEVELS, OUT_HIDDEN_DIMS = 16, 3, 28 * 28, 8, 16


def make_model(hidden_dims, block_num):
    return models.Classifier(models.PixelCNN(
        COLORS, hidden_dims, block_num, OUT_HIDDEN_DIMS, LEVELS))


def flops(hidden_dims, block_num, batch):
    """Floating-point operations of a step, without masked taps. Backward takes twice forward."""
    half = hidden_dims // 2
    multiplications = (
        25 * COLORS * hidden_dims                                  # 24 + 1 of the 7×7 taps
        + block_num * (2 * hidden_dims * half + 5 * half * half)   # 4 + 1 of the 3×3 taps
        + OUT_HIDDEN_DIMS * (hidden_dims + COLORS * LEVELS))
    return 3 * 2 * multiplications * PIXELS * batch


def gradient_bytes(hidden_dims, block_num):
    return 4 * make_model(hidden_dims, block_num).count_params()


class Worker:
    """One of the processes, with a model and its batches."""

    def __init__(self, team, device):
        from chainermn import create_multi_node_optimizer
        self.team, self.device = team, device
        np.random.seed(0)
        model = make_model(*MEASURED)
        model.to_device(device)
        self.alone = chainer.optimizers.Adam().setup(model)
        self.together = create_multi_node_optimizer(
            self.alone, data_parallel.Communicator(team.comm, self.alone))
        self.together.update()
        self.parts = {}                                      # seconds of the last steps
        mean = team.comm.multi_node_mean_grad

        def timed_mean(*args):
            start = self.now()
            team.comm.mpi_comm.Barrier()
            waited = self.now()
            mean(*args)
            self.parts['waiting'] += waited - start
            self.parts['all-reduce'] += self.now() - waited
        team.comm.multi_node_mean_grad = timed_mean

    def now(self):
        if self.device.xp is not np:
            self.device.xp.cuda.Stream.null.synchronize()
        return time.perf_counter()

    def steps(self, batch, count, cores, together):
        """Does some steps, alone or all processes together.

        Returns: seconds of a 'step' and, together, of 'waiting' and of the 'all-reduce'; empty in
        processes that sleep meanwhile.
        """
        sleeping_barrier(self.team)
        if not together and self.team.rank:
            sleeping_barrier(self.team)
            return {}
        use_cores(cores)
        optimizer = self.together if together else self.alone
        t = np.random.RandomState(0).randint(0, LEVELS, (batch, COLORS, 28, 28)).astype('i')
        arrays = [self.device.send(array) for array in (t.astype('f') / (LEVELS - 1), t)]
        self.parts = {'step': 0, 'waiting': 0, 'all-reduce': 0}
        for number in range(count + 1):
            if number == 1:                                  # the first only warms up
                self.parts = dict.fromkeys(self.parts, 0)
                start = self.now()
            optimizer.update(optimizer.target, *arrays)
            if together:
                for _ in range(2):                           # two losses
                    self.team.comm.allreduce_obj(1.0)
                self.team.gather(0)
        self.parts['step'] = self.now() - start
        if not together:
            sleeping_barrier(self.team)
        return {name: seconds / count for name, seconds in self.parts.items()}


def sleeping_barrier(team):
    """Waits for all processes. MPI's own barrier would keep a core busy."""
    request = team.comm.mpi_comm.Ibarrier()
    while not request.Test():
        time.sleep(0.002)


def use_cores(cores):
    threads.WORKERS = cores
    for library in threads._blas.lib_controllers:
        library.set_num_threads(cores)


class Row(NamedTuple):
    """A row of the measured table."""
    name: str
    processes: int
    cores: int    # of each process
    batch: int    # of each process
    rounds: list  # what `Worker.steps` returns, for each round

    def median(self, part):
        return median(results[part] for results in self.rounds)


def measure(worker, cores, repeats, count):
    size = worker.team.size
    each = max(1, cores // size)
    rows = [
        Row('one process', 1, cores, BATCH, []),
        Row('strong scaling', size, each, max(1, BATCH // size), []),
        Row('one process', 1, cores, size * BATCH, []),
        Row('weak scaling', size, each, BATCH, []),
        Row('one process, the other cores idle', 1, each, BATCH, [])]
    for _ in range(repeats):
        for row in rows:
            row.rounds.append(worker.steps(row.batch, count, row.cores, row.processes > 1))
    return rows


def median(values):
    return float(np.median(list(values)))


def print_measured(rows, gpu):
    maps, blocks = MEASURED
    unit = 'GPUs' if gpu else 'cores'
    print(f'\n| {maps} maps, {blocks} blocks | processes × {unit} | batch | step | images/s | '
          f'to one process | waiting | all-reduce |')
    print('| --- ' * 8 + '|')
    for one, row in zip([None] + rows, rows):
        name = 'one process, again' if gpu and row is rows[-1] else row.name
        step, cores = row.median('step'), 1 if gpu else row.cores
        batch, ratio, shares = row.batch, '', ['', '']
        if row.processes > 1:
            batch = f'{row.processes} × {batch}'
            ratio = median(before['step'] / results['step']
                           for before, results in zip(one.rounds, row.rounds))
            ratio = f'{ratio:.2f}'
            shares = [median(results[part] / results['step'] for results in row.rounds)
                      for part in ('waiting', 'all-reduce')]
            shares = [f'{100 * share:.1f} %' for share in shares]
        cells = [name, f'{row.processes} × {cores}', batch, f'{step:.3f} s',
                 f'{row.processes * row.batch / step:.1f}', ratio, *shares]
        print(f'| {" | ".join(map(str, cells))} |')

    weak, alone = rows[3:]
    size, seconds = gradient_bytes(*MEASURED), weak.median('all-reduce')
    moved = 2 * (weak.processes - 1) / weak.processes * size
    print(f'\nThe all-reduce of {size / 1e6:.2f} MB took {seconds * 1e3:.2f} ms: '
          f'{moved / seconds / 1e9:.2f} GB/s. One process on its share of the machine plus the '
          f'all-reduce: {alone.median("step") + seconds:.3f} s a step; measured: '
          f'{weak.median("step"):.3f} s.')


def print_predicted(args):
    maps, blocks = PREDICTED
    compute = flops(*PREDICTED, BATCH) / (args.tflops * 1e12)
    size = gradient_bytes(*PREDICTED)
    print(f'\n| {maps} maps, {blocks} blocks, batch {BATCH} on each GPU | steps/s | images/s | '
          f'all-reduce | to one GPU |')
    print('| --- ' * 5 + '|')
    for name, gpus, link in (('1 GPU', 1, args.link), ('8 on one host', 8, args.link),
                             ('64 on eight', 64, args.network)):
        reduce = 2 * (gpus - 1) * (size / gpus / (link * 1e9) + args.latency * 1e-6)
        step = compute + reduce
        print(f'| {name} | {1 / step:.1f} | {gpus * BATCH / step:.0f} | '
              f'{reduce * 1e3:.2f} ms, {100 * reduce / step:.1f} % | {gpus * compute / step:.1f} |')
    gflop = flops(*PREDICTED, BATCH) / 1e9
    print(f'\nAssumed: {gflop:.3g} GFLOP a step at {args.tflops:g} TFLOP/s; '
          f'{size / 1e6:.3g} MB of gradients in float32; {args.link:g} GB/s between the GPUs of a '
          f'host, {args.network:g} GB/s between hosts, {args.latency:g} µs a message.')


def make_parser():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    devices.add_device_options(parser)
    teams.add_option(parser)
    parser.add_argument('--repeats', type=cli.whole_number(1), default=7, metavar='N',
                        help='how often all rows are measured (default: %(default)s)')
    parser.add_argument('--steps', type=cli.whole_number(1), default=4, metavar='N',
                        help='steps of one measurement (default: %(default)s)')
    for name, default, what in (
            ('tflops', 10, 'TFLOP/s that a GPU reaches'), ('link', 100, 'GB/s within a host'),
            ('network', 10, 'GB/s between hosts'), ('latency', 20, 'µs of a message')):
        parser.add_argument(f'--{name}', type=cli.positive_number, default=default, metavar='X',
                            help=f'assumed: {what} (default: %(default)s)')
    return parser


def main():
    parser = make_parser()
    if '--communicator' not in sys.argv:
        sys.argv += ['--communicator', 'naive']
    args, team = teams.join(parser)
    cores = len(os.sched_getaffinity(0))
    with team.reporting():
        team.connect(args)
        device = devices.use_device(args)
        if team.size < 2:
            raise ValueError('start it with mpiexec -n 2 --bind-to none')
    worker = Worker(team, device)
    rows = measure(worker, cores, args.repeats, args.steps)
    if team.rank == 0:
        print_measured(rows, args.gpu >= 0)
        print_predicted(args)


if __name__ == '__main__':
    main()
