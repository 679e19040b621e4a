"""The Markdown of gpu_report.py, made of the results of its parts."""

PEERS = {'ours': 'ours', 'eager': 'PyTorch', 'compiled': 'torch.compile'}


def page(results, command, date):
    """All results as Markdown.

    Args:
        results: list of dicts. One key of each says what it is: `gpu`, `step`, `operations`,
            `generation`, `tests`, `command` or `failed`; see gpu_parts.py and gpu_report.py.
        command, date: how and when they were measured.
    """
    failed = [f"- {result['failed']}: {result['why']}" for result in results if 'failed' in result]
    sections = (
        ('A training step',
         'Forward pass, backward pass and Adam; batch of 16 images, 28×28 RGB, 8 levels. Times are '
         'medians of CUDA events between consecutive steps, with the 10th and 90th percentile. '
         '"Python" is the median time that Python takes to issue one step.', step_table(results)),
        ('Memory of a training step',
         "CuPy's whole memory pool, and the most that PyTorch reserved.", memory_table(results)),
        ('Operations of a training step',
         'What the device does in one step, counted by PyTorch\'s profiler. "Busy" is the sum of '
         "the operations' times.", operation_table(results)),
        ('Generation',
         'Images of 28×28 RGB, 8 levels, from new models. The plain loop generated only the last '
         'row, below the other rows of the cached images: its time is 28 times the time of this '
         'row, and "different values" compares this row.', generation_table(results)),
        ('Tests', '`python -m pytest -m gpu`:', test_list(results)),
        ('Commands', '', command_table(results)),
        ('Not measured', '', '\n'.join(failed)))
    paragraphs = [machine(results, command, date)]
    for title, explanation, text in sections:
        if text:
            paragraphs += [f'### {title}', explanation, text]
    return '\n\n'.join(paragraph for paragraph in paragraphs if paragraph) + '\n'


def machine(results, command, date):
    device = next(result for result in results if 'gpu' in result)
    packages = ', '.join(f'{name} {version}' for name, version in device['packages'].items())
    cuda = f"{device['cuda'] // 1000}.{device['cuda'] % 1000 // 10}"
    return (f"{device['gpu']}, {device['memory'] / 2 ** 30:.0f} GiB, driver {device['driver']}; "
            f"{device['processor']}, {device['cores']} cores; CUDA {cuda}, "
            f"Python {device['python']}, {packages}; {date}.\n\n    {command}")


def table(head, rows):
    """A Markdown table, or an empty string where there is no row"""
    lines = [head, ['---'] * len(head), *rows] if rows else []
    return '\n'.join(f"| {' | '.join(map(str, line))} |" for line in lines)


def number(value, unit=''):
    """A number with three significant digits, or a dash for None"""
    if value is None:
        return '—'
    digits = f'{value:.3g}' if abs(value) < 1000 else f'{value:.0f}'
    return f'{digits} {unit}'.strip()


def mebibytes(result):
    return number(result['reserved'] / 2 ** 20 if result else None, 'MiB')


def ratio(value, other):
    return number(value / other if value and other else None)


def name_of(result):
    size = f"{result['maps']} maps, {result['blocks']} blocks"
    return size if result['kind'] == 'pixelcnn' else f"{result['kind']}, {size}"


def grouped(results, key, *names):
    """{(model, values of `names`): {value of `key`: result}} of the results that have `key`"""
    groups = {}
    for result in results:
        if key in result:
            group = (name_of(result), *(result[name] for name in names))
            groups.setdefault(group, {})[result[key]] = result
    return groups


def precision(tf32):
    return 'TF32' if tf32 else 'float32'


def step_table(results):
    rows = []
    for (model, tf32), peers in grouped(results, 'step', 'tf32').items():
        times = [f"{number(peer['ms'], 'ms')} ({number(peer['low_ms'])}–{number(peer['high_ms'])})"
                 if peer else '—' for peer in map(peers.get, PEERS)]
        ours, eager, compiled = [peers.get(name, {}) for name in PEERS]
        rows.append([model, precision(tf32), *times, ratio(ours.get('ms'), eager.get('ms')),
                     ratio(ours.get('ms'), compiled.get('ms')),
                     number(ours.get('host_ms'), 'ms'), number(eager.get('host_ms'), 'ms')])
    return table(['one step of', 'precision', *PEERS.values(), 'ours / PyTorch',
                  'ours / torch.compile', 'Python, ours', 'Python, PyTorch'], rows)


def memory_table(results):
    rows = [[model, precision(tf32), *[mebibytes(peers.get(name)) for name in PEERS]]
            for (model, tf32), peers in grouped(results, 'step', 'tf32').items()]
    return table(['one step of', 'precision', *PEERS.values()], rows)


def operation_table(results):
    rows = []
    for (model, tf32), peers in grouped(results, 'operations', 'tf32').items():
        row = [model, precision(tf32)]
        for peer in (peers.get('ours'), peers.get('eager')):
            row += [peer['kernels'], peer['copies'], number(peer['busy_ms'], 'ms')] if peer \
                else ['—'] * 3
        rows.append(row)
    names = 'kernels', 'copies, memsets', 'busy'
    return table(['one step of', 'precision', *[f'ours: {name}' for name in names],
                  *[f'PyTorch: {name}' for name in names]], rows)


def generation_table(results):
    rows = []
    for (model, count), methods in grouped(results, 'generation', 'count').items():
        cached, plain = methods.get('cached', {}), methods.get('plain', {})
        different = f"{plain['different']} of {plain['values']}" if plain else '—'
        rows.append([model, count, number(cached.get('seconds'), 's'),
                     number(plain.get('seconds'), 's'),
                     ratio(plain.get('seconds'), cached.get('seconds')), different,
                     mebibytes(cached)])
    return table(['model', 'images', 'cached', 'plain loop', 'plain / cached', 'different values',
                  'memory, cached'], rows)


def test_list(results):
    lines = []
    for result in results:
        if 'tests' in result:
            counts = ', '.join(f'{count} {word}' for word, count in result['tests'].items())
            lines.append(f"- {counts}, in {result['seconds']:.0f} s")
            lines += [f'- failed: `{name}`' for name in result['failures']]
    return '\n'.join(lines)


def command_table(results):
    rows = []
    for result in results:
        if 'command' in result:
            status = 'stopped' if result['status'] is None else result['status']
            rows.append([f"`{result['command']}`", status, number(result['seconds'], 's'),
                         result.get('iterations', '—'),
                         ratio(result.get('iterations'), result.get('elapsed')),
                         f"{result['nll']:.2f}" if 'nll' in result else '—'])
    return table(['command', 'status', 'time', 'batches', 'batches/s, tests included', 'test nll'],
                 rows)
