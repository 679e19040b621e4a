"""tests/benchmarks/gpu_report.py: the whole report with tiny models, and what failures do to it."""
import argparse
import os
import subprocess
import sys

import pytest

BENCHMARKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'benchmarks')
sys.path.insert(0, BENCHMARKS)
import gpu_page  # noqa: E402
import gpu_report  # noqa: E402

DEVICE = {'gpu': 'A GPU', 'memory': 2 ** 34, 'driver': '1.2', 'cuda': 13020, 'processor': 'A CPU',
          'cores': 4, 'python': '3.12.3', 'packages': {'NumPy': '2.5.2', 'CuPy': '14.2.0'}}
MODEL = {'kind': 'pixelcnn', 'maps': 6, 'blocks': 1}


def report(*options, **env):
    return subprocess.run(
        [sys.executable, os.path.join(BENCHMARKS, 'gpu_report.py'), *map(str, options)],
        env=dict(os.environ, **env), capture_output=True, text=True, timeout=300)


@pytest.mark.gpu
@pytest.mark.slow
def test_every_part_of_the_report(tmp_path):
    (tmp_path / 'gpu.md').write_text(
        f'# What it means\n\nText.\n\n{gpu_report.MARK}\n\nold figures\n')
    result = report('--tiny', '--minutes', 4, '--out', tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    page = (tmp_path / 'gpu.md').read_text()
    assert page.startswith('# What it means\n\nText.\n')
    assert 'old figures' not in page
    for row in ('| 6 maps, 1 blocks | float32 | ', '| 6 maps, 1 blocks | TF32 | ',
                '| gated, 3 maps, 1 blocks | float32 | ', '| gated, 3 maps, 1 blocks | TF32 | '):
        assert page.count(row) >= 2, (row, page)          # time and memory
    assert page.count('0 of 12 |') == page.count('0 of 24 |') == 2, page  # of both models
    assert ' passed, 0 failed, 0 errors, 0 skipped, in ' in page
    assert '- 0 passed' not in page
    assert page.count(' | 0 | ') == 2, page               # both commands end with status 0
    _, _, missing = page.partition('### Not measured')
    for line in missing.splitlines():
        assert not line or 'PyTorch' in line, page


def test_the_page_goes_to_the_documentation_and_to_the_folder(tmp_path):
    docs = gpu_report.DOCS
    for out, tiny, expected in (
            (None, False, [docs]), (docs, False, [docs]), (tmp_path, False, [docs, tmp_path]),
            (tmp_path, True, [tmp_path]), (None, True, [])):
        paths = gpu_report.paths_of_page(argparse.Namespace(out=out, tiny=tiny))
        assert paths == [folder / 'gpu.md' for folder in expected]


def test_without_a_gpu_one_line_says_so(tmp_path):
    result = report('--out', tmp_path, CUDA_VISIBLE_DEVICES='')
    assert result.returncode == 2
    assert result.stderr.startswith('gpu_report.py: error: ')
    assert 'no NVIDIA GPU with CuPy here' in result.stderr
    assert result.stderr.count('\n') == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('minutes', ['0', '9.5', 'nan'])
def test_minutes_have_bounds(minutes, tmp_path):
    result = report('--minutes', minutes, '--out', tmp_path)
    assert result.returncode == 2
    assert '--minutes must be above 0, at most 9, got' in result.stderr


@pytest.fixture
def part(tmp_path, monkeypatch):
    """Runs a script in the place of gpu_parts.py, and returns its results."""
    def run(script, seconds=60):
        path = tmp_path / 'part.py'
        path.write_text(script)
        monkeypatch.setattr(gpu_report, 'PARTS_SCRIPT', path)
        return gpu_report.measurement('steps', '--tf32')(seconds)
    return run


def test_a_part_that_fails_keeps_its_results(part):
    results = part('''print('RESULT {"step": "ours"}')
print('other')
raise SystemExit('no luck')''')
    assert results == [{'step': 'ours'}, {'failed': 'steps --tf32', 'why': 'status 1: no luck'}]


def test_a_part_that_takes_too_long_keeps_its_results(part, tmp_path):
    results = part(f'''import pathlib, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('RESULT {{"step": "ours"}}')
time.sleep(60)
pathlib.Path({str(tmp_path / 'end')!r}).touch()''', seconds=3)
    assert not (tmp_path / 'end').exists()
    assert results == [{'step': 'ours'}, {'failed': 'steps --tf32', 'why': 'stopped after 3 s'}]


def test_an_error_in_the_report_itself_is_a_result():
    broken = gpu_report.Part('a part', 1, lambda seconds: 1 / 0)
    assert gpu_report.run_part(broken, 60) == [
        {'failed': 'a part', 'why': 'ZeroDivisionError: division by zero'}]
    assert gpu_report.run_part(broken, 1) == [{'failed': 'a part', 'why': 'no time was left'}]


def test_outcomes_of_tests_with_and_without_several_processes():
    assert gpu_report.test_outcomes([
        'tests/test_a.py::test_one[@cupy:0-0.3] PASSED          [ 50%]',
        'tests/test_a.py::test_two ',
        '[gw3] [ 10%] FAILED tests/test_a.py::test_two ',
        '[gw0] [100%] SKIPPED tests/test_b.py::test_three[a, b] ',
        'tests/test_c.py::test_four PASSED [ 90%]',
        'tests/test_c.py::test_four ERROR  [100%]',
        'FAILED tests/test_a.py::test_two - AssertionError: PASSED',
    ]) == {'tests/test_a.py::test_one[@cupy:0-0.3]': 'passed',
           'tests/test_a.py::test_two': 'failed',
           'tests/test_b.py::test_three[a, b]': 'skipped', 'tests/test_c.py::test_four': 'errors'}


def test_the_page_has_what_was_measured_and_says_what_was_not():
    step = {**MODEL, 'tf32': False, 'low_ms': 1, 'high_ms': 9, 'host_ms': 5, 'reserved': 2 ** 20}
    page = gpu_page.page([
        DEVICE,
        {'step': 'ours', 'ms': 3, **step}, {'step': 'eager', 'ms': 1.5, **step},
        {'step': 'ours', 'ms': 4, **step, 'tf32': True},
        {'generation': 'cached', **MODEL, 'count': 16, 'seconds': 0.5, 'reserved': 0},
        {'generation': 'plain', **MODEL, 'count': 16, 'seconds': 60, 'different': 1, 'values': 12},
        {'failed': 'tests', 'why': 'no time was left'}], 'python script.py', '1 May 2026')
    assert 'A GPU, 16 GiB, driver 1.2; A CPU, 4 cores; CUDA 13.2, Python 3.12.3' in page
    assert ('| 6 maps, 1 blocks | float32 | 3 ms (1–9) | 1.5 ms (1–9) | — | 2 | — | 5 ms | 5 ms |'
            in page)
    assert '| 6 maps, 1 blocks | TF32 | 4 ms (1–9) | — | — | — | — | 5 ms | — |' in page
    assert '| 6 maps, 1 blocks | 16 | 0.5 s | 60 s | 120 | 1 of 12 | 0 MiB |' in page
    assert '### Not measured\n\n- tests: no time was left' in page
    assert '### Commands' not in page
