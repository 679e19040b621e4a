"""What the commands share: one-line errors, and the choice of a device."""
import argparse
import contextlib
import sys

import chainer
import numpy as np

from wavenet import parallel

# What a user's mistake or an exhausted machine raises, here and in the libraries
ERRORS = (OSError, ValueError, MemoryError, OverflowError)


class ArgumentParser(argparse.ArgumentParser):
    """argparse, with errors of one line, and '-' as good as '_' in the name of an option."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(self, args=None, namespace=None):
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([_underscored(arg) for arg in args], namespace)

    def error(self, message, status=2):
        self.exit(status, '{}: error: {}\n'.format(self.prog, ' '.join(str(message).split())))

    @contextlib.contextmanager
    def reporting(self, status=2):
        """Ends the command with one line where the block raises one of `ERRORS`."""
        try:
            yield
        except ERRORS as error:
            message = str(error)
            if isinstance(error, OSError) and error.filename is not None:
                message = '{!r}: {}'.format(error.filename, error.strerror)
            elif isinstance(error, MemoryError):
                message = 'not enough memory: {}'.format(message)
            self.error(message, status)


def _underscored(arg):
    name, equals, value = arg.partition('=')
    if not name.startswith('--'):
        return arg
    return '--' + name[2:].replace('-', '_') + equals + value


def run(command, parser):
    """Calls a command with its parser; Ctrl-C ends it with one line, status 130."""
    try:
        return command(parser)
    except KeyboardInterrupt:
        print('{}: interrupted'.format(parser.prog), file=sys.stderr)
        return 130


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


def positive_number(text):
    """An argparse type: a finite float above 0."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError('must be above 0 and finite, got {}'.format(text))
    return value


positive_number.__name__ = 'number'  # argparse names it where float() fails


def nonnegative_number(text):
    """An argparse type: a finite float, 0 or above."""
    value = float(text)
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError('must be 0 or above and finite, got {}'.format(text))
    return value


nonnegative_number.__name__ = 'number'


def add_device_options(parser):
    """--gpu and --device, of which one may be given."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--gpu', '-g', type=int, default=-1, metavar='N',
                       help='number of the GPU; negative for the CPU (default: %(default)s)')
    group.add_argument('--device', metavar='SPEC',
                       help="Chainer's name of a device, such as @numpy or @cupy:0, instead of --gpu")


def use_device(args):
    """Makes the device that the options name the current one; on a CPU, keeps memory for large arrays.

    Returns: the Chainer device.

    Raises: ValueError where it is not there.
    """
    specifier = args.device
    if specifier is None:
        specifier = '@cupy:{}'.format(args.gpu) if args.gpu >= 0 else '@numpy'
    try:
        device = chainer.get_device(specifier)
        device.use()
    except Exception as error:  # CuPy's own errors included, which cannot be named without CuPy
        reason = str(error).strip().split('\n')[0]
        if 'cupy' in specifier or specifier.isdigit():
            reason = _why_no_gpu() or reason
        raise ValueError('cannot use the device {!r} ({}): give --gpu -1 for the CPU'.format(
            specifier, reason)) from error
    if device.xp is np:
        parallel.keep_freed_memory()
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
