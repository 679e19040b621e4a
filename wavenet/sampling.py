"""Generation: pictures drawn from a model, value by value.

The post runs the whole model once for each value of a picture, "3 · HEIGHT · WIDTH model runs", and
throws nearly all of it away. But when a value is drawn, all feature maps of the rows above and of
the pixels to the left are final, and within a pixel the maps of a colour depend on those of this
colour and the ones before it only. So `method='cached'` computes each map of each pixel once, when
its turn comes: in total the arithmetic of one run of the model.
"""
import contextlib

import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda

from wavenet.functions import threads
from wavenet.families.pixelcnn.cache import Cache
from wavenet.families.gated.cache import GatedCache
from wavenet.families.pixelcnn.cache_gpu import draw_rows
from wavenet.utils import draw, quantize

PICTURES_OF_A_CORE = 32  # at least: of fewer, the products are too small to be worth it


def generate(model, shape, seed=None, method='cached', given=None, part=None, progress=None,
             labels=None):
    """Draws pictures from a model, row by row, pixel by pixel, R, G, B.

    A step draws the next value of all pictures, from one uniform number each; the step's numbers are
    `RandomState(seed).random_sample(B)`, one step after the other. The same seed gives the same
    pictures whatever the method and the device, those that the author's loop gives after
    `numpy.random.seed(seed)`, unless a number falls within float rounding of a boundary.

    Args:
        model: a `PixelCNN` or a `GatedPixelCNN`.
        shape: of the pictures, (B, C, H, W); any height and width.
        seed: of the draws; None for other pictures each time.
        method: 'cached', or 'naive' for the post's loop.
        given: (pictures, rows): array (B, C, H, W) in [0, 1], of which the first `rows` rows are
            kept, as the model's levels have them, and the rest is drawn. The draws are those of
            plain generation: numbers for values that are given are passed over.
        part: a slice of the batch: only these pictures, the same as when all are drawn. It needs a
            seed, without which there is no whole that they could be a part of.
        progress: called with the number of pixels that are done since the last call.
        labels: for a model with classes, those of the pictures, integers (B,); by default 0, 1, 2, …,
            all classes in turn.

    Returns: float32 (B, C, H, W), or those of `part`, on the model's device; values in
        {0, 1 / (levels - 1), …, 1}.

    Raises: ValueError for shapes that do not fit, an unknown method, a part without a seed, given
        values outside [0, 1], labels that are no classes of the model, and a model whose parameters
        or logits are not finite.
    """
    batch, channels, height, width = shape
    if channels != model.in_channels:
        raise ValueError('the model draws pictures of {} channels, not {}'.format(
            model.in_channels, channels))
    if method not in ('cached', 'naive'):
        raise ValueError("method must be 'cached' or 'naive', got {!r}".format(method))
    if part is not None and seed is None:
        raise ValueError('a part of the pictures can be drawn only with a seed')
    xp = model.xp
    for name, param in model.namedparams():
        if not xp.isfinite(param.array).all():
            raise ValueError('the model cannot draw: its {} is not finite'.format(name))

    labels = _labels(model, batch, labels)

    part = slice(None) if part is None else part
    # All at once, so that on a GPU nothing has to wait for the host
    uniforms = np.random.RandomState(seed).random_sample((height, width, channels, batch))
    with chainer.using_device(model.device):
        samples = xp.zeros((len(range(batch)[part]),) + tuple(shape[1:]), 'f')
        first_row = _give(samples, given, shape, part, max(model.out_dims, 2))
        fill = _naive if method == 'naive' else _cached
        if labels is not None:
            labels = xp.asarray(labels[part])
        if len(samples):
            fill(model, samples, labels, first_row,
                 xp.ascontiguousarray(xp.asarray(uniforms[..., part])),
                 progress or (lambda pixels: None))
    if (samples > 1).any():  # as `draw` gives for NaN
        raise ValueError('the model cannot draw: its logits are not finite')
    return samples


