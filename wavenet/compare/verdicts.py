"""Compares the results of both sides: a row for each comparison, with its tolerance and verdict."""
from typing import NamedTuple, Optional

import numpy as np

from wavenet.compare.ours import probabilities

AGREES, DIFFERS, MISSING = 'agrees', 'differs', 'not compared'

# The two sides add numbers in different orders. In float32 this shows: rounding errors grow with
# the number of terms and with every training step. In float64 it hardly shows. So the tolerances
# in float64 are too small for any wrong formula, and those in float32 catch what is plain to see.
LOGITS = 1e-5         # absolute
LOSS = 1e-5           # relative to the loss
GRADIENTS_64, GRADIENTS_32 = 1e-10, 1e-4    # relative to the largest gradient of the same parameter
CURVE_64 = 1e-10      # relative to the loss, at every step
TRAINED_64 = 1e-9     # absolute: a step of Adam is 1e-3 at most
FIRST, CURVE_FIRST = 8, 1e-4
CURVE_32 = 0.1
BOUNDARY = 1e-5       # rounding: a random number this near to a boundary can choose either level


class Row(NamedTuple):
    name: str
    measure: str                 # what the difference is
    difference: Optional[float]  # None if there was nothing to compare
    tolerance: float             # the largest difference that agrees
    verdict: str                 # AGREES, DIFFERS or MISSING
    detail: str                  # what was compared, or where it differs


def compare(theirs, ours, config):
    """Rows for the task 'numbers'. Args: its results on both sides, and their config."""
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


def compare_generation(generated, theirs, config, arrays):
    """Rows for the task 'generation': the parameters his code read from our file, and the images.

    Args:
        generated: results of this task on the sides 'author' and 'here'.
        theirs: results of his side for the task 'numbers'. Our file holds its parameters.
        config, arrays: what both sides were given.
    """
    return [_equal('our model, loaded there', _part(theirs, 'saved/params/'),
                   _part(generated['author'], 'params/')),
            _images(generated, config, arrays)]


def overall(rows):
    """The verdict on all rows: DIFFERS before MISSING before AGREES."""
    found = {row.verdict for row in rows}
    return next(verdict for verdict in (DIFFERS, MISSING, AGREES) if verdict in found)


def _part(results, prefix):
    return {name[len(prefix):]: array for name, array in results.items() if name.startswith(prefix)}


def _row(name, measure, difference, tolerance, detail):
    agrees = difference <= tolerance                       # NaN does not agree
    return Row(name, measure, float(difference), tolerance, AGREES if agrees else DIFFERS, detail)


def _missing(name, theirs):
    return Row(name, '', None, 0, MISSING, f'missing {"here" if theirs else "on his side"}')


def _names_and_shapes(theirs, ours):
    theirs, ours = _part(theirs, 'shapes'), _part(ours, 'shapes')
    if not theirs or not ours:
        return _missing('parameters', theirs)
    differing = sorted(name for name in theirs.keys() | ours.keys()
                       if not np.array_equal(theirs.get(name), ours.get(name)))
    numbers = sum(int(np.prod(shape)) for shape in ours.values())
    return _row('parameters', 'names or shapes that differ', len(differing), 0,
                _some(differing) or f'{len(ours)} parameters, {numbers:,} numbers')


def _equal(name, theirs, ours):
    """A row for arrays that must be equal in every value."""
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
            example = example or f', at {at} {a[at]:g} there and {b[at]:g} here'
    detail = _values(theirs)
    if differing:
        names = f' ({_some(differing)})' if any(differing) else ''
        detail = f'{count} of {detail}{example}{names}'
    return _row(name, 'values that differ', count, 0, detail)


def _close(name, theirs, ours, tolerance, relative=False):
    """A row for arrays that must be close; `relative` means relative to their largest value."""
    if not theirs or not ours:
        return _missing(name, theirs)
    worst, where = 0.0, ''
    for key in sorted(theirs):
        a, b = theirs[key].astype('d'), ours[key].astype('d')
        scale = (abs(a).max() or 1.0) if relative else 1.0
        difference = abs(a - b).max() / scale
        if not difference <= worst:                        # NaN is the worst
            worst, where = difference, key
    measure = 'largest difference' + (', relative to the largest value' if relative else '')
    place = ', most in ' + where.strip('/') if where else ''
    return _row(name, measure, worst, tolerance, _values(theirs) + place)


def _curve(theirs, ours, dtype, steps, tolerance):
    """A row for the losses before each of the first `steps` optimizer steps."""
    name, key = f'{steps} optimizer steps, {dtype}', dtype + '/losses'
    if key not in theirs or key not in ours:
        return _missing(name, key in theirs)
    a, b = theirs[key][:steps], ours[key][:steps]
    return _row(name, 'largest difference, relative to the loss', (abs(a - b) / abs(a)).max(),
                tolerance, f'losses from {b[0]:.6g} to {b[-1]:.6g}')


def _images(generated, config, arrays):
    """A row for the images, value by value, as far as the author's loop came.

    A random number within rounding of a boundary between two levels can choose either of them. Then
    the rest of this image differs, too. Such an image does not count as different.
    """
    a, b = (in_order(generated[side]['samples']) for side in ('author', 'here'))
    done = round(float(generated['author']['part']) * b.shape[1])
    a, b = a[:, :done], b[:, :done]
    differing = np.flatnonzero((a != b).any(axis=1))
    samples = generated['here']['samples']
    rounding = [n for n in differing if BOUNDARY >= _distance_from_boundary(
        samples, n, int((a[n] != b[n]).argmax()), config, arrays)]
    detail = f'{done:,} values of each of {len(a)} images'
    if rounding:
        detail += f', in {len(rounding)} a random number within {BOUNDARY:g} of a boundary'
    if len(differing) > len(rounding):
        detail += f', {(a == b).mean():.2%} of all values equal'
    return _row('generation', 'images that differ', len(differing) - len(rounding), 0, detail)


def in_order(samples):
    """(B, C, H, W) → (B, H · W · C), in the order of generation"""
    return samples.transpose(0, 2, 3, 1).reshape(len(samples), -1)


def _distance_from_boundary(samples, image, at, config, arrays):
    """The distance of a random number from the nearest boundary between two levels.

    Args:
        samples: our images, (B, C, H, W).
        image: the number of the image.
        at: the number of the value, in the order of generation.
        config, arrays: what both sides were given.
    """
    channels, height, width = samples.shape[1:]
    i, j, k = np.unravel_index(at, (height, width, channels))
    uniform = np.random.RandomState(config['seed']).random_sample(
        (height, width, channels, config['count'] ** 2))[i, j, k, image]
    only = slice(image, image + 1)
    p = probabilities(config, samples[only], arrays['sample_class_ids'][only], i, j, k)
    cumulative = p[0].astype('d').cumsum()
    return abs(cumulative / cumulative[-1] - uniform).min()


def _values(arrays):
    count = sum(array.size for array in arrays.values())
    return f'{count:,} value{"" if count == 1 else "s"}'


def _some(names, most=3):
    """The first names of a list, and the number of the others."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(name.strip('/') for name in names[:most]) + more
