"""Shows a comparison: a table for a terminal, and a page for people to look at."""
import base64
import collections
import html
import os
import string
import textwrap

import numpy as np

from wavenet import pictures
from wavenet.compare import charts, verdicts

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'report.html')
SIDES = (('author', 'the author'), ('here', 'here'))
VERDICTS = {
    verdicts.AGREES: 'All that was compared agrees.',
    verdicts.DIFFERS: 'Something differs.',
    verdicts.MISSING: 'Not everything could be compared, and what could agrees.'}

Result = collections.namedtuple('Result', [
    'summary',   # all that comparison.json holds
    'numbers',   # results of the task 'numbers' of both sides, 'author' and 'here'
    'drawings',  # of the task 'drawing', or nothing
])


def text(summary):
    """The table for a terminal, up to 80 columns wide."""
    lines = headline(summary) + ['', '{:<36} {:>12} {:>10}  {}'.format(
        '', 'difference', 'tolerance', 'verdict')]
    for row in summary['rows']:
        lines.append('{:<36} {:>12} {:>10}  {}'.format(
            row['name'], number(row['difference']), number(row['tolerance']), row['verdict']))
        if row['verdict'] != verdicts.AGREES:
            lines.append(textwrap.fill(': '.join(filter(None, (row['measure'], row['detail']))), 80,
                                       initial_indent='    ', subsequent_indent='    '))
    if summary['times']:
        lines += ['', '{:<22} {:>18} {:>18} {:>12}'.format('', 'the author', 'here', 'ratio')]
    for name, times in summary['times'].items():
        lines.append('{:<22} {:>18} {:>18} {:>12}'.format(
            name, *(seconds(times[side]['seconds']) for side, _ in SIDES),
            '{:.3g}'.format(times['author']['seconds'] / times['here']['seconds'])))
        lines.append('{:<22} {:>18} {:>18}'.format(
            '  peak memory', *('{:.0f} MB'.format(times[side]['peak_mb']) for side, _ in SIDES)))
        if times['author']['part'] < 1:
            lines.append('  ' + scaled(times['author']))
    lines += ['', 'Known differences, with their reasons in report.html:']
    lines += ['  ' + one['title'] for one in summary['known']]
    return '\n'.join(lines + ['', VERDICTS[summary['verdict']]])


def headline(summary):
    """Lines that say what was compared: the model and the commit, and what ran each side."""
    author, here = summary['author'], summary['here']
    versions = 'Python {python}, Chainer {chainer}, NumPy {numpy}'
    return ['{}, {}'.format(summary['model'], author['commit']),
            'the author: ' + versions.format(**author),
            'here: ' + versions.format(**here)]


def number(value):
    """A difference or a tolerance: 0, 12, 1.2e-06; - for none"""
    if value is None:
        return '-'
    return '{:d}'.format(int(value)) if float(value).is_integer() else '{:.2g}'.format(value)


def seconds(value):
    return '{:.3g} s'.format(value) if value < 1000 else '{:.0f} s'.format(value)


def scaled(times):
    return 'timed on {:.3g} % of the values, and scaled'.format(100 * times['part'])


def page(result, scratch):
    """report.html, whole: it needs no other file and no network.

    Args:
        result: a `Result`.
        scratch: a folder for pictures on their way into the page.
    """
    summary = result.summary
    with open(TEMPLATE, encoding='utf-8') as file:
        template = string.Template(file.read())
    escaped = [html.escape(line) for line in headline(summary)]
    restored = summary['author']['restored']
    return template.substitute(
        verdict=html.escape(VERDICTS[summary['verdict']]),
        mark=summary['verdict'].replace(' ', '-'),
        headline=escaped[0], sides='<br>'.join(escaped[1:]),
        restored='' if not restored else '<p>Chainer 7 was given back what it has dropped, in the '
                 'process of the author\'s code: {}.</p>'.format(html.escape(', '.join(restored))),
        config=html.escape(', '.join('{} {}'.format(*item) for item in summary['config'].items())),
        rows='\n'.join(map(_row, summary['rows'])),
        samples=_samples(result, scratch), losses=_losses(summary),
        masks=_masks(result.numbers, scratch), times=_times(summary['times']),
        known='\n'.join('<dt>{}</dt><dd>{}</dd><dd><b>Here:</b> {}</dd>'.format(
            *map(html.escape, (one['title'], one['theirs'], one['here'])))
            for one in summary['known']))


def _row(row):
    cells = (('difference', number(row['difference'])), ('tolerance', number(row['tolerance'])),
             ('of', row['measure']), ('compared', row['detail']))
    return '<tr class="{}"><th scope="row">{}</th><td class="verdict">{}</td>{}</tr>'.format(
        row['verdict'].replace(' ', '-'), html.escape(row['name']), html.escape(row['verdict']),
        ''.join('<td data-label="{}">{}</td>'.format(label, html.escape(value))
                for label, value in cells))


def _figure(caption, content):
    return '<figure><figcaption>{}</figcaption>{}</figure>'.format(html.escape(caption), content)


