"""Shows a comparison as report.html, a page that needs no other file and no network."""
import base64
import html
import string
from pathlib import Path

import numpy as np

from wavenet import pictures
from wavenet.compare import charts
from wavenet.compare.report import (
    SIDES,
    VERDICTS,
    headline,
    megabytes,
    number,
    scaled,
    seconds,
    timed,
)

TEMPLATE = Path(__file__).with_name('report.html')
SOUNDS = 2            # of the generated ones, that are shown
RED, GRAY = np.array([0.8, 0.1, 0.1]), np.array([0.5, 0.5, 0.5])


def render(result, scratch):
    """The page, HTML.

    Args:
        result: a `report.Result`.
        scratch: a folder for images on their way into the page.
    """
    summary = result.summary
    first, *others = map(html.escape, headline(summary))
    return string.Template(TEMPLATE.read_text(encoding='utf-8')).substitute(
        verdict=html.escape(VERDICTS[summary['verdict']]),
        mark=_css_class(summary['verdict']),
        headline=first, sides='<br>'.join(others), changes=changes(summary['author']),
        config=_config(summary['config']),
        rows='\n'.join(map(_row, summary['rows'])),
        samples=_samples(result.generated, scratch), losses=_losses(summary['losses']),
        sound=_sound(summary.get('wavenet'), result.sounds),
        masks=_masks(result.numbers, scratch), times=_times(summary['times']),
        known='\n'.join(map(_difference, summary['known'])))


def _config(config):
    return html.escape(', '.join(f'{name} {value}' for name, value in config.items()))


def _css_class(verdict):
    return verdict.replace(' ', '-')


def changes(author):
    """Paragraphs that say what the author's code needed to run here."""
    paragraphs = []
    if author['restored']:
        paragraphs.append('For his code, this comparison restored what Chainer 7 has dropped: '
                          f'{", ".join(author["restored"])}.')
    if author['cpu_error']:
        paragraphs.append('His generation loop needs a GPU. Unchanged, it ends here with '
                          f'{author["cpu_error"]}. So it ran with stand-ins for the names that it '
                          'takes from the GPU.')
    sound = author['wavenet'] or {}
    if sound.get('cpu_error'):
        paragraphs.append('The loop of infer_wavenet.py needs one, too. It ends with '
                          f'{sound["cpu_error"]}, and ran in the same way.')
    if sound.get('lacks_cupy'):
        paragraphs.append('His train_wavenet.py imports CuPy, which only a GPU needs. Without it, '
                          'an empty module stood in its place.')
    return '\n'.join(f'<p>{html.escape(paragraph)}</p>' for paragraph in paragraphs)


def _row(row):
    cells = (('difference', number(row['difference'])), ('tolerance', number(row['tolerance'])),
             ('measure', row['measure']), ('details', row['detail']))
    name, verdict = html.escape(row['name']), html.escape(row['verdict'])
    return (f'<tr class="{_css_class(verdict)}"><th scope="row">{name}</th>'
            f'<td class="verdict">{verdict}</td>'
            + ''.join(f'<td data-label="{label}">{html.escape(text)}</td>' for label, text in cells)
            + '</tr>')


def _difference(difference):
    title, theirs, here = (html.escape(difference[name]) for name in ('title', 'theirs', 'here'))
    return f'<dt>{title}</dt><dd>{theirs}</dd><dd><b>Here:</b> {here}</dd>'


def _figure(caption, content):
    return f'<figure><figcaption>{html.escape(caption)}</figcaption>{content}</figure>'


def _image(cells, scale, scratch, description):
    """An <img> element that holds its data, of images in a grid, as `pictures.save` takes them."""
    path = Path(scratch, 'image.png')
    pictures.save(str(path), cells, scale)
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}">'


