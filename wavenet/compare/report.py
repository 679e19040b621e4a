"""Shows a comparison as a table for a terminal."""
import textwrap
from typing import NamedTuple

from wavenet.compare import verdicts

SIDES = (('author', 'the author'), ('here', 'here'))
VERDICTS = {
    verdicts.AGREES: 'Everything that was compared agrees.',
    verdicts.DIFFERS: 'Something differs.',
    verdicts.MISSING: 'Not everything could be compared. Everything else agrees.'}


class Result(NamedTuple):
    summary: dict    # what comparison.json holds
    numbers: dict    # results of the task 'numbers' on both sides, 'author' and 'here'
    generated: dict  # those of the task 'generation'; empty if it did not run
    sounds: dict     # those of the task 'sound_generation'


def text(summary):
    """The table for a terminal, up to 80 columns wide."""
    lines = headline(summary) + ['']
    lines.append(f'{"":<43} {"difference":>11} {"tolerance":>10}  verdict')
    for row in summary['rows']:
        lines.append(f'{row["name"]:<43} {number(row["difference"]):>11} '
                     f'{number(row["tolerance"]):>10}  {row["verdict"]}')
        if row['verdict'] != verdicts.AGREES:
            lines.append(textwrap.fill(': '.join(filter(None, (row['measure'], row['detail']))), 80,
                                       initial_indent='    ', subsequent_indent='    '))
    if summary['times']:
        lines += ['', f'{"":<22} {"the author":>18} {"here":>18} {"ratio":>12}']
    for name, times in summary['times'].items():
        author, here = times['author'], times['here']
        lines.append(f'{timed(name):<22} {seconds(author["seconds"]):>18} '
                     f'{seconds(here["seconds"]):>18} {author["seconds"] / here["seconds"]:>12.3g}')
        lines.append(f'{"  peak memory":<22} {megabytes(author["peak_mb"]):>18} '
                     f'{megabytes(here["peak_mb"]):>18}')
        if author['part'] < 1:
            lines.append(f"  the author's was {scaled(author)}")
    lines += ['', 'Known differences, explained in report.html and docs/compare.md:']
    lines += ['  ' + difference['title'] for difference in summary['known']]
    return '\n'.join(lines + ['', VERDICTS[summary['verdict']]])


def headline(summary):
    """Lines that say what was compared: the model and the commit, and the versions on each side."""
    def versions(side):
        return 'Python {python}, Chainer {chainer}, NumPy {numpy}'.format(**summary[side])
    lines = [f'{summary["model"]}, {summary["author"]["commit"]}',
             f'the author: {versions("author")}', f'here: {versions("here")}']
    if summary['author']['wavenet'] and 'wavenet' not in summary:
        lines.append('his WaveNet is not that of his newest commit: it was not compared')
    return lines


def number(value):
    """A difference or a tolerance in few characters: 0, 12, 1.2e-06, or - for None"""
    if value is None:
        return '-'
    return f'{int(value)}' if float(value).is_integer() else f'{value:.2g}'


def timed(name):
    """What was timed, in words. comparison.json calls the images '4 pictures', as it always has."""
    return name.replace('pictures', 'images')


def seconds(value):
    return f'{value:.3g} s' if value < 1000 else f'{value:.0f} s'


def megabytes(value):
    return f'{value:.0f} MB'


def scaled(times):
    return f'timed on {100 * times["part"]:.3g} % of the values, and scaled'
