"""The device of a command: the options that choose it, and how much memory there is."""
import contextlib
import math
import os
import re
import resource
from pathlib import Path, PurePosixPath

import chainer
import numpy as np

from wavenet.functions import threads

MISSING = re.compile('Failure finding|cannot open shared object')  # one of CUDA's libraries


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
        if device.xp is not np:
            device.xp.arange(2) + 1  # finds what CUDA's libraries lack before any work is done
    except Exception as error:  # CuPy's errors cannot be named without CuPy
        lines = str(error).strip().split('\n')
        # Chainer puts what CuPy says below a line of its own
        reason = next((line for line in lines if MISSING.search(line)), lines[0])
        reason = reason.split('#installation).')[-1]
        if 'cupy' in specifier or specifier.isdigit():
            reason = _why_no_gpu(specifier, reason)
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


def _why_no_gpu(specifier, reason):
    """Why a GPU cannot be used, in words, for the `reason` that CuPy gives."""
    try:
        import cupy
    except ImportError:
        return 'CuPy is not installed: requirements.txt says which version fits'
    try:
        count = cupy.cuda.runtime.getDeviceCount()
        major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    except Exception as error:
        return f'CuPy finds no NVIDIA GPU: {error}'
    number = specifier.rpartition(':')[2]
    if number.isdecimal() and int(number) >= count:
        return f'this machine has {count} CUDA device(s)'
    if MISSING.search(reason):
        return f"{reason}; CUDA's libraries: pip install 'cupy-cuda{major}x[ctk]'"
    return reason


def check_memory(size, what, cure=''):
    """Raises: MemoryError if `what` needs `size` bytes and the machine has less memory. `cure` says
    what to do.

    Linux grants more memory than there is, and kills a process that uses it.
    """
    memory, whose = memory_limit()
    if size > memory:
        raise MemoryError(f'{what} would need {size / 1e9:.3g} GB, {whose} {memory / 1e9:.3g} GB'
                          + f': {cure}' * bool(cure))


def memory_limit(device=None):
    """The memory that this process can have.

    Args:
        device: a Chainer device, for the memory of a GPU; by default, the memory of the machine.

    Returns: (bytes, the beginning of a sentence that says so, such as 'this machine has').
    """
    if device is not None and device.xp is not np:
        return device.device.mem_info[1], f'GPU {device.device.id} has'
    limits = {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'): 'this machine has',
              resource.getrlimit(resource.RLIMIT_AS)[0]: 'ulimit -v allows',
              cgroup_limit(): "this process's control group (a container's limit) has"}
    least = min(limit for limit in limits if limit > 0)
    return least, limits[least]


def cgroup_limit(root='/'):
    """The least memory limit, in bytes, of the control groups of this process, versions 1 and 2;
    infinite without one.

    A group is also limited by the groups above it. In a container, the path of a group may be that
    of the host, so its folders need not exist.
    """
    limit = math.inf
    with contextlib.suppress(OSError):
        for line in Path(root, 'proc/self/cgroup').read_text().splitlines():
            _, controllers, path = line.split(':', 2)
            if 'memory' in controllers.split(','):
                top, name = Path(root, 'sys/fs/cgroup/memory'), 'memory.limit_in_bytes'
            elif not controllers:
                top, name = Path(root, 'sys/fs/cgroup'), 'memory.max'
            else:
                continue
            group = PurePosixPath(path.lstrip('/'))
            for folder in [group, *group.parents]:
                with contextlib.suppress(OSError, ValueError):  # no such file, or 'max'
                    limit = min(limit, int((top / folder / name).read_text()))
    return limit
