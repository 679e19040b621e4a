"""Tries all cases, or those of some kinds: `python -m hostile [model_files data_sets command_lines]`.

Each case is tried in a forked process, so that Python and its modules are loaded once. An audit
hook notes all that would write, remove, start a program, unpickle or use the network.
"""
import argparse
import collections
import contextlib
import ctypes
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

os.environ['OPENBLAS_NUM_THREADS'] = '1'  # threads do not survive a fork
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from hostile import command_lines, data_sets, model_files  # noqa: E402
from wavenet import cli, serialization  # noqa: E402
from wavenet.commands import generate, train  # noqa: E402

KINDS = ['model_files', 'data_sets', 'command_lines']
SECONDS = 10
BYTES = 10 ** 9
NET = 3 * 10 ** 9  # of address space, so that the machine survives what does not keep to BYTES

TRAIN = ['--dataset', 'digits', '--test_limit', '2', '--batchsize', '2', '--channels', '1',
         '--levels', '2',
         '--hidden_dim', '2', '--blocks_num', '1', '--out_hidden_dim', '4', '--iteration', '2']
GENERATE = ['--model', 'model.npz', '--seed', '0', '--count', '2', '--output', 'out.png']

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
EVENTS = ('os.', 'shutil.', 'subprocess.', 'socket.', 'pickle.', 'pty.', 'urllib.', 'http.')
HARMLESS = ('os.listdir', 'os.scandir')


def main(kinds):
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        base = _good_files()
        failed = 0
        for kind in kinds:
            failed += _try_all(kind, base, folder)
    return 1 if failed else 0


def _good_files():
    """The bytes of a model and of a snapshot; and all is loaded that the cases will need."""
    for command, arguments in ((train, TRAIN[:-1] + ['1']), (generate, GENERATE)):
        if command is generate:
            os.replace('out/model.npz', 'model.npz')
        sys.argv = [command.__name__ + '.py'] + arguments
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
            assert not command.main()
    # Against wavenet.parallel.keep_freed_memory: what a large case took would stay with each fork
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        ctypes.CDLL(None).mallopt(parameter, 1 << 17)
    return {name: open(path, 'rb').read() for name, path in (
        ('model', 'model.npz'), ('snapshot', 'out/snapshot_iter_1'))}


def _try_all(kind, base, folder):
    cases = {'model_files': lambda: model_files.cases(**base), 'data_sets': data_sets.cases,
             'command_lines': command_lines.cases}[kind]()
    statuses, failed, tried = collections.Counter(), 0, 0
    slowest = largest = (0, '')
    start = time.monotonic()
    for number, case in enumerate(cases):
        here = os.path.join(folder, 'case')
        os.mkdir(here)
        os.chdir(here)
        result, memory = _fork(kind, case, base)
        os.chdir(folder)
        shutil.rmtree(here)
        slowest = max(slowest, (result['seconds'], ascii(case.name)))
        largest = max(largest, (memory, ascii(case.name)))
        problems = result['problems'] + ['{:.0f} MB'.format(memory / 1e6)] * (memory > BYTES)
        for command, status in result['statuses'].items():
            statuses[command, status] += 1
        tried += 1
        if problems:
            failed += 1
            print('FAILED', ascii(case.name), problems)
    outcomes = ', '.join('{} {}: {}'.format(command, status, count)
                         for (command, status), count in sorted(statuses.items()))
    print('{}: {} tried in {:.0f} s, {} failed; {}; slowest {:.1f} s ({}), largest {:.0f} MB'
          ' ({})'.format(kind, tried, time.monotonic() - start, failed, outcomes, *slowest,
                        largest[0] / 1e6, largest[1]))
    return failed


def _fork(kind, case, base):
    """({statuses, problems, seconds} of a case, its memory in bytes)"""
    read, write = os.pipe()
    process = os.fork()
    if not process:
        os.close(read)
        try:
            result = _try(kind, case, base)
        except BaseException:
            result = dict(statuses={}, seconds=0, problems=[traceback.format_exc()])
        os.write(write, json.dumps(result).encode())
        os._exit(0)
    os.close(write)
    with open(read, 'rb') as file:
        report = file.read()
    _, status, usage = os.wait4(process, 0)
    if not report:
        report = json.dumps(dict(statuses={}, seconds=SECONDS,
                                 problems=['ended by signal {}'.format(
            status)]))
    return json.loads(report), usage.ru_maxrss * 1024


