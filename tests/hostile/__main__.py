"""Tries all cases, or those of some kinds: `python -m hostile [KIND…]`.

Each case runs in a forked process, so that Python and its modules are loaded once. An audit hook
records everything that would write, remove, start a program, unpickle or use the network.
"""
import argparse
import collections
import contextlib
import ctypes
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

os.environ['OPENBLAS_NUM_THREADS'] = '1'  # threads do not survive a fork
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import numpy as np
from PIL import Image

from hostile import command_lines, data_sets, model_files, sounds
from wavenet import cli, serialization
from wavenet.commands import generate, train
from wavenet.data import load_sound

KINDS = ['model_files', 'data_sets', 'sounds', 'command_lines']
SECONDS = 10        # of CPU time that a command may take
HANGING = 120       # seconds after which a command hangs, however busy the machine is
BYTES = 10 ** 9     # of memory that a case may take
NET = 3 * 10 ** 9   # of address space, so that the machine survives a case that takes more

TRAIN = ['--dataset', 'digits', '--test_limit', '2', '--batchsize', '2', '--channels', '1',
         '--levels', '2',
         '--hidden_dim', '2', '--blocks_num', '1', '--out_hidden_dim', '4', '--iteration', '2']
GENERATE = ['--model', 'model.npz', '--seed', '0', '--count', '2', '--output', 'out.png']

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
EVENTS = ('os.', 'shutil.', 'subprocess.', 'socket.', 'pickle.', 'pty.', 'urllib.', 'http.')
HARMLESS = ('os.listdir', 'os.scandir', 'os.walk')


def main(kinds, one_in):
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        base = _good_files()
        failed = sum(_try_all(kind, one_in, base, folder) for kind in kinds)
    return 1 if failed else 0


def _good_files():
    """Trains and generates once, which also loads all modules that the cases need.

    Returns: {'model': bytes, 'snapshot': bytes}.
    """
    for command, arguments in ((train, TRAIN[:-1] + ['1']), (generate, GENERATE)):
        if command is generate:
            os.replace('out/model.npz', 'model.npz')
        with contextlib.redirect_stdout(io.StringIO()):
            assert _main(command, arguments) == 0
    # Undo wavenet.functions.threads.keep_freed_memory: each fork would keep what a large case took
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        ctypes.CDLL(None).mallopt(parameter, 1 << 17)
    return {name: _read(path)
            for name, path in (('model', 'model.npz'), ('snapshot', 'out/snapshot_iter_1'))}


def _read(path):
    with open(path, 'rb') as file:
        return file.read()


def _cases(kind, base):
    if kind == 'model_files':
        return model_files.cases(**base)
    return {'data_sets': data_sets, 'sounds': sounds, 'command_lines': command_lines}[kind].cases()


def _sample(cases, one_in):
    """One of each `one_in` cases in a row, at random with a fixed seed. So all kinds come up."""
    generator = random.Random(0)
    for number, case in enumerate(cases):
        if number % one_in == 0:
            chosen = number + generator.randrange(one_in)
        if number == chosen:
            yield case


def _try_all(kind, one_in, base, folder):
    """Prints the cases that fail, and a summary. Returns: how many failed."""
    statuses, failed, tried = collections.Counter(), 0, 0
    slowest = largest = (0, '')
    start = time.monotonic()
    for case in _sample(_cases(kind, base), one_in):
        here = os.path.join(folder, 'case')
        os.mkdir(here)
        os.chdir(here)
        _prepare(kind, case, base)
        result, memory = _fork(kind, case)
        os.chdir(folder)
        shutil.rmtree(here)
        slowest = max(slowest, (result['seconds'], ascii(case.name)))
        largest = max(largest, (memory, ascii(case.name)))
        problems = result['problems'] + [f'{memory / 1e6:.0f} MB'] * (memory > BYTES)
        for command, status in result['statuses'].items():
            statuses[command, status] += 1
        tried += 1
        if problems:
            failed += 1
            print('FAILED', ascii(case.name), problems)
    outcomes = ', '.join(f'{command} {status}: {count}'
                         for (command, status), count in sorted(statuses.items()))
    print(f'{kind}: {tried} tried in {time.monotonic() - start:.0f} s, {failed} failed; {outcomes};'
          f' slowest {slowest[0]:.1f} s of CPU ({slowest[1]}),'
          f' largest {largest[0] / 1e6:.0f} MB ({largest[1]})')
    return failed


