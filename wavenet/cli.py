"""What the commands share: one-line errors, signals, and the choice of a device."""
import argparse
import contextlib
import io
import os
import signal
import sys

import chainer
import numpy as np

from wavenet.functions import threads

# What a user's mistake or an exhausted machine raises, here and in the libraries
ERRORS = (OSError, ValueError, MemoryError, OverflowError)

_program = None  # the name of the command that runs, for `say`


class ArgumentParser(argparse.ArgumentParser):
    """argparse, with errors of one line, and '-' as good as '_' in the name of an option.

    Args:
        check: called with the parser and the parsed options, for what options mean only together.
    """

    def __init__(self, check=None, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)
        self._check = check

    def parse_args(self, args=None, namespace=None):
        args = super().parse_args(args, namespace)
        if self._check:
            self._check(self, args)
        return args

    def parse_known_args(self, args=None, namespace=None):
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([_underscored(arg) for arg in args], namespace)

    def error(self, message, status=2):
        self.exit(status, '{}: error: {}\n'.format(self.prog, ' '.join(str(message).split())))

    @contextlib.contextmanager
    def reporting(self, status=2, advice=str):
        """Ends the command with one line where the block raises one of `ERRORS`: the reason, and
        what `advice` gives when it is called then."""
        try:
            yield
        except ERRORS as error:
            self.error(reason(error) + advice(), status)


def reason(error):
    """What an exception says, in words."""
    if isinstance(error, OSError) and error.filename is not None:
        return '{!r}: {}'.format(error.filename, error.strerror)
    if isinstance(error, MemoryError):
        return 'not enough memory: {}'.format(error)
    return str(error) or type(error).__name__


def _underscored(arg):
    name, equals, value = arg.partition('=')
    if not name.startswith('--'):
        return arg
    return '--' + name[2:].replace('-', '_') + equals + value


def run(command, parser):
    """Calls a command with its parser, and returns its exit status.

    Ctrl-C and SIGTERM end it with one line, status 130 and 143.
    """
    global _program
    _program = parser.prog
    sys.stdout = sys.stdout or open(os.devnull, 'w')   # None where they are closed
    sys.stderr = sys.stderr or open(os.devnull, 'w')
    if isinstance(sys.stdout, io.TextIOWrapper):  # not in a notebook
        sys.stdout.reconfigure(errors='backslashreplace')  # for file names that it cannot show
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        with parser.reporting(status=1):
            status = command(parser)
            sys.stdout.flush()
        return status
    except KeyboardInterrupt as interruption:
        say('interrupted')
        parser.exit(interruption_status(interruption))  # of several processes, each
    finally:
        try:
            sys.stdout.flush()
        except OSError:  # it has been said; Python would say it again
            with contextlib.suppress(AttributeError, OSError):  # a stream that is no file
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(number, _):
    raise KeyboardInterrupt(number)


def interruption_status(interruption):
    """The exit status for a KeyboardInterrupt, which may hold the number of another signal."""
    return 128 + (interruption.args or (signal.SIGINT,))[0]


def say(message):
    """Writes one line, with the command's name, to standard error, if there still is one."""
    with contextlib.suppress(OSError):
        print(f'{_program or os.path.basename(sys.argv[0])}: {" ".join(message.split())}',
              file=sys.stderr, flush=True)


def shows_progress(stream):
    """Whether a stream is a terminal, for which progress is shown. Open MPI gives each process one,
    which is none to the user."""
    return stream.isatty() and 'OMPI_COMM_WORLD_RANK' not in os.environ


def whole_number(least, most=None):
    """An argparse type: int from `least` to `most`."""
    def parse(text):
        value = int(text)
        if value < least or most is not None and value > most:
            raise argparse.ArgumentTypeError('must be {}, got {}'.format(
                'at least {}'.format(least) if most is None else 'from {} to {}'.format(least, most),
                text))
        return value
    parse.__name__ = 'whole number'  # argparse names it where int() fails
    return parse


def _number(is_right, words):
    def parse(text):
        value = float(text)
        if not is_right(value):
            raise argparse.ArgumentTypeError('must be {}, got {}'.format(words, text))
        return value
    parse.__name__ = 'number'  # argparse names it where float() fails
    return parse


# argparse types
positive_number = _number(lambda x: 0 < x < float('inf'), 'above 0 and finite')
nonnegative_number = _number(lambda x: 0 <= x < float('inf'), '0 or above and finite')
decay_factor = _number(lambda x: 0 < x <= 1, 'above 0, at most 1')
average_factor = _number(lambda x: 0 <= x < 1, '0 or above, below 1')


def add_device_options(parser):
    """--gpu and --device, of which one may be given."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--gpu', '-g', type=int, default=-1, metavar='N',
                       help='number of the GPU; negative for the CPU (default: %(default)s)')
    group.add_argument('--device', metavar='SPEC',
                       help="Chainer's name of a device, such as @numpy or @cupy:0, instead of --gpu")


def add_tf32_option(parser):
    parser.add_argument('--tf32', action='store_true',
                        help='multiply in TensorFloat-32, which NVIDIA GPUs have from Ampere on: '
                             'faster, and rounded to 10 bits instead of 23 (default: off)')


def check_memory(size, what):
    """Raises: MemoryError where the machine has less memory than `size` bytes.

    The system promises more than it has, and ends a process that takes it at its word.
    """
    there = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if size > there:
        raise MemoryError('{} would need {:.3g} GB, this machine has {:.3g}'.format(
            what, size / 1e9, there / 1e9))


def use_device(args):
    """Makes the device that the options name the current one; on a CPU, keeps memory for large arrays.

    Returns: the Chainer device.

    Raises: ValueError where it is not there.
    """
    specifier = args.device
    if specifier is None:
        specifier = '@cupy:{}'.format(args.gpu) if args.gpu >= 0 else '@numpy'
    tf32 = getattr(args, 'tf32', False)
    if tf32:
        os.environ['CUPY_TF32'] = '1'  # CuPy reads it at the first product
    try:
        device = chainer.get_device(specifier)
        device.use()
    except Exception as error:  # CuPy's own errors included, which cannot be named without CuPy
        reason = str(error).strip().split('\n')[0]
        if 'cupy' in specifier or specifier.isdigit():
            reason = _why_no_gpu() or reason
        raise ValueError('cannot use the device {!r} ({}): give --gpu -1 for the CPU'.format(
            specifier, reason)) from error
    if tf32 and device.xp is np:
        raise ValueError('--tf32 is for NVIDIA GPUs: give --gpu, or leave it out')
    if device.xp is np:
        threads.keep_freed_memory()
    return device


def _why_no_gpu():
    try:
        import cupy
    except ImportError:
        return 'CuPy is not installed: requirements.txt says which one fits'
    try:
        return 'this machine has {} CUDA device(s)'.format(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        return 'CuPy finds no NVIDIA GPU: {}'.format(error)