def _labels(model, batch, labels):
    """The classes of the pictures, int32 (B,), or None for a model without. Raises: ValueError."""
    if model.classes is None:
        if labels is not None:
            raise ValueError('the model has no classes that labels could name')
        return None
    if labels is None:
        labels = np.arange(batch) % model.classes
    labels = np.asarray(cuda.to_cpu(labels))
    if labels.dtype.kind not in 'iu' or labels.shape != (batch,) \
            or not ((0 <= labels) & (labels < model.classes)).all():
        raise ValueError('labels must be {} classes from 0 to {}, got {}'.format(
            batch, model.classes - 1, labels))
    return labels.astype('i')


def _give(samples, given, shape, part, levels):
    """Writes the rows that are given into the samples. Returns how many they are."""
    if given is None:
        return 0
    pictures, rows = given
    if tuple(pictures.shape) != tuple(shape):
        raise ValueError('the given pictures must have the shape {}, not {}'.format(
            tuple(shape), pictures.shape))
    if not 0 <= rows <= shape[2]:
        raise ValueError('given rows must be from 0 to {}, got {}'.format(shape[2], rows))
    xp = backend.get_array_module(samples)
    labels = quantize(xp.asarray(pictures[part]), levels)
    samples[:, :, :rows] = labels[:, :, :rows].astype('f') / (levels - 1)
    return rows


def probabilities(logits):
    """(B, out_dims) logits → (B, levels) probabilities, float32; a single logit is that of level 1 of
    two."""
    xp = backend.get_array_module(logits)
    if logits.shape[1] == 1:
        p = xp.empty((len(logits), 2), logits.dtype)
        p[:, 1:] = xp.tanh(logits * 0.5) * 0.5 + 0.5      # the sigmoid, without overflow
        p[:, :1] = 1 - p[:, 1:]
        return p
    p = xp.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def _naive(model, samples, labels, first_row, uniforms, progress):
    """The post's loop: fills in `samples` (B, C, H, W) from `first_row` on."""
    _, channels, height, width = samples.shape
    progress(first_row * width)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for i in range(first_row, height):
            for j in range(width):
                for k in range(channels):
                    p = probabilities(model(samples, labels).array[:, :, k, i, j])   # (B, levels)
                    samples[:, k, i, j] = draw(p, uniforms[i, j, k]) / (p.shape[1] - 1)
                progress(1)


def _cached(model, samples, labels, first_row, uniforms, progress):
    """The same, with each feature map of each pixel computed once: large batches on all cores"""
    if model.xp is not np:
        if labels is None:
            return draw_rows(model, samples, first_row, uniforms, progress)
        return _cached_part(model, samples, labels, first_row, uniforms, progress)
    cores = max(1, min(threads.WORKERS, len(samples) // PICTURES_OF_A_CORE))
    size = -(-len(samples) // cores)

    def work(parts):
        for part in parts:
            def report(pixels):
                parts.check()
                if part.start == 0:
                    progress(pixels)
            _cached_part(model, samples[part], None if labels is None else labels[part], first_row,
                         uniforms[..., part], report, cores=threads.WORKERS if cores == 1 else 1)

    # The gated model spreads its large products itself
    with contextlib.nullcontext() if labels is None else threads.one_thread_a_product():
        threads.share(work, [slice(start, start + size) for start in range(0, len(samples), size)])


def _cached_part(model, samples, labels, first_row, uniforms, progress, cores=1):
    """Some pictures of the batch; `cores` are free for it"""
    batch, channels, height, width = samples.shape
    levels = max(model.out_dims, 2)
    cache = Cache(model, batch, width) if labels is None else \
        GatedCache(model, batch, width, labels, cores)
    for i in range(height):
        cache.start_row()
        for j in range(width):
            cache.start_pixel(j)
            for k in range(channels):
                logits = cache.logits(k)                                     # (B, out_dims)
                if i >= first_row:
                    drawn = draw(probabilities(logits), uniforms[i, j, k])
                    samples[:, k, i, j] = drawn / (levels - 1)
                cache.set_value(j, k, samples[:, k, i, j])
            cache.end_pixel(j)
            progress(1)
