"""Are the numbers of both sides the same? One row for each thing compared, with its tolerance."""
import collections

import numpy as np

from wavenet import serialization

AGREES, DIFFERS, MISSING = 'agrees', 'differs', 'not compared'

# The two sides add up in different orders. In float32 that shows, the more, the more there is to
# add, and it grows with every step of training; in float64 it hardly does. So tolerances that a wrong
# formula cannot meet are in float64, and those in float32 are for what is plain to see.
LOGITS = 1e-5         # absolute
LOSS = 1e-5           # of the loss
GRADIENTS_64, GRADIENTS_32 = 1e-10, 1e-4    # of the largest gradient of the same parameter
CURVE_64 = 1e-10      # of the loss, at every step
TRAINED_64 = 1e-9     # absolute: a step of Adam is 1e-3 at most
FIRST, CURVE_FIRST = 8, 1e-4
CURVE_32 = 0.1
BOUNDARY = 1e-5       # how near to a boundary of probabilities a draw can fall either way

Row = collections.namedtuple('Row', [
    'name',
    'measure',     # what the difference is
    'difference',  # a number, or None where there was nothing to compare
    'tolerance',   # the most that it may be
    'verdict',     # AGREES, DIFFERS or MISSING
    'detail',      # what was compared, or where it differs, in words
])


def compare(theirs, ours, config):
    """Rows for the results of the task 'numbers' on both sides."""
    rows = [_names_and_shapes(theirs, ours)]
    rows += [_equal('masks', _part(theirs, 'masks/'), _part(ours, 'masks/'))]
    rows += [_equal(name, _part(theirs, 'utils/' + name), _part(ours, 'utils/' + name))
             for name in ('binarize', 'quantisize', 'convert_to_rgb', 'sample_from')]
    rows.append(_close('logits', _part(theirs, 'logits'), _part(ours, 'logits'), LOGITS))
    rows.append(_equal('what a changed value reaches', _part(theirs, 'reached'),
                       _part(ours, 'reached')))
    rows.append(_close('loss', _part(theirs, 'loss'), _part(ours, 'loss'), LOSS, relative=True))
    for name, prefix, tolerance in (('gradients, float64', 'float64/grads/', GRADIENTS_64),
                                    ('gradients, float32', 'grads/', GRADIENTS_32)):
        rows.append(_close(name, _part(theirs, prefix), _part(ours, prefix), tolerance,
                           relative=True))
    steps = config['iteration']
    rows.append(_curve(theirs, ours, 'float64', steps, CURVE_64))
    rows.append(_close('parameters after them', _part(theirs, 'float64/params/'),
                       _part(ours, 'float64/params/'), TRAINED_64))
    rows.append(_curve(theirs, ours, 'float32', min(steps, FIRST), CURVE_FIRST))
    if steps > FIRST:
        rows.append(_curve(theirs, ours, 'float32', steps, CURVE_32))
    for name, words in (('pixelcnn_1', "the author's model, loaded here"),
                        ('snapshot_iter_1', "the author's snapshot, loaded here")):
        rows.append(_equal(words, _part(theirs, 'saved/params/'), _part(ours, name + '/params/')))
    return rows


def compare_drawings(drawings, theirs, config, arrays):
    """Rows for the task 'drawing': what his code read from our file, and the pictures.

    Args:
        drawings: results of that task on the sides 'author' and 'here'.
        theirs: results of the task 'numbers' there, whose parameters our file holds.
        config, arrays: what both sides were given.
    """
    return [_equal('our model, loaded there', _part(theirs, 'saved/params/'),
                   _part(drawings['author'], 'params/')),
            _pictures(drawings, config, arrays)]


def overall(rows):
    """The verdict on all: DIFFERS before MISSING before AGREES."""
    found = {row.verdict for row in rows}
    return next(verdict for verdict in (DIFFERS, MISSING, AGREES) if verdict in found)


def _part(results, prefix):
    return {name[len(prefix):]: array for name, array in results.items() if name.startswith(prefix)}


def _row(name, measure, difference, tolerance, detail):
    agrees = difference <= tolerance                       # of NaN, nothing is
    return Row(name, measure, float(difference), tolerance, AGREES if agrees else DIFFERS, detail)


def _missing(name, theirs):
    return Row(name, '', None, 0, MISSING, 'there is none {}'.format('here' if theirs else 'there'))


def _names_and_shapes(theirs, ours):
    theirs, ours = _part(theirs, 'shapes'), _part(ours, 'shapes')
    if not theirs or not ours:
        return _missing('parameters', theirs)
    differing = sorted(name for name in theirs.keys() | ours.keys()
                       if not np.array_equal(theirs.get(name), ours.get(name)))
    return _row('parameters', 'names or shapes that differ', len(differing), 0,
                _some(differing) or '{} parameters, {:,} numbers'.format(
                    len(ours), sum(int(np.prod(shape)) for shape in ours.values())))


