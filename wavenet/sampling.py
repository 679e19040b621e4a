"""Generation: pictures drawn from a model, value by value."""
import chainer
import chainer.functions as F
import numpy as np

from wavenet.utils import sample_from


def generate(model, shape, seed=None, progress=None):
    """Draws pictures as the post does (Inference): one run of the model for each value.

    A step draws the next value of all pictures at once, from one uniform number each. The same
    seed gives the same pictures, those that the author's loop gives after `numpy.random.seed`.

    Args:
        model: a `PixelCNN`.
        shape: of the pictures, (B, C, H, W).
        seed: of the draws; None for other pictures each time.
        progress: called with the number of pixels drawn since the last call.

    Returns: float32 (B, C, H, W) on the model's device, values in {0, 1 / (levels - 1), …, 1}.

    Raises: ValueError where C is not the model's.
    """
    batch, channels, height, width = shape
    if channels != model.in_channels:
        raise ValueError('the model draws pictures of {} channels, not {}'.format(
            model.in_channels, channels))
    random = np.random.RandomState(seed)
    samples = model.xp.zeros(shape, 'f')
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for i in range(height):
            for j in range(width):
                for k in range(channels):
                    logits = model(samples).array[:, :, k, i, j]      # (B, out_dims)
                    p = probabilities(logits)                         # (B, levels)
                    samples[:, k, i, j] = sample_from(p, random) / (p.shape[1] - 1)
                if progress:
                    progress(1)
    return samples


def probabilities(logits):
    """(B, out_dims) logits → (B, levels) probabilities; one logit is that of level 1 of two."""
    if logits.shape[1] == 1:
        p = F.sigmoid(logits).array
        return chainer.backend.get_array_module(p).concatenate([1 - p, p], axis=1)
    return F.softmax(logits, axis=1).array