def _fork(kind, case):
    """Tries a case in a forked process.

    Returns: ({'statuses', 'problems', 'seconds'} of the case, its memory in bytes).
    """
    read, write = os.pipe()
    process = os.fork()
    if not process:
        os.close(read)
        try:
            result = _try(kind, case)
        except BaseException:
            result = dict(statuses={}, seconds=0, problems=[traceback.format_exc()])
        os.write(write, json.dumps(result).encode())
        os._exit(0)
    os.close(write)
    with open(read, 'rb') as file:
        report = file.read()
    _, status, usage = os.wait4(process, 0)
    result = json.loads(report) if report else dict(
        statuses={}, seconds=SECONDS, problems=[f'ended by signal {status}'])
    return result, usage.ru_maxrss * 1024


def _try(kind, case):
    """Runs the commands of a case in this process, which is made for it, and checks each."""
    _limit_resources()
    events = []
    ours = ['out', 'out.png'] + [word for option, word in zip(case.arguments, case.arguments[1:])
                                 if option in ('--out', '--output')]
    sys.addaudithook(_auditor(events, ours))
    result = dict(statuses={}, problems=[], seconds=0)
    for command, call in _commands(kind, case):
        before = _listing()
        del events[:]
        start = time.process_time()
        with _limited_time():
            status, out, err = _call(call)
        seconds = time.process_time() - start
        done = list(events)
        result['seconds'] = max(result['seconds'], seconds)
        result['statuses'][command] = status
        problems = _problems(status, case.expected.get(command, 2), out, err)
        if command == 'beside' and err.count(': warning: ') != (result['statuses']['strict'] == 2):
            problems.append(f'warns: {err[-1000:]}')
        if status == 2 and (_listing() != before or os.path.exists('pwned')):
            problems.append(f'left {set(_listing()) ^ set(before)}')
        result['problems'] += [f'{command}: {problem}' for problem in problems + done]
        shutil.rmtree('out', ignore_errors=True)
    return result


def _prepare(kind, case, base):
    """Makes the files of a case."""
    if kind == 'command_lines':
        for name, content in base.items():
            with open(name + '.npz', 'wb') as file:
                file.write(content)
        for name, size in (('image', (8, 8)), ('other', (8, 7))):
            Image.new('L', size).save(name + '.png')
    case.make('.')


def _limit_resources():
    """Limits the address space, and empties standard input."""
    with open('/proc/self/statm') as file:
        limit = int(file.read().split()[0]) * resource.getpagesize() + NET
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