def _equal(name, theirs, ours):
    """Every array equal in every value"""
    if not theirs or not ours:
        return _missing(name, theirs)
    differing, count, example = [], 0, ''
    for key in sorted(theirs.keys() | ours.keys()):
        a, b = theirs.get(key), ours.get(key)
        if a is None or b is None or a.shape != b.shape:
            differing.append(key)
            count += max(0 if array is None else array.size for array in (a, b))
            continue
        unequal = a != b
        if unequal.any():
            differing.append(key)
            count += int(unequal.sum())
            at = tuple(int(n) for n in np.argwhere(unequal)[0])
            example = example or ', at {} {:g} there and {:g} here'.format(at, a[at], b[at])
    values = sum(array.size for array in theirs.values())
    detail = _values(values)
    if differing:
        detail = '{} of {:,} values{}{}'.format(
            count, values, example, ' ({})'.format(_some(differing)) if any(differing) else '')
    return _row(name, 'values that differ', count, 0, detail)


def _close(name, theirs, ours, tolerance, relative=False):
    """Every array within the tolerance, which is `relative` to its largest value"""
    if not theirs or not ours:
        return _missing(name, theirs)
    worst, where = 0.0, ''
    for key in sorted(theirs):
        a, b = theirs[key].astype('d'), ours[key].astype('d')
        scale = (abs(a).max() or 1.0) if relative else 1.0
        difference = abs(a - b).max() / scale
        if not difference <= worst:
            worst, where = difference, key
    measure = 'largest difference' + (', of the largest value' if relative else '')
    values = sum(array.size for array in theirs.values())
    return _row(name, measure, worst, tolerance,
                _values(values) + (', most in ' + where.strip('/') if where else ''))


def _curve(theirs, ours, dtype, steps, tolerance):
    name = '{} optimizer steps, {}'.format(steps, dtype)
    if dtype + '/losses' not in theirs or dtype + '/losses' not in ours:
        return _missing(name, dtype + '/losses' in theirs)
    a, b = (side[dtype + '/losses'][:steps] for side in (theirs, ours))
    return _row(name, 'largest difference, of the loss', (abs(a - b) / abs(a)).max(), tolerance,
                'losses from {:.6g} to {:.6g}'.format(b[0], b[-1]))


def _pictures(drawings, config, arrays):
    """Value for value, as far as the author's loop was waited for.

    Where a draw falls within rounding of a boundary between two levels, either may come, and the
    rest of that picture is another one. Such a picture does not count as one that differs.
    """
    a, b = (in_order(drawings[side]['samples']) for side in ('author', 'here'))
    done = round(float(drawings['author']['part']) * b.shape[1])
    a, b = a[:, :done], b[:, :done]
    differing = np.flatnonzero((a != b).any(axis=1))
    samples = drawings['here']['samples']
    rounding = [n for n in differing if BOUNDARY >= _from_boundary(
        samples[n:n + 1], int((a[n] != b[n]).argmax()), n, config, arrays)]
    detail = '{:,} values of each of {} pictures'.format(done, len(a))
    if rounding:
        detail += ', in {} a draw within {:g} of a boundary'.format(len(rounding), BOUNDARY)
    if len(differing) > len(rounding):
        detail += ', {:.2%} of them equal'.format((a == b).mean())
    return _row('generation', 'pictures that differ', len(differing) - len(rounding), 0, detail)


def in_order(samples):
    """(B, C, H, W) → (B, H · W · C), in the order of drawing"""
    return samples.transpose(0, 2, 3, 1).reshape(len(samples), -1)


def _from_boundary(samples, at, picture, config, arrays):
    """How far the draw of the value number `at` of a picture was from a boundary of its levels."""
    channels, height, width = samples.shape[1:]
    i, j, k = np.unravel_index(at, (height, width, channels))
    uniform = np.random.RandomState(config['seed']).random_sample(
        (height, width, channels, config['count'] ** 2))[i, j, k, picture]
    predictor = serialization.load_model(config['our_model'])
    classes = [arrays['picture_classes'][picture:picture + 1]] if config['labelled'] else []
    logits = predictor(samples, *classes).array[:, :, k, i, j]
    cumulative = predictor.distribution.probabilities(logits)[0].astype('d').cumsum()
    return abs(cumulative / cumulative[-1] - uniform).min()


def _values(count):
    return '{:,} value{}'.format(count, '' if count == 1 else 's')


def _some(names, most=3):
    names = [name.strip('/') for name in names]
    return ', '.join(names[:most]) + (' and {} more'.format(len(names) - most) if len(names) > most
                                      else '')
