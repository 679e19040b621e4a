"""Compares the results of both sides: rows for images."""
import numpy as np

from wavenet.compare.ours import probabilities
from wavenet.compare.rows import (
    AGREES,
    DIFFERS,
    MISSING,
    equal,
    model_rows,
    names_and_shapes,
    overall,
    part,
    row,
)

__all__ = ['AGREES', 'DIFFERS', 'MISSING', 'overall']

BOUNDARY = 1e-5       # rounding: a random number this near to a boundary can choose either level


def compare(theirs, ours, config):
    """Rows for the task 'numbers'. Args: its results on both sides, and their config."""
    rows = [names_and_shapes(theirs, ours)]
    rows += [equal('masks', part(theirs, 'masks/'), part(ours, 'masks/'))]
    rows += [equal(name, part(theirs, 'utils/' + name), part(ours, 'utils/' + name))
             for name in ('binarize', 'quantisize', 'convert_to_rgb', 'sample_from')]
    rows += model_rows(theirs, ours, config)
    for name, words in (('pixelcnn_1', "the author's model, loaded here"),
                        ('snapshot_iter_1', "the author's snapshot, loaded here")):
        rows.append(equal(words, part(theirs, 'saved/params/'), part(ours, name + '/params/')))
    return rows


def compare_generation(generated, theirs, config, arrays):
    """Rows for the task 'generation': the parameters his code read from our file, and the images.

    Args:
        generated: results of this task on the sides 'author' and 'here'.
        theirs: results of his side for the task 'numbers'. Our file holds its parameters.
        config, arrays: what both sides were given.
    """
    return [equal('our model, loaded there', part(theirs, 'saved/params/'),
                  part(generated['author'], 'params/')),
            _images(generated, config, arrays)]


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
    return row('generation', 'images that differ', len(differing) - len(rounding), 0, detail)


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
