"""Compares the results of both sides: rows for WaveNet."""
import numpy as np

from wavenet.compare.ours_wavenet import probabilities
from wavenet.compare.rows import close, equal, model_rows, names_and_shapes, part, row
from wavenet.compare.verdicts import BOUNDARY

# Two versions of NumPy or SciPy may round differently
HELPERS = 1e-12       # absolute
HEADING = 'WaveNet: '


def compare(theirs, ours, config):
    """Rows for the task 'sound_numbers'. Args: its results on both sides, and their config."""
    rows = [names_and_shapes(theirs, ours)]
    rows += [close(name, part(theirs, 'utils/' + name), part(ours, 'utils/' + name), HELPERS)
             for name in ('mulaw', 'inverse_mulaw')]
    rows += [equal(name, part(theirs, 'utils/' + name), part(ours, 'utils/' + name))
             for name in ('wav_to_float', 'quantisize', 'receptive_field_size')]
    rows.append(close('chunks of .wav files', part(theirs, 'chunks/'), part(ours, 'chunks/'),
                      HELPERS))
    rows += [equal(f'{name} of .wav files', part(theirs, name + '/'), part(ours, name + '/'))
             for name in ('inputs', 'targets')]
    rows += [with_receptive_field(one, theirs, ours)
             for one in model_rows(theirs, ours, config, relative=True)]
    for name, words in (('wavenet', "the author's model, loaded here"),
                        ('snapshot_iter', "the author's snapshot, loaded here")):
        rows.append(equal(words, part(theirs, 'saved/params/'), part(ours, name + '/params/')))
    return [headed(one) for one in rows]


def headed(one):
    return one._replace(name=HEADING + one.name)


def with_receptive_field(one, theirs, ours):
    """Adds to the row of what a changed sample reaches the number of samples that an output
    depends on, and the author's number."""
    if one.name != 'what a changed value reaches' or 'reached' not in ours:
        return one
    samples = ours['reached'].sum(axis=0).max()
    his = theirs['utils/receptive_field_size'][-1]
    return one._replace(detail=f'{one.detail}; an output depends on {samples} samples at most, his '
                               f'receptive_field_size says {his}')


def compare_generation(generated, theirs, config):
    """Rows for the task 'sound_generation'. Args: as of `verdicts.compare_generation`."""
    return [headed(one) for one in (
        equal('our model, loaded there', part(theirs, 'saved/params/'),
              part(generated['author'], 'params/')),
        *_sounds(generated, config))]


def _sounds(generated, config):
    """Rows for the samples, as far as the author's loop came, and for the sounds in his .wav files.

    A random number within rounding of a boundary between two levels can choose either of them. Then
    the rest of this sound differs, too. Such a sound does not count as different.
    """
    a, b = (generated[side]['samples'] for side in ('author', 'here'))
    done = round(float(generated['author']['part']) * b.shape[1])
    differing = np.flatnonzero((a[:, :done] != b[:, :done]).any(axis=1))
    rounding = [n for n in differing if BOUNDARY >= _distance_from_boundary(
        b, n, int((a[n] != b[n]).argmax()), config)]
    detail = f'{done:,} samples of each of {len(a)} sounds'
    if rounding:
        detail += f', in {len(rounding)} a random number within {BOUNDARY:g} of a boundary'
    yield row('generation', 'sounds that differ', len(differing) - len(rounding), 0, detail)
    kept = [n for n in range(len(a)) if n not in rounding]
    yield equal('.wav files of the sounds', *(
        {'': generated[side]['sounds'][kept, :done]} for side in ('author', 'here')))


def _distance_from_boundary(levels, number, sample, config):
    """The distance of a random number from the nearest boundary between two levels.

    Args:
        levels: our sounds, int32 (B, T).
        number, sample: of the sound, and in it.
        config: what both sides were given.
    """
    uniform = np.random.RandomState(config['seed']).random_sample(levels.T.shape)[sample, number]
    cumulative = probabilities(config, levels[number:number + 1], sample)[0].astype('d').cumsum()
    return abs(cumulative / cumulative[-1] - uniform).min()
