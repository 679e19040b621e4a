"""The device of a command: the options that choose it, and how much memory there is."""
import os

import chainer
import numpy as np

from wavenet.functions import threads


def add_device_options(parser):
    """Adds --gpu and --device. A command line may have one of them."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--gpu', '-g', type=int, default=-1, metavar='N',
                       help='number of the GPU; negative for the CPU (default: %(default)s)')
    group.add_argument('--device', metavar='SPEC',
                       help="Chainer's name of a device instead of --gpu, such as @cupy:0")


def add_tf32_option(parser):
    """Adds --tf32."""
    parser.add_argument('--tf32', action='store_true',
                        help='multiply in TensorFloat-32, on NVIDIA GPUs from Ampere on: faster, '
                             'but rounded to 10 bits instead of 23 (default: off)')


def use_device(args):
    """Makes the device of the options the current one.

    On a CPU, memory of large arrays is kept for the next ones.

    Args:
        args: the options of `add_device_options`, and of `add_tf32_option` if the command has it.

    Returns: the Chainer device.

    Raises: ValueError if the device cannot be used.
    """
    specifier = args.device
    if specifier is None:
        specifier = f'@cupy:{args.gpu}' if args.gpu >= 0 else '@numpy'
    tf32 = getattr(args, 'tf32', False)
    if tf32:
        os.environ['CUPY_TF32'] = '1'  # CuPy reads it before its first product
    try:
        device = chainer.get_device(specifier)
        device.use()
    except Exception as error:  # CuPy's errors cannot be named without CuPy
        reason = str(error).strip().split('\n')[0]
        if 'cupy' in specifier or specifier.isdigit():
            reason = _why_no_gpu() or reason
        option = f'--gpu {args.gpu}' if args.device is None else f'--device {args.device}'
        raise ValueError(f'{option}: cannot use the device {specifier!r} ({reason}): give --gpu -1 '
                         'for the CPU') from error
    if tf32 and device.xp is np:
        raise ValueError('--tf32 is for NVIDIA GPUs: give --gpu, or leave it out')
    if device.xp is np:
        threads.keep_freed_memory()
    return device


def describe(device):
    """A Chainer device in words."""
    if device.xp is np:
        return f'the CPU ({threads.WORKERS} thread{"s" * (threads.WORKERS > 1)})'
    number = device.device.id
    name = device.xp.cuda.runtime.getDeviceProperties(number)['name'].decode()
    return f'GPU {number} ({name})'


def _why_no_gpu():
    try:
        import cupy
    except ImportError:
        return 'CuPy is not installed: requirements.txt says which version fits'
    try:
        return f'this machine has {cupy.cuda.runtime.getDeviceCount()} CUDA device(s)'
    except Exception as error:
        return f'CuPy finds no NVIDIA GPU: {error}'


def check_memory(size, what):
    """Raises: MemoryError if `what` needs `size` bytes, and the machine has less memory.

    Linux grants more memory than there is, and kills a process that uses it.
    """
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if size > memory:
        raise MemoryError(f'{what} would need {size / 1e9:.3g} GB, this machine has '
                          f'{memory / 1e9:.3g}')