def _try(kind, case, base):
    for name, content in base.items():
        if kind == 'command_lines':
            with open(name + '.npz', 'wb') as file:
                file.write(content)
    if kind == 'command_lines':
        for name, size in (('image', (8, 8)), ('other', (8, 7))):
            Image.new('L', size).save(name + '.png')
    case.make('.')
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    soft = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + NET
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    events = []
    ours = ['out', 'out.png'] + [word for option, word in zip(case.arguments, case.arguments[1:])
                                 if option in ('--out', '--output')]
    sys.addaudithook(_auditor(events, ours))
    result = dict(statuses={}, problems=[], seconds=0)
    for command, call in _commands(kind, case):
        expected = case.expected.get(command, 2)
        before = _listing()
        del events[:]
        signal.alarm(SECONDS)
        start = time.monotonic()
        status, out, err = _call(call)
        seconds = time.monotonic() - start
        signal.alarm(0)
        done = list(events)
        result['seconds'] = max(result['seconds'], seconds)
        result['statuses'][command] = status
        problems = []
        if status != expected:
            problems.append('status {}, not {}: {}'.format(status, expected, err[-1000:]))
        elif status == 2 and (out or err.count('\n') != 1 or ': error: ' not in err):
            problems.append('says {!r} {!r}'.format(out, err))
        if 'Traceback' in err or status == 0 and err:
            problems.append('says {!r}'.format(err[-1000:]))
        if status == 2 and (_listing() != before or os.path.exists('pwned')):
            problems.append('left {}'.format(set(_listing()) ^ set(before)))
        problems += done
        result['problems'] += ['{}: {}'.format(command, problem) for problem in problems]
        shutil.rmtree('out', ignore_errors=True)
    return result


def _commands(kind, case):
    if kind == 'model_files':
        yield 'load', lambda: _load('file')
        yield 'generate', lambda: _main(generate, GENERATE + ['--model', 'file'])
        yield 'resume', lambda: _main(train, TRAIN + ['--resume', 'file'])
    elif kind == 'data_sets':
        yield 'train', lambda: _main(train, TRAIN + ['--iteration', '1'] + case.arguments)
    else:
        command, base = {'train': (train, TRAIN), 'generate': (generate, GENERATE)}[case.command]
        yield case.command, lambda: _main(command, base + case.arguments)


def _load(path):
    try:
        model = serialization.load_model(path)
    except (OSError, ValueError) as error:
        sys.stderr.write('load_model: error: {}\n'.format(' '.join(cli.reason(error).split())))
        return 2
    return 0 if all(np.isfinite(param.array).all() for param in model.params()) else 1


def _main(command, arguments):
    sys.argv = [command.__name__ + '.py'] + arguments
    try:
        return command.main() or 0
    except SystemExit as exit:
        return exit.code or 0
    except BaseException:
        traceback.print_exc()
        return 1


def _call(call):
    """(status, standard output, standard error), those of libraries in C included"""
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
    """Names, kinds and sizes of all that is here, but not in out."""
    found = {}
    for folder, folders, names in os.walk('.'):
        if folder == '.':
            folders[:] = [name for name in folders if name != 'out']
        for name in folders + names:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = status.st_mode, status.st_size, status.st_mtime_ns
    return found


def _auditor(events, ours):
    """An audit hook that appends to `events` what is done to paths that the command was not told to
    write (`ours`), and what no command has to do at all."""
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
        events.append('{} {!r}'.format(event, args)[:300])
    return audit


def _temporary(path):
    """What the names of temporary files for a path begin with."""
    return os.path.join(os.path.dirname(path), '.{}.'.format(os.path.basename(path)))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(prog='python -m hostile', description=__doc__)
    parser.add_argument('kinds', nargs='*', metavar='KIND',
                        help=', '.join(KINDS) + ' (default: all)')
    kinds = parser.parse_args().kinds or KINDS
    for kind in kinds:
        if kind not in KINDS:
            parser.error('{}: give some of {}'.format(kind, ', '.join(KINDS)))
    sys.exit(main(kinds))
