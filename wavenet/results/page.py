"""What the stages of `wavenet/results.py` have come to: a page, and figures of them together."""
import json
import math
import os

import matplotlib
import matplotlib.image

from wavenet import plots
from wavenet.results import mistakes, real_inputs
from wavenet.storage import files
from wavenet.results.presets import STAGES

PAGE = 'index.md'
FIELDS = {  # of a result
    'options', 'complete', 'images', 'nats', 'nats_error', 'bits_per_dim', 'bits_per_dim_error',
    'dataset', 'values', 'levels', 'batchsize', 'parameters', 'gpu', 'curve', 'iteration', 'epoch',
    'minutes'}


def read(folder, name):
    """A JSON file, or None where there is none that can be read."""
    try:
        with open(os.path.join(folder, name), encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def read_result(folder):
    """What `results.measure` gave for the stage of a folder, or None."""
    result = read(folder, 'result.json')
    return result if isinstance(result, dict) and FIELDS <= result.keys() else None


def write(out, failed):
    """Writes the page and its figures into the folder of all stages.

    Args:
        out: that folder.
        failed: why stages could not be run, by their names.

    Raises: OSError where a file cannot be written.
    """
    results = {name: read_result(os.path.join(out, name)) for name in STAGES}
    done = {name: result for name, result in results.items() if result}
    paths = {name: os.path.join(out, name, 'samples.png') for name in done}
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
    """The page, in Markdown."""
    lines = ['# The pictures of the post\n\n',
             row('stage', 'what it shows', 'weights', 'steps', 'minutes', 'nll, nats per image',
                 'bits/dim', 'pictures drawn from the model'), row(*['---'] * 8)]
    for name, stage in STAGES.items():
        result = results[name]
        what = '{}<br>`python -m wavenet.results {}{}`'.format(
            stage.shows, name, ' --images PATH' if name == 'own-images' else '')
        if not result:
            lines.append(row(name, what, *[''] * 5, failed.get(name, 'not run')))
            continue
        notes = ['on a GPU, in the size of the post' if result['gpu'] else
                 'a small model, trained briefly on a CPU']
        notes += ['its nll is no likelihood: a value sees itself'] \
            if stage.mistake in mistakes.NO_LIKELIHOOD else []
        notes += [] if result['complete'] else ['stopped before the end, by --budget']
        notes += [failed[name]] if name in failed else []
        lines.append(row(
            name, what + '<br>`{}`'.format(' '.join(result['options'])),
            '{:,}'.format(result['parameters']), result['iteration'],
            '{:.1f}'.format(result['minutes']),
            '{:.2f} ± {:.2f}<br>({:,} test images)'.format(
                result['nats'], result['nats_error'], result['images']),
            '{:.4f} ± {:.4f}'.format(result['bits_per_dim'], result['bits_per_dim_error']),
            '![{0}]({0}/samples.png)<br>{1}'.format(name, '; '.join(notes))))
    lines.append('\nThe errors are standard errors of the mean over the test images. The minutes are '
                 'those of the training.\n')
    if 'real_inputs.png' in figures:
        lines += ['\n## Real inputs\n\n', real_inputs.table(results), '\n']
    lines += ['\n![]({})\n'.format(figure) for figure in figures]
    return ''.join(lines)


def row(*cells):
    """A row of a table in Markdown."""
    return '| {} |\n'.format(' | '.join(str(cell).replace('|', '\\|') for cell in cells))


def sample_grid(results, paths):
    """The pictures of all stages, in files, in one figure."""
    columns = 5
    rows = math.ceil(len(results) / columns)
    page = plots.new_figure(2.7 * columns, 3.3 * rows)
    for number, (name, result) in enumerate(results.items()):
        axes = page.add_subplot(rows, columns, number + 1)
        axes.imshow(matplotlib.image.imread(paths[name]))
        axes.axis('off')
        axes.set_title('{}\n{:.1f} nats, {}'.format(name, result['nats'], (
            'no likelihood' if STAGES[name].mistake in mistakes.NO_LIKELIHOOD else
            '{:.3f} bits/dim'.format(result['bits_per_dim']))), fontsize=10)
    page.tight_layout()
    return page


def loss_curves(results):
    """The nll of the test images against the images that were trained on.

    It is drawn as a share of what a uniform guess costs, values · log(levels) nats, so that pictures
    of other colours and levels are on the same scale.
    """
    page = plots.new_figure(11, 6)
    axes = page.add_subplot(xlabel='training images seen', xscale='log', yscale='log',
                            ylabel='nll of the test images / nll of a uniform guess')
    for number, (name, result) in enumerate(results.items()):
        uniform = result['values'] * math.log(result['levels'])
        axes.plot([iteration * result['batchsize'] for iteration, _ in result['curve']],
                  [nll / uniform for _, nll in result['curve']], label=name,
                  color=matplotlib.colormaps['tab20'](number % 20), marker='.',
                  linestyle='--' if STAGES[name].mistake else '-')
    for axis in (axes.xaxis, axes.yaxis):
        plots.label_round_numbers(axis)
    axes.grid(color='0.9')
    axes.legend(loc='center left', bbox_to_anchor=(1, 0.5))
    page.tight_layout()
    return page