def _picture(cells, scale, scratch, description):
    """Pictures side by side, as `pictures.save` has them, as an <img> that holds its data."""
    path = os.path.join(scratch, 'picture.png')
    pictures.save(path, cells, scale)
    with open(path, 'rb') as file:
        data = base64.b64encode(file.read()).decode()
    return '<img alt="{}" src="data:image/png;base64,{}">'.format(html.escape(description), data)


def _samples(result, scratch):
    """Three grids: the author's, ours, and where they differ"""
    if not result.drawings:
        return '<p>Nothing was drawn.</p>'
    theirs, ours = (result.drawings[side]['samples'] for side in ('author', 'here'))
    part = float(result.drawings['author']['part'])
    drawn = np.arange(ours[0].size).reshape(ours.shape[2:] + ours.shape[1:2]).transpose(2, 0, 1) < \
        round(part * ours[0].size)                                   # (C, H, W)
    theirs = np.where(drawn, theirs, 0.5)
    differs = ((theirs != ours) & drawn).any(axis=1, keepdims=True)  # (B, 1, H, W)
    red, plain = np.array([0.8, 0.1, 0.1]), np.array([0.5, 0.5, 0.5])
    marked = np.where(differs, red[:, None, None], plain[:, None, None])
    scale, count = -(-56 // ours.shape[3]), int(len(ours) ** 0.5)
    where = 'in {:,} pixels, red'.format(int(differs.sum())) if differs.any() else 'nowhere'
    grids = ((theirs, "The author's" + ('' if part == 1 else ', as far as drawn')), (ours, 'Here'),
             (marked, 'Where they differ: ' + where))
    return '<div class="side-by-side">{}</div>'.format(''.join(
        _figure(caption, _picture(grid.reshape((count, count) + grid.shape[1:]).swapaxes(0, 1),
                                  scale, scratch, caption))
        for grid, caption in grids))


def _losses(summary):
    if len(summary['losses']) < 2:
        return '<p>No steps were made.</p>'
    caption = 'The loss before each of {} steps; the author\'s is the wide line'.format(
        len(summary['losses']['here']))
    return _figure(caption, charts.curves(summary['losses']['author'], summary['losses']['here']))


def _masks(numbers, scratch):
    """The upper left of each kind of mask, on both sides: kernels of outputs × inputs"""
    shown = {}
    for name in sorted(numbers['author']):
        theirs, ours = numbers['author'][name], numbers['here'].get(name)
        if not name.startswith('masks/') or ours is None or ours.shape != theirs.shape:
            continue
        unequal = np.argwhere(theirs != ours)
        out, into = (unequal[0, :2] // 6 * 6) if len(unequal) else (0, 0)
        corner = (slice(out, out + 6), slice(into, into + 6))
        key = theirs[corner].tobytes(), ours[corner].tobytes(), theirs.shape[2:]
        shown.setdefault(key, (theirs[corner], ours[corner], []))[2].append(name[len('masks/'):])
    figures = []
    for theirs, ours, names in shown.values():
        scale = 56 // (6 * ours.shape[3]) or 1
        sides = ''.join('<div>{}{}</div>'.format(
            _picture(_mask_cells(mask, theirs != ours), scale + 2, scratch,
                     '{}, {}'.format(names[0], side)), side)
            for mask, side in ((theirs, "the author's"), (ours, 'here')))
        caption = '{}{}: {}×{}'.format(names[0], ' and {} more'.format(len(names) - 1)
                                       if len(names) > 1 else '', *ours.shape[2:])
        figures.append(_figure(caption, '<div class="pair">{}</div>'.format(sides)))
    return '<div class="masks">{}</div>'.format(''.join(figures)) if figures else '<p>None.</p>'


def _mask_cells(mask, unequal):
    """(out, in, kh, kw) → colours (out, in, 3, kh, kw): light where 1, red where it differs"""
    cells = np.repeat(0.1 + 0.85 * mask[:, :, None], 3, axis=2)
    return np.where(unequal[:, :, None], np.array([0.8, 0.1, 0.1])[:, None, None], cells)


def _times(times):
    """A pair of bars for each time and each memory"""
    bars = []
    for name, both in times.items():
        bars.append(_bars('{}, seconds'.format(name), {
            side: (both[side]['seconds'], seconds(both[side]['seconds'])) for side, _ in SIDES},
            scaled(both['author']) if both['author']['part'] < 1 else ''))
        bars.append(_bars('{}, peak memory'.format(name), {
            side: (both[side]['peak_mb'], '{:.0f} MB'.format(both[side]['peak_mb']))
            for side, _ in SIDES}))
    return ''.join(bars) or '<p>Nothing was timed.</p>'


def _bars(caption, values, note=''):
    most = max(value for value, _ in values.values())
    lines = ''.join(
        '<div class="bar {}"><span>{}</span>'
        '<div style="width: calc({:.4f} * (100% - 11rem))"></div>'
        '<span>{}</span></div>'
        .format(side, words, values[side][0] / most, html.escape(values[side][1]))
        for side, words in SIDES)
    return _figure(caption, lines + ('<p>The author\'s was {}.</p>'.format(note) if note else ''))
