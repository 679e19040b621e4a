"""Measures on an NVIDIA GPU what only a GPU can tell, and writes docs/gpu.md.

    python tests/benchmarks/gpu_report.py [--minutes 6] [--out FOLDER] [--data FOLDER]

The parts run one after the other, the most valuable first: training steps beside PyTorch,
generation, the `gpu` tests, train.py and generate.py, the operations of a step, torch.compile. Each
part is a process with a limited share of the time that is left. Where a part fails or runs out of
time, the report says so and goes on. The file is written anew after each part; what stands above
the line `<!-- measured -->` in it stays. With --out, the same is written to gpu.md in FOLDER, too.
"""
import argparse
import datetime
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Callable, NamedTuple

from gpu_page import page  # beside this file

ROOT = Path(__file__).resolve().parents[2]
PARTS_SCRIPT = Path(__file__).resolve().with_name('gpu_parts.py')
DOCS = ROOT / 'docs'
OWN_TEST = 'tests/test_gpu_report.py'
MARK = '<!-- measured -->'
MOST_MINUTES = 9
LEAST_SECONDS = 5  # a part is not started with less


class Part(NamedTuple):
    """A part of the report; `run` takes the seconds it may last and returns a list of results."""
    name: str
    share: float  # of the time that is left when it starts
    run: Callable


def make_parts(args, folder):
    tiny = ['--tiny'] * args.tiny
    return [
        Part('training steps in float32', 0.3, measurement('steps', *tiny)),
        Part('training steps in TF32', 0.3, measurement('steps', '--tf32', *tiny)),
        Part('generation', 0.4, measurement('generation', *tiny)),
        Part('tests', 0.5, lambda seconds: run_tests(args.tiny, seconds)),
        Part('commands', 0.5, lambda seconds: run_commands(args, folder, seconds)),
        Part('operations of a step', 0.5, measurement('operations', *tiny)),
        Part('torch.compile in float32', 0.6, measurement('compiled', *tiny)),
        Part('torch.compile in TF32', 1, measurement('compiled', '--tf32', *tiny))]


def run_part(part, seconds):
    """The results of a part. A failure of any kind is a result, too."""
    if seconds < LEAST_SECONDS:
        return [failure(part.name, 'no time was left')]
    try:
        return part.run(seconds)
    except Exception as error:
        traceback.print_exc()
        return [failure(part.name, f'{type(error).__name__}: {error}')]


def failure(what, why):
    return {'failed': what, 'why': why}


def measurement(*options):
    """The function of a part that gpu_parts.py measures"""
    def run(seconds):
        lines, status, _ = run_process([sys.executable, PARTS_SCRIPT, *options], seconds)
        results = [json.loads(line[len('RESULT '):]) for line in lines
                   if line.startswith('RESULT ')]
        if status is None:
            results.append(failure(' '.join(options), f'stopped after {seconds:.0f} s'))
        elif status:
            results.append(failure(' '.join(options), f'status {status}: {last_line(lines)}'))
        return results
    return run


