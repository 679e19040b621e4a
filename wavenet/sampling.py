"""Generation: sampling images or sound from a model, value by value.

The post runs the whole model once for each value of an image, "3 · HEIGHT · WIDTH model runs", and
uses only a few of the computed outputs each time. But when a value is sampled, all feature maps of
the rows above and of the pixels to the left are final, and within a pixel the feature maps of a
colour depend only on this colour and the ones before it. So `method='cached'` computes each feature
map of each pixel once, when its turn comes: in total the arithmetic of one run of the model. Each
family has its own cache (`wavenet/families`).
"""
import math

import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda

from wavenet.families import registry
from wavenet.functions import threads
from wavenet.functions.label_convolution import to_labels
from wavenet.utils import quantize

IMAGES_OF_A_CORE = 32  # at least: with fewer, the products are too small to share them


def generate(model, shape, seed=None, method='cached', given=None, part=None, progress=None,
             class_ids=None, temperature=1.0, raw=False):
    """Samples images from a model, row by row, pixel by pixel, R, G, B; or sound, sample by sample.

    A step samples the next value of all images, from one uniform number each; the numbers of a step
    are `RandomState(seed).random_sample(B)`, one step after the other. (Where a step is a whole
    pixel, it takes n numbers for each image, `random_sample((n, B))`.) The same seed gives the same
    images with every method and on every device, and the images of the author's loop after
    `numpy.random.seed(seed)`, unless a number falls within float rounding of a boundary.

    Args:
        model: of one of the families, such as a `PixelCNN`.
        shape: of the images, (B, C, H, W); any height and width. Of sound, (B, T): T samples.
        seed: of the random numbers; None for other images each time.
        method: 'cached', or 'naive' for the post's loop.
        given: (images, kept): floating (B, C, H, W) in [0, 1], and the pixels of them that are
            kept, quantized to the model's levels: a number of rows, or True in a bool array (H, W).
            Of sound, floating (B, T), and a number of samples, or bool (T,).
            The rest is generated, each pixel from those before it. Values that are given use
            up their random numbers, so the others are the same as without `given`. Labels are
            given as label / (levels - 1).
        part: a slice of the batch: only these images, the same as when all are generated. It needs
            a seed, which fixes the whole batch.
        progress: called with the number of pixels, or of samples of a sound, that are done since
            the last call.
        class_ids: the classes of the images, integers (B,), for a conditional model; by default
            0, 1, 2, …, all classes in turn.
        temperature: the logits are divided by it, a number above 0. Below 1, likely values become
            likelier. (Of a mixture, the scales are multiplied by it, too.)
        raw: for a model whose distribution is continuous, such as a mixture of logistics: do not
            round the values to levels, as the code of PixelCNN++'s authors.

    Returns: float32 of this shape, or those of `part`, on the model's device; values in
        {0, 1 / (levels - 1), …, 1}, or, with `raw`, in [0, 1].

    Raises: ValueError for shapes that do not fit, an unknown method, a part without a seed, given
        values outside [0, 1], classes that the model does not have, and a model whose parameters or
        outputs are not finite.
    """
    batch = shape[0]
    _check_arguments(model, shape, seed, method, part, temperature, raw)
    xp = model.xp
    class_ids = _check_class_ids(model, batch, class_ids)

    part = slice(None) if part is None else part
    # All before the first step, so that on a GPU nothing has to wait for the host
    uniforms = _uniforms(seed, shape, model.distribution, part)
    with chainer.using_device(model.device):
        samples = xp.zeros((len(range(batch)[part]), *shape[1:]), 'f')
        is_given = _fill_given(samples, given, shape, part, model)
        if class_ids is not None:
            class_ids = xp.asarray(class_ids[part])
        uniforms = xp.asarray(uniforms)
        if len(samples):
            fill = _naive if method == 'naive' else _cached
            fill(model, samples, class_ids, uniforms, is_given, _true_progress(progress, xp),
                 dict(temperature=temperature, raw=raw))
    if not (samples <= 1).all():  # as `draw` gives for NaN
        raise ValueError('the model cannot generate: its logits are not finite')
    return samples


def _true_progress(progress, xp):
    """The function `progress` of `generate`; on a GPU, it is called when the work is done, not when
    it is queued."""
    if progress is None:
        return lambda pixels: None
    if xp is np:
        return progress

    def report(pixels):
        xp.cuda.get_current_stream().synchronize()
        progress(pixels)
    return report


def _uniforms(seed, shape, distribution, part):
    """The random numbers of a part of the batch, float64 (steps, numbers of a step, len(part)).

    Those of the other images are drawn, too, but only those of one step are in memory.
    """
    batch, *of_sample = shape
    # A step is a value of (C, H, W) or (T,), or a pixel with all its colours
    steps = math.prod(of_sample[1:] if distribution.of_pixels else of_sample)
    of_step = distribution.uniforms_per_step
    random = np.random.RandomState(seed)
    uniforms = np.empty((steps, of_step, len(range(batch)[part])))
    for step in uniforms:
        step[:] = random.random_sample((of_step, batch))[:, part]
    return uniforms


