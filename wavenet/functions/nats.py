"""The nats of images or sound, exact to the last digit."""
import numpy as np
from chainer.backends import cuda

SLICE = 2 ** 21  # number of outputs that are converted to float64 at once


def batch_nats(distribution, outputs, targets):
    """The nats of some images: a list of float64 arrays, each of a part of the images.

    Args:
        outputs: of the model, float32 (B, outputs, C, H, W), or (B, outputs, H, W) of pixels.
        targets: int32 (B, C, H, W).
    """
    # In float64, so that sums over many values and images are exact to the last digit
    step = max(1, SLICE // outputs[0].size)
    return [cuda.to_cpu(distribution.nll(outputs[start:start + step].astype('d'),
                                         targets[start:start + step]).array)
            for start in range(0, len(outputs), step)]


def nats_of_mean(nats):
    """-log of the mean of probabilities that are given as nats, float64 (K, …) → (…)."""
    least = nats.min(axis=0)                                        # so that exp does not vanish
    return least - np.log(np.exp(least - nats).mean(axis=0))
