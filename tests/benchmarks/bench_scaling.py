"""What several processes gain: weak and strong scaling, and the share of the all-reduce in a step.

    mpiexec -n 2 --bind-to none python tests/benchmarks/bench_scaling.py [--repeats 7]
    mpiexec -n N python tests/benchmarks/bench_scaling.py --communicator pure_nccl --gpu 0

Of the post's model, of 28×28 RGB pictures, 8 levels; a step is forward, backward, ChainerMN's
all-reduce, Adam, and the messages of train.py, the losses and whether to stop. One process with all
cores (or one GPU) and N processes that share them (or have one each) take turns in one run; while
one works alone, the others sleep. The tables have medians, and medians of the ratios of a round.
"Waiting" is for the slowest process, before the all-reduce.

The last table is no measurement. It is a model of steps on GPUs: arithmetic / its speed, and then,
since ChainerMN does not overlap them, a ring all-reduce of the gradients,
2 (N - 1) · (bytes / N / the slowest link's speed + latency).
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: E402, F401
import chainer  # noqa: E402
import numpy as np  # noqa: E402

from wavenet import cli, models  # noqa: E402
from wavenet.functions import threads  # noqa: E402
from wavenet.training import data_parallel, teams  # noqa: E402

MEASURED, PREDICTED = (128, 5), (256, 15)  # feature maps, blocks
BATCH, COLORS, PIXELS, LEVELS, OUT_HIDDEN_DIMS = 16, 3, 28 * 28, 8, 16


def make_model(hidden_dims, block_num):
    return models.Classifier(models.PixelCNN(
        COLORS, hidden_dims, block_num, OUT_HIDDEN_DIMS, LEVELS))


def flops(hidden_dims, block_num, batch):
    """Of a step, without what the masks leave out of the taps: backward is twice forward"""
    half = hidden_dims // 2
    multiplications = (
        25 * COLORS * hidden_dims                                  # 7×7, of which 24 + 1 are seen
        + block_num * (2 * hidden_dims * half + 5 * half * half)   # 3×3, of which 4 + 1 are
        + OUT_HIDDEN_DIMS * (hidden_dims + COLORS * LEVELS))
    return 3 * 2 * multiplications * PIXELS * batch


def gradient_bytes(hidden_dims, block_num):
    return 4 * models.count_parameters(COLORS, hidden_dims, block_num, OUT_HIDDEN_DIMS, LEVELS)


class Worker:
    """One of the processes, with a model and the batches it is trained on."""

    def __init__(self, team, device):
        from chainermn import create_multi_node_optimizer
        self.team, self.device = team, device
        np.random.seed(0)
        model = make_model(*MEASURED)
        model.to_device(device)
        self.alone = chainer.optimizers.Adam().setup(model)
        self.together = create_multi_node_optimizer(
            self.alone, data_parallel.Communicator(team.comm))
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
        """Seconds a step; of its parts, too, where all processes do it together."""
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
                for loss in range(2):
                    self.team.comm.allreduce_obj(1.0)
                self.team.gather(0)
        self.parts['step'] = self.now() - start
        if not together:
            sleeping_barrier(self.team)
        return {name: seconds / count for name, seconds in self.parts.items()}


def sleeping_barrier(team):
    """MPI's own would keep a core busy."""
    request = team.comm.mpi_comm.Ibarrier()
    while not request.Test():
        time.sleep(0.002)


def use_cores(cores):
    threads.WORKERS = cores
    for library in threads._blas.lib_controllers:
        library.set_num_threads(cores)


