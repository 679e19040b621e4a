"""The results of all stages: a page in Markdown, with figures."""
import json
import math
import os

from wavenet import pictures, plots
from wavenet.results import mistakes, real_inputs
from wavenet.results.presets import STAGES
from wavenet.storage import files

PAGE = 'index.md'
RESULT, SAMPLES = 'result.json', 'samples.png'  # in the folder of a stage
FIELDS = {  # of a result
    'options', 'complete', 'images', 'nats', 'nats_error', 'bits_per_dim', 'bits_per_dim_error',
    'dataset', 'values', 'levels', 'batchsize', 'parameters', 'gpu', 'curve', 'iteration', 'epoch',
    'minutes'}


def read(folder, name):
    """Reads a JSON file. Returns: None if it is not there or is not valid JSON."""
    try:
        with open(os.path.join(folder, name), encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def read_result(folder):
    """Reads the result in the folder of a stage. Returns: a dict with FIELDS, or None."""
    result = read(folder, RESULT)
    return result if isinstance(result, dict) and FIELDS <= result.keys() else None


def write(out, failed):
    """Writes the page and its figures.

    Args:
        out: folder of all stages.
        failed: {name of a stage: why it failed}.

    Raises: OSError if a file cannot be written.
    """
    results = {name: read_result(os.path.join(out, name)) for name in STAGES}
    done = {name: result for name, result in results.items() if result}
    paths = {name: os.path.join(out, name, SAMPLES) for name in done}
    figures = {}
    if done:
        figures['samples.png'] = sample_grid(done, paths)
        figures['losses.png'] = loss_curves(done)
    if all('inputs' in done.get(name, {}) for name in real_inputs.STAGES):
        figures['real_inputs.png'] = real_inputs.figure(
            [done[name]['inputs'] for name in real_inputs.STAGES],
            [paths[name] for name in real_inputs.STAGES])
    for name, figure in figures.items():
        with files.atomic_write(os.path.join(out, name)) as file:
            figure.savefig(file, format='png', dpi=80, bbox_inches='tight')
    with files.atomic_write(os.path.join(out, PAGE)) as file:
        file.write(text(results, failed, figures).encode())


def text(results, failed, figures):
    """Returns the page in Markdown.

    Args:
        results: {name of a stage: its result or None}.
        failed: as in `write`.
        figures: names of the image files to show.
    """
    lines = ['# The images of the post\n\n',
             row('stage', 'what it shows', 'weights', 'steps', 'minutes', 'nll, nats per image',
                 'bits/dim', 'generated images'), row(*['---'] * 8)]
    for name, stage in STAGES.items():
        command = f'python -m wavenet.results {name}' + ' --images PATH' * (name == 'own-images')
        what, result = f'{stage.shows}<br>`{command}`', results[name]
        if not result:
            lines.append(row(name, what, *[''] * 5, failed.get(name, 'not run')))
            continue
        lines.append(row(
            name, f'{what}<br>`{" ".join(result["options"])}`',
            f'{result["parameters"]:,}', result['iteration'], f'{result["minutes"]:.1f}',
            f'{result["nats"]:.2f} ± {result["nats_error"]:.2f}<br>'
            f'({result["images"]:,} test images)',
            f'{result["bits_per_dim"]:.4f} ± {result["bits_per_dim_error"]:.4f}',
            f'![{name}]({name}/{SAMPLES})<br>{"; ".join(notes(name, result, failed))}'))
    lines.append('\nErrors are standard errors of the mean over the test images. The minutes are '
                 'those of the training.\n')
    if 'real_inputs.png' in figures:
        lines += ['\n## Real inputs\n\n', real_inputs.table(results), '\n']
    lines += [f'\n![]({figure})\n' for figure in figures]
    return ''.join(lines)


def notes(name, result, failed):
    """Yields what a reader must know about the result of a stage."""
    yield 'on a GPU, in the size of the post' if result['gpu'] else \
        'a small model, trained briefly on a CPU'
    if STAGES[name].mistake in mistakes.NO_LIKELIHOOD:
        yield 'its nll is not a likelihood, because R sees itself'
    if not result['complete']:
        yield 'stopped before the end by --budget'
    if name in failed:
        yield failed[name]


def row(*cells):
    """Returns a row of a table in Markdown."""
    return '| {} |\n'.format(' | '.join(str(cell).replace('|', '\\|') for cell in cells))


def sample_grid(results, paths):
    """Draws the generated images of all stages. Returns: a Matplotlib figure.

    Args:
        results: {name of a stage: its result}.
        paths: {name of a stage: image file}.
    """
    columns = 5
    rows = math.ceil(len(results) / columns)
    figure = plots.new_figure(2.7 * columns, 3.3 * rows)
    for number, (name, result) in enumerate(results.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.imshow(pictures.read(paths[name]))
        axes.axis('off')
        bits = 'no likelihood' if STAGES[name].mistake in mistakes.NO_LIKELIHOOD else \
            f'{result["bits_per_dim"]:.3f} bits/dim'
        axes.set_title(f'{name}\n{result["nats"]:.1f} nats, {bits}', fontsize=10)
    figure.tight_layout()
    return figure


def loss_curves(results):
    """Plots the nll of the test images against the number of training images seen.

    The nll is divided by that of a uniform guess, values · log(levels) nats. So images of other
    channels and levels share one scale.

    Args:
        results: {name of a stage: its result}.

    Returns: a Matplotlib figure.
    """
    figure = plots.new_figure(11, 6)
    axes = figure.add_subplot(xlabel='training images seen', xscale='log', yscale='log',
                              ylabel='nll of the test images / nll of a uniform guess')
    for number, (name, result) in enumerate(results.items()):
        uniform = result['values'] * math.log(result['levels'])
        axes.plot([iteration * result['batchsize'] for iteration, _ in result['curve']],
                  [nll / uniform for _, nll in result['curve']], label=name,
                  color=plots.color(number), marker='.',
                  linestyle='--' if STAGES[name].mistake else '-')
    for axis in (axes.xaxis, axes.yaxis):
        plots.label_round_numbers(axis)
    axes.grid(color='0.9')
    axes.legend(loc='center left', bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    return figure
