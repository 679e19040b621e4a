"""Rows of a comparison: what was compared, with its tolerance and verdict."""
from typing import NamedTuple, Optional

import numpy as np

AGREES, DIFFERS, MISSING = 'agrees', 'differs', 'not compared'

# The two sides add numbers in different orders. In float32 this shows: rounding errors grow with
# the number of terms and with every training step. In float64 it hardly shows. So the tolerances
# in float64 are too small for any wrong formula, and those in float32 catch what is plain to see.
LOGITS = 1e-5         # absolute; relative to the largest one in WaveNet, whose logits are larger
LOSS = 1e-5           # relative to the loss
GRADIENTS_64, GRADIENTS_32 = 1e-10, 1e-4    # relative to the largest gradient of the same parameter
CURVE_64 = 1e-10      # relative to the loss, at every step
TRAINED_64 = 1e-9     # absolute: a step of Adam is 1e-3 at most
FIRST, CURVE_FIRST = 8, 1e-4
CURVE_32 = 0.1


class Row(NamedTuple):
    name: str
    measure: str                 # what the difference is
    difference: Optional[float]  # None if there was nothing to compare
    tolerance: float             # the largest difference that agrees
    verdict: str                 # AGREES, DIFFERS or MISSING
    detail: str                  # what was compared, or where it differs


def overall(rows):
    """The verdict on all rows: DIFFERS before MISSING before AGREES."""
    found = {row.verdict for row in rows}
    return next(verdict for verdict in (DIFFERS, MISSING, AGREES) if verdict in found)


def model_rows(theirs, ours, config, relative=False):
    """Rows for a model at given parameters and its training: what `steps.numbers` computes.

    `relative` means that the logits must be close relative to the largest one.
    """
    rows = [close('logits', part(theirs, 'logits'), part(ours, 'logits'), LOGITS, relative),
            equal('what a changed value reaches', part(theirs, 'reached'), part(ours, 'reached')),
            close('loss', part(theirs, 'loss'), part(ours, 'loss'), LOSS, relative=True)]
    for name, prefix, tolerance in (('gradients, float64', 'float64/grads/', GRADIENTS_64),
                                    ('gradients, float32', 'grads/', GRADIENTS_32)):
        rows.append(close(name, part(theirs, prefix), part(ours, prefix), tolerance,
                          relative=True))
    steps = config['iteration']
    rows.append(curve(theirs, ours, 'float64', steps, CURVE_64))
    rows.append(close('parameters after them', part(theirs, 'float64/params/'),
                      part(ours, 'float64/params/'), TRAINED_64))
    rows.append(curve(theirs, ours, 'float32', min(steps, FIRST), CURVE_FIRST))
    if steps > FIRST:
        rows.append(curve(theirs, ours, 'float32', steps, CURVE_32))
    return rows


def part(results, prefix):
    return {name[len(prefix):]: array for name, array in results.items() if name.startswith(prefix)}


def row(name, measure, difference, tolerance, detail):
    agrees = difference <= tolerance                       # NaN does not agree
    return Row(name, measure, float(difference), tolerance, AGREES if agrees else DIFFERS, detail)


def missing(name, theirs):
    return Row(name, '', None, 0, MISSING, f'missing {"here" if theirs else "on his side"}')


def names_and_shapes(theirs, ours):
    theirs, ours = part(theirs, 'shapes'), part(ours, 'shapes')
    if not theirs or not ours:
        return missing('parameters', theirs)
    differing = sorted(name for name in theirs.keys() | ours.keys()
                       if not np.array_equal(theirs.get(name), ours.get(name)))
    numbers = sum(int(np.prod(shape)) for shape in ours.values())
    return row('parameters', 'names or shapes that differ', len(differing), 0,
               some(differing) or f'{len(ours)} parameters, {numbers:,} numbers')


def equal(name, theirs, ours):
    """A row for arrays that must be equal in every value."""
    if not theirs or not ours:
        return missing(name, theirs)
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
    detail = values(theirs)
    if differing:
        names = f' ({some(differing)})' if any(differing) else ''
        detail = f'{count} of {detail}{example}{names}'
    return row(name, 'values that differ', count, 0, detail)


def close(name, theirs, ours, tolerance, relative=False):
    """A row for arrays that must be close; `relative` means relative to their largest value."""
    if not theirs or not ours:
        return missing(name, theirs)
    worst, where = 0.0, ''
    for key in sorted(theirs.keys() | ours.keys()):
        if key not in theirs or key not in ours or theirs[key].shape != ours[key].shape:
            worst, where = np.inf, key
            continue
        a, b = theirs[key].astype('d'), ours[key].astype('d')
        scale = (abs(a).max() or 1.0) if relative else 1.0
        difference = abs(a - b).max() / scale
        if not difference <= worst:                        # NaN is the worst
            worst, where = difference, key
    measure = 'largest difference' + (', relative to the largest value' if relative else '')
    place = ', most in ' + where.strip('/') if where else ''
    return row(name, measure, worst, tolerance, values(theirs) + place)


def curve(theirs, ours, dtype, steps, tolerance):
    """A row for the losses before each of the first `steps` optimizer steps."""
    name, key = f'{steps} optimizer steps, {dtype}', dtype + '/losses'
    if key not in theirs or key not in ours:
        return missing(name, key in theirs)
    a, b = theirs[key][:steps], ours[key][:steps]
    return row(name, 'largest difference, relative to the loss', (abs(a - b) / abs(a)).max(),
                tolerance, f'losses from {b[0]:.6g} to {b[-1]:.6g}')


def values(arrays):
    count = sum(array.size for array in arrays.values())
    return f'{count:,} value{"" if count == 1 else "s"}'


def some(names, most=3):
    """The first names of a list, and the number of the others."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(name.strip('/') for name in names[:most]) + more