def measure(worker, cores, repeats, count):
    """For each row of the table, (N, cores each, batch each, rounds of parts)."""
    size = worker.team.size
    each = max(1, cores // size)
    rows = [(1, cores, BATCH), (size, each, max(1, BATCH // size)), (1, cores, size * BATCH),
            (size, each, BATCH), (1, each, BATCH)]
    rounds = [[] for _ in rows]
    for _ in range(repeats):
        for (processes, threads, batch), results in zip(rows, rounds):
            results.append(worker.steps(batch, count, threads, processes > 1))
    return [row + (results,) for row, results in zip(rows, rounds)]


def median(values):
    return float(np.median(list(values)))


def print_measured(rows, gpu, unit):
    names = ['one process', 'strong scaling', 'one process', 'weak scaling',
             'one process, {}'.format('again' if gpu else 'the other cores idle')]
    print('\n| {} maps, {} blocks | processes × {} | batch | step | images/s | to one process | '
          'waiting | all-reduce |'.format(*MEASURED, unit))
    print('| --- ' * 8 + '|')
    for n, (name, (processes, cores, batch, rounds)) in enumerate(zip(names, rows)):
        step = median(results['step'] for results in rounds)
        ratio = '{:.2f}'.format(median(
            other['step'] / results['step'] for other, results in zip(rows[n - 1][3], rounds))) \
            if processes > 1 else ''
        shares = ['{:.1f} %'.format(100 * median(
            results[part] / results['step'] for results in rounds)) if processes > 1 else ''
            for part in ('waiting', 'all-reduce')]
        print('| {} | {} × {} | {}{} | {:.3f} s | {:.1f} | {} | {} | {} |'.format(
            name, processes, 1 if gpu else cores, '{} × '.format(processes) * (processes > 1), batch,
            step, processes * batch / step, ratio, *shares))
    _, _, _, weak = rows[3]
    seconds = median(results['all-reduce'] for results in weak)
    size = rows[3][0]
    moved = 2 * (size - 1) / size * gradient_bytes(*MEASURED)
    print('\nThe all-reduce of {:.2f} MB took {:.2f} ms: {:.2f} GB/s. One process on its share of the '
          'machine plus it: {:.3f} s a step; measured, {:.3f} s.'.format(
              gradient_bytes(*MEASURED) / 1e6, seconds * 1e3, moved / seconds / 1e9,
              median(results['step'] for results in rows[4][3]) + seconds,
              median(results['step'] for results in weak)))


def print_predicted(args):
    compute = flops(*PREDICTED, BATCH) / (args.tflops * 1e12)
    size = gradient_bytes(*PREDICTED)
    print('\n| {} maps, {} blocks, batch {} of each GPU | steps/s | images/s | all-reduce | to one GPU |'
          .format(*PREDICTED, BATCH))
    print('| --- ' * 5 + '|')
    for name, gpus, link in (('1 GPU', 1, args.link), ('8 on one host', 8, args.link),
                             ('64 on eight', 64, args.network)):
        reduce = 2 * (gpus - 1) * (size / gpus / (link * 1e9) + args.latency * 1e-6)
        step = compute + reduce
        print('| {} | {:.1f} | {:.0f} | {:.2f} ms, {:.1f} % | {:.1f} |'.format(
            name, 1 / step, gpus * BATCH / step, reduce * 1e3, 100 * reduce / step,
            gpus * compute / step))
    print('\nAssumed: {:.3g} GFLOP a step at {:g} TFLOP/s; {:.3g} MB of gradients, in float32; '
          '{:g} GB/s between the GPUs of a host, {:g} GB/s between hosts, {:g} µs a message.'.format(
              flops(*PREDICTED, BATCH) / 1e9, args.tflops, size / 1e6, args.link, args.network,
              args.latency))


def main():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    cli.add_device_options(parser)
    teams.add_option(parser)
    parser.add_argument('--repeats', type=cli.whole_number(1), default=7, metavar='N')
    parser.add_argument('--steps', type=cli.whole_number(1), default=4, metavar='N')
    for name, default, what in (
            ('tflops', 10, 'TFLOP/s that a GPU reaches'), ('link', 100, 'GB/s within a host'),
            ('network', 10, 'GB/s between hosts'), ('latency', 20, 'µs of a message')):
        parser.add_argument('--' + name, type=cli.positive_number, default=default, metavar='X',
                            help='assumed: {} (default: %(default)s)'.format(what))
    if '--communicator' not in sys.argv:
        sys.argv += ['--communicator', 'naive']
    args, team = teams.join(parser)
    cores = len(os.sched_getaffinity(0))
    with team.reporting():
        team.connect(args)
        device = cli.use_device(args)
        if team.size < 2:
            raise ValueError('start it with mpiexec -n 2 --bind-to none')
    worker = Worker(team, device)
    rows = measure(worker, cores, args.repeats, args.steps)
    if team.rank == 0:
        print_measured(rows, args.gpu >= 0, 'GPUs' if args.gpu >= 0 else 'cores')
        print_predicted(args)


if __name__ == '__main__':
    main()