def run_process(command, seconds):
    """Runs a command in the project's folder, shows its output, and ends it when its time is over.

    Returns: (lines of its output, exit status or None where its time was over, seconds it took).
    """
    command = [str(word) for word in command]
    print(f'\n$ {shlex.join(command)}', flush=True)
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ, PYTHONUNBUFFERED='1'), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors='replace')
    lines = []
    reader = threading.Thread(target=read_lines, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        status = process.wait(max(seconds, 1))
    except subprocess.TimeoutExpired:
        status = None
        signal_group(process, signal.SIGINT)  # so that pytest tells what it has done
        reader.join(5)
    finally:
        signal_group(process, signal.SIGKILL)
        process.wait()
        reader.join(5)
    return lines, status, time.monotonic() - began


def read_lines(stream, lines):
    for line in stream:
        lines.append(line.rstrip('\n'))
        print(line, end='', flush=True)


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def last_line(lines):
    return next((line.strip() for line in reversed(lines) if line.strip()), 'no output')


def run_tests(tiny, seconds):
    """The tests with the marker gpu, by several processes where pytest-xdist is installed"""
    command = [sys.executable, '-m', 'pytest', '-m', 'gpu', '-v', '-rfE', '-p', 'no:cacheprovider',
               '--durations=8', f'--ignore={OWN_TEST}', 'tests']
    if tiny:
        command += ['-k', 'averaging']
    processes = min(8, (os.cpu_count() or 1) // 2)
    if processes > 1 and importlib.util.find_spec('xdist'):
        command += ['-n', str(processes)]
    lines, status, took = run_process(command, seconds)
    outcomes = test_outcomes(lines)
    counts = {word: sum(outcome == word for outcome in outcomes.values())
              for word in ('passed', 'failed', 'errors', 'skipped')}
    failures = sorted(name for name, outcome in outcomes.items() if outcome in ('failed', 'errors'))
    results = [{'tests': counts, 'seconds': took, 'failures': failures}]
    if status is None:
        results.append(failure('the other tests', f'stopped after {seconds:.0f} s'))
    elif not outcomes:
        results.append(failure('tests', last_line(lines)))
    return results


def test_outcomes(lines):
    """{test: outcome} of pytest's verbose output, with or without pytest-xdist"""
    words = {'PASSED': 'passed', 'FAILED': 'failed', 'ERROR': 'errors', 'SKIPPED': 'skipped'}
    outcome = f"(?P<outcome>{'|'.join(words)})"
    forms = re.compile(rf'(?P<name>tests/\S+::.+?) {outcome}\b'), re.compile(
        rf'\[gw\d+\] \[ *\d+%\] {outcome} (?P<name>tests/\S+::.+)')
    outcomes = {}
    for line in lines:
        found = next(filter(None, (form.match(line) for form in forms)), None)
        if found:
            outcomes[found['name'].strip()] = words[found['outcome']]
    return outcomes


def run_commands(args, folder, seconds):
    """train.py for most of the time, then generate.py with the model"""
    end = time.monotonic() + seconds
    out, samples = folder / 'out', folder / 'samples.png'
    minutes = max(seconds - 40, 0.4 * seconds) / 60  # after them train.py tests, samples and saves
    options = ['--levels', '8', '--gpu', '0', '--minutes', f'{minutes:.2f}', '--test_limit', '1000',
               '--out', out]
    results = []
    if args.tiny:
        options += ['--hidden_dim', '3', '--blocks_num', '1', '--iteration', '3']
    else:
        data = ['--data', args.data] if args.data else []
        results.append(train(['--dataset', 'mnist', *data, *options], out, seconds))
    if args.tiny or results[-1]['status'] == 2:  # MNIST was neither found nor downloaded
        images = folder / 'images.npz'
        write_synthetic_images(images, 8 if args.tiny else 28)
        results.append(train(['--dataset', images, *options], out, end - time.monotonic()))
    count = ['--count', '2'] if args.tiny else []
    results.append(run_command(
        ['generate.py', '--model', out / 'model.npz', '--gpu', '0', '--seed', '0',
         '--output', samples, *count], end - time.monotonic()))
    return results


def train(options, out, seconds):
    result = run_command(['train.py', *options], seconds)
    try:
        entry = json.loads((out / 'log').read_text())[-1]
    except (OSError, ValueError, IndexError):
        return result
    return dict(result, iterations=entry['iteration'], elapsed=entry['elapsed_time'],
                nll=entry['validation/main/nll'])


def run_command(command, seconds):
    _, status, took = run_process([sys.executable, *command], seconds)
    shown = ' '.join(word.name if isinstance(word, Path) else word for word in command)
    return {'command': shown, 'status': status, 'seconds': took}


def write_synthetic_images(path, side):
    """Bright squares on black, where MNIST is not there"""
    import numpy as np
    random = np.random.RandomState(0)
    arrays = {}
    for name, count in (('train_x', 4 * side ** 2), ('test_x', side ** 2)):
        arrays[name] = np.zeros((count, side, side), np.uint8)
        for image in arrays[name]:
            row, column = random.randint(0, side // 2, 2)
            image[row:row + side // 2, column:column + side // 2] = random.randint(64, 256)
    np.savez(path, **arrays)


def paths_of_page(args):
    """Where the page goes: docs/gpu.md and --out; figures of tiny models only to --out."""
    paths = [] if args.tiny else [DOCS / 'gpu.md']
    if args.out and args.out.resolve() != DOCS:
        paths.append(args.out / 'gpu.md')
    return paths


def write(path, text):
    """Replaces what stands below the mark."""
    above = '# Measured on a GPU\n\n'
    if path.exists():
        above = path.read_text(encoding='utf-8').split(MARK)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{above}{MARK}\n\n{text}', encoding='utf-8')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--minutes', type=float, default=6, metavar='M',
                        help=f'end after M minutes, at most {MOST_MINUTES} (default: %(default)s)')
    parser.add_argument('--out', type=Path, metavar='FOLDER',
                        help='write gpu.md to this folder, too')
    parser.add_argument('--data', type=Path, metavar='FOLDER',
                        help="folder with MNIST's files, for train.py")
    parser.add_argument('--tiny', action='store_true',
                        help='use tiny models and images, to try this script; docs/gpu.md stays')
    args = parser.parse_args()
    if not 0 < args.minutes <= MOST_MINUTES:
        parser.error(f'--minutes must be above 0, at most {MOST_MINUTES}, got {args.minutes:g}')
    args.data = args.data and args.data.resolve()
    end = time.monotonic() + 60 * args.minutes - LEAST_SECONDS
    command = f'python tests/benchmarks/gpu_report.py --minutes {args.minutes:g}'
    command += args.tiny * ' --tiny'
    date = f'{datetime.date.today():%-d %B %Y}'
    paths = paths_of_page(args)

    results = measurement('device')(60)
    if not any('gpu' in result for result in results):
        parser.exit(2, f"{parser.prog}: error: {results[-1]['why']}\n")
    with tempfile.TemporaryDirectory() as folder:
        for part in make_parts(args, Path(folder)):
            results += run_part(part, part.share * (end - time.monotonic()))
            for path in paths:
                write(path, page(results, command, date))
    print(f'\n{page(results, command, date)}', *paths, sep='\n')


if __name__ == '__main__':
    main()