def _samples(generated, scratch):
    """Three grids of images: the author's, ours, and where they differ."""
    if not generated:
        return '<p>No images were generated.</p>'
    theirs, ours = (generated[side]['samples'] for side in ('author', 'here'))
    part = float(generated['author']['part'])
    channels, height, width = ours.shape[1:]
    done = np.arange(ours[0].size) < round(part * ours[0].size)
    done = done.reshape(height, width, channels).transpose(2, 0, 1)  # (C, H, W)
    theirs = np.where(done, theirs, 0.5)
    differs = ((theirs != ours) & done).any(axis=1, keepdims=True)   # (B, 1, H, W)
    marked = np.where(differs, RED[:, None, None], GRAY[:, None, None])
    where = f'in {int(differs.sum()):,} pixels, red' if differs.any() else 'nowhere'
    grids = ((theirs, "The author's" + ('' if part == 1 else ', as far as his loop came')),
             (ours, 'Here'), (marked, f'Where they differ: {where}'))
    scale = -(-56 // width)
    return '<div class="side-by-side">{}</div>'.format(''.join(
        _figure(caption, _image(pictures.square(images), scale, scratch, caption))
        for images, caption in grids))


def _losses(losses):
    if len(losses) < 2:
        return '<p>The models were not trained.</p>'
    caption = f"The loss before each of {len(losses['here'])} steps. The wide line is the author's."
    return _figure(caption, charts.losses(losses['author'], losses['here']))


def _sound(wavenet, generated):
    """The section on WaveNet: its settings, losses, and the first sounds of both sides. '' if it
    was not compared."""
    if not wavenet:
        return ''
    parts = ['<h2>WaveNet</h2>', f'<p>Both sides: {_config(wavenet["config"])}.</p>',
             _losses(wavenet['losses'])]
    if generated:
        theirs, ours = (generated[side]['samples'] for side in ('author', 'here'))
        done = round(float(generated['author']['part']) * ours.shape[1])
        parts.append('<p>Both sides generate from the same parameters and the same seed. The '
                     'wide line is the level of each sample of the author\'s'
                     + ('' if done == ours.shape[1] else ', as far as his loop came') + '.</p>')
        parts.append('<div class="side-by-side">{}</div>'.format(''.join(
            _figure(f'sound {n + 1} of {len(ours)}',
                    charts.curves(theirs[n, :done], ours[n], 'sample', 'level'))
            for n in range(min(SOUNDS, len(ours))))))
    return '\n'.join(parts)


def _masks(numbers, scratch):
    """The upper left of each different mask (outputs, inputs, height, width), on both sides."""
    shown = {}
    for name in sorted(numbers['author']):
        theirs, ours = numbers['author'][name], numbers['here'].get(name)
        if not name.startswith('masks/') or ours is None or ours.shape != theirs.shape:
            continue
        unequal = np.argwhere(theirs != ours)
        first_out, first_in = (unequal[0, :2] // 6 * 6) if len(unequal) else (0, 0)
        corner = (slice(first_out, first_out + 6), slice(first_in, first_in + 6))
        key = theirs[corner].tobytes(), ours[corner].tobytes(), theirs.shape[2:]
        shown.setdefault(key, (theirs[corner], ours[corner], []))[2].append(name[len('masks/'):])
    figures = ''.join(_mask_pair(*one, scratch) for one in shown.values())
    return f'<div class="masks">{figures}</div>' if figures else '<p>No masks were compared.</p>'


def _mask_pair(theirs, ours, names, scratch):
    height, width = ours.shape[2:]
    scale = (56 // (6 * width) or 1) + 2
    sides = ''.join(
        '<div>{}{}</div>'.format(
            _image(_mask_cells(mask, theirs != ours), scale, scratch, f'{names[0]}, {side}'), side)
        for mask, side in ((theirs, "the author's"), (ours, 'here')))
    more = f' and {len(names) - 1} more' if len(names) > 1 else ''
    return _figure(f'{names[0]}{more}: {height}×{width}', f'<div class="pair">{sides}</div>')


def _mask_cells(mask, unequal):
    """(out, in, kh, kw) → colours (out, in, 3, kh, kw): light for 1, red where the sides differ"""
    cells = np.repeat(0.1 + 0.85 * mask[:, :, None], 3, axis=2)
    return np.where(unequal[:, :, None], RED[:, None, None], cells)


def _times(times):
    """A pair of bars for each time and each peak memory."""
    bars = []
    for name, both in times.items():
        note = f"The author's was {scaled(both['author'])}." if both['author']['part'] < 1 else ''
        bars.append(_bars(f'{timed(name)}, seconds', both, 'seconds', seconds, note))
        bars.append(_bars(f'{timed(name)}, peak memory', both, 'peak_mb', megabytes))
    return ''.join(bars) or '<p>Nothing was timed.</p>'


def _bars(caption, both, key, words, note=''):
    longest = max(both[side][key] for side, _ in SIDES)
    lines = ''.join(
        f'<div class="bar {side}"><span>{name}</span>'
        f'<div style="width: calc({both[side][key] / longest:.4f} * (100% - 11rem))"></div>'
        f'<span>{words(both[side][key])}</span></div>' for side, name in SIDES)
    return _figure(caption, lines + (f'<p>{note}</p>' if note else ''))