@contextlib.contextmanager
def _limited_time():
    """Kills this process when the block takes too much CPU time, or hangs."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(HANGING)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.alarm(0)


def _problems(status, expected, out, err):
    """What is wrong with an exit status and what a command says, as lines."""
    problems = []
    # What is worth saying of such images, and stops nothing
    err = ''.join(line for line in err.splitlines(keepends=True)
                  if ': warning: ' not in line and 'transparent pixels become white' not in line)
    if status not in (expected if isinstance(expected, tuple) else (expected,)):
        problems.append(f'status {status}, not {expected}: {err[-1000:]}')
    elif status == 2 and (out or err.count('\n') != 1 or ': error: ' not in err):
        problems.append(f'says {out!r} {err!r}')
    if 'Traceback' in err or status == 0 and err:
        problems.append(f'says {err[-1000:]!r}')
    return problems


def _commands(kind, case):
    """The commands that a case is for: (name, function that runs it)."""
    if kind == 'model_files':
        yield 'load', lambda: _load('file')
        yield 'generate', lambda: _main(generate, GENERATE + ['--model', 'file'])
        yield 'resume', lambda: _main(train, TRAIN + ['--resume', 'file'])
    elif kind == 'sounds':
        if case.file is None:
            yield 'read', lambda: _read_sounds('data')
        else:
            yield 'alone', lambda: _read_sounds(os.path.join('data', case.file))
            yield 'strict', lambda: _read_sounds('data', strict=True)
            yield 'beside', lambda: _read_sounds('data', least=sounds.GOOD)
    elif kind == 'data_sets':
        yield 'train', lambda: _main(train, TRAIN + ['--iteration', '1'] + case.arguments)
    else:
        command, base = {'train': (train, TRAIN), 'generate': (generate, GENERATE)}[case.command]
        yield case.command, lambda: _main(command, base + case.arguments)


def _load(path):
    """load_model as a command."""
    try:
        model = serialization.load_model(path)
    except (OSError, ValueError) as error:
        sys.stderr.write(f'load_model: error: {" ".join(cli.reason(error).split())}\n')
        return 2
    return 0 if all(np.isfinite(param.array).all() for param in model.params()) else 1


def _read_sounds(source, strict=False, least=1):
    """Reads recordings, at least as many as this, as a command."""
    sys.argv = ['read.py']
    try:
        parts = load_sound.read(source, strict=strict)
    except cli.ERRORS as error:
        sys.stderr.write(f'read.py: error: {" ".join(cli.reason(error).split())}\n')
        return 2
    found = [part for part in parts if part is not None]
    fine = all(len(part) and part.lengths.min() > 0 and part.levels.dtype == np.uint8
               and part.lengths.sum() == len(part.levels) for part in found)
    return 0 if fine and sum(map(len, found)) >= least else 1


def _main(command, arguments):
    name = command.__name__.rsplit('.', 1)[-1]
    sys.argv = [f'{name}.py'] + arguments
    try:
        return command.main() or 0
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1


def _call(call):
    """Returns: (status, standard output, standard error), what C libraries write included."""
    streams = []
    for number, name in ((1, 'stdout'), (2, 'stderr')):
        file = tempfile.TemporaryFile()
        os.dup2(file.fileno(), number)
        setattr(sys, name, open(os.dup(number), 'w', errors='backslashreplace'))
        streams.append(file)
    status = call()
    texts = []
    for name, file in zip(('stdout', 'stderr'), streams):
        getattr(sys, name).flush()
        file.seek(0)
        texts.append(file.read().decode(errors='replace'))
    return status, texts[0], texts[1]


def _listing():
    """Types, sizes and times by path of everything here, without the contents of `out`."""
    found = {}
    for folder, folders, names in os.walk('.'):
        if folder == '.':
            folders[:] = [name for name in folders if name != 'out']
        for name in folders + names:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = status.st_mode, status.st_size, status.st_mtime_ns
    return found


def _auditor(events, ours):
    """An audit hook that appends to `events` what is done to paths other than `ours`, which the
    command may write, and what no command ever has to do."""
    def is_ours(path):
        path = os.path.relpath(os.fsdecode(path))
        return any(path == mine or path.startswith((mine + os.sep, _temporary(mine)))
                   for mine in map(os.path.relpath, filter(None, ours)))

    def audit(event, args):
        paths = [path for path in args if isinstance(path, (str, bytes))]
        if event == 'open':
            path, _, flags = args
            if isinstance(path, int) or not flags & WRITING or path in (os.devnull,
                                                                        tempfile.gettempdir()) \
                    or is_ours(path):
                return
        elif not event.startswith(EVENTS) or event in HARMLESS \
                or event.startswith('os.') and paths and all(map(is_ours, paths)):
            return
        events.append(f'{event} {args!r}'[:300])
    return audit


def _temporary(path):
    """How the names of temporary files for a path begin."""
    return os.path.join(os.path.dirname(path), f'.{os.path.basename(path)}.')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(prog='python -m hostile', description=__doc__)
    parser.add_argument('kinds', nargs='*', metavar='KIND', default=KINDS,
                        help=f'{", ".join(KINDS)} (default: all)')
    parser.add_argument('--one-in', type=int, default=1, metavar='N',
                        help='try one case in N only (default: %(default)s)')
    args = parser.parse_args()
    for kind in args.kinds:
        if kind not in KINDS:
            parser.error(f'{kind}: give some of {", ".join(KINDS)}')
    sys.exit(main(args.kinds, args.one_in))