def _check_arguments(model, shape, seed, method, part, temperature, raw):
    """Raises: ValueError for arguments of `generate` that do not fit, and for parameters that are
    not finite.
    """
    if registry.get(model.family).data == 'sound':
        if len(shape) != 2:
            raise ValueError(f'the model generates sound (count, samples), not {tuple(shape)}')
    elif shape[1] != model.in_channels:
        raise ValueError(
            f'the model generates images of {model.in_channels} channels, not {shape[1]}')
    elif registry.get(model.family).fit(model.config, shape[1:]) != model.config:
        raise ValueError(f'the model generates images of {model.config.width}×'
                         f'{model.config.height} only, not {shape[3]}×{shape[2]}')
    if method not in ('cached', 'naive'):
        raise ValueError(f"method must be 'cached' or 'naive', got {method!r}")
    if part is not None and seed is None:
        raise ValueError('a part of the images can be generated only with a seed')
    if raw and not model.distribution.has_raw_draws:
        raise ValueError('the model draws levels: there are no values between them (raw)')
    if not 0 < temperature < float('inf'):
        raise ValueError(f'the temperature must be above 0 and finite, got {temperature}')
    names, params = zip(*model.namedparams())
    with chainer.using_device(model.device):
        # All at once: a GPU is asked only once
        finite = cuda.to_cpu(model.xp.stack([model.xp.isfinite(param.array).all()
                                             for param in params]))
    if not finite.all():
        raise ValueError(f'the model cannot generate: its {names[finite.argmin()]} is not finite')


def _check_class_ids(model, batch, class_ids):
    """The classes of the images, int32 (B,), or None for an unconditional model.

    Raises: ValueError for classes that the model does not have.
    """
    if not model.num_classes:
        if class_ids is not None:
            raise ValueError('the model is unconditional: it takes no class_ids')
        return None
    if class_ids is None:
        class_ids = np.arange(batch) % model.num_classes
    class_ids = np.asarray(cuda.to_cpu(class_ids))
    if class_ids.dtype.kind not in 'iu' or class_ids.shape != (batch,) \
            or not ((0 <= class_ids) & (class_ids < model.num_classes)).all():
        raise ValueError(f'class_ids must be {batch} classes from 0 to {model.num_classes - 1}, '
                         f'got {class_ids}')
    return class_ids.astype('i')


def _fill_given(samples, given, shape, part, model):
    """Writes the values that are given into the samples. Returns which ones they are, bool
    (C, H, W), or (T,) of sound, on the host."""
    is_given = np.zeros(samples.shape[1:], bool)
    if given is None:
        return is_given
    images, kept = given
    if tuple(images.shape) != tuple(shape):
        raise ValueError(f'the given images must have the shape {tuple(shape)}, not {images.shape}')
    places = tuple(shape[2:]) or tuple(shape[1:])      # (H, W), or (T,)
    if np.ndim(kept) == 0:
        if not 0 <= kept <= places[0]:
            of = 'rows' if len(places) == 2 else 'samples'
            raise ValueError(f'given {of} must be from 0 to {places[0]}, got {kept}')
        is_given[...] = (np.arange(places[0]) < kept).reshape(-1, *(1 for _ in places[1:]))
    else:
        kept = np.asarray(kept)
        if kept.dtype != bool or kept.shape != places:
            raise ValueError(f'the values that are kept must be bool {places}, not '
                             f'{kept.dtype} {kept.shape}')
        is_given[:] = kept
    xp, levels = backend.get_array_module(samples), model.distribution.levels
    images = xp.asarray(images[part])
    targets = to_labels(images, levels) if model.config.one_hot else quantize(images, levels)
    if ((targets < 0) | (targets >= levels)).any():
        raise ValueError(f'given labels must be from 0 to {levels - 1}, divided by {levels - 1}')
    samples[...] = xp.asarray(is_given) * targets.astype('f') / (levels - 1)
    return is_given


def _naive(model, samples, class_ids, uniforms, is_given, progress, how):
    """The post's loop: fills in `samples` (B, C, H, W), or (B, T) of sound."""
    _run(registry.get(model.family).plain(model, samples, class_ids), how, uniforms, is_given,
         progress)


def _run(state, how, *args):
    """Runs a state whose attributes, such as the temperature, are those of the dict `how`."""
    for name, value in how.items():
        setattr(state, name, value)
    state.run(*args)


def _cached(model, samples, class_ids, uniforms, is_given, progress, how):
    """The same by the cache of the model's family, if it has one; large batches on all cores."""
    make_cache = registry.get(model.family).cache
    if make_cache is None:
        return _naive(model, samples, class_ids, uniforms, is_given, progress, how)
    if model.xp is not np:
        state = make_cache(model, samples, class_ids, 1)
        return _run(state, how, uniforms, is_given, progress)
    cores = max(1, min(threads.WORKERS, len(samples) // IMAGES_OF_A_CORE))
    size = -(-len(samples) // cores)

    def work(parts):
        for part in parts:
            def report(pixels, part=part):
                parts.check()
                if part.start == 0:
                    progress(pixels)
            of_part = class_ids if class_ids is None else class_ids[part]
            # Alone, it may use all cores itself
            state = make_cache(model, samples[part], of_part, threads.WORKERS if cores == 1 else 1)
            _run(state, how, uniforms[..., part], is_given, report)

    threads.share(work, [slice(start, start + size) for start in range(0, len(samples), size)])
