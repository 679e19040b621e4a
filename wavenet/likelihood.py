"""The likelihood of images under a model: nats per image and bits/dim, with errors."""
import math
from typing import NamedTuple

import chainer
import numpy as np
from chainer.backends import cuda

SLICE = 2 ** 21  # outputs that are turned into float64 at a time


class Likelihood(NamedTuple):
    """The negative log-likelihood of a test set.

    Attributes:
        images: number of images.
        nats: per image, the mean over the images.
        nats_error: the standard error of that mean; NaN for a single image.
        bits_per_dim: nats / (C · H · W · ln 2).
        bits_per_dim_error: its standard error.
    """
    images: int
    nats: float
    nats_error: float
    bits_per_dim: float
    bits_per_dim_error: float


def likelihood(model, dataset, batchsize=100, draws=None, progress=None):
    """The negative log-likelihood of a data set, a `Likelihood`.

    The error is the standard error of the mean over the images, which are the independent samples:
    several draws of an image count as one, their mean.

    Args:
        model: of one of the families; a conditional one gets the classes of the images.
        dataset: a `wavenet.data.images.ImageDataset`, on the model's device, of the model's levels.
        batchsize: images at once.
        draws: of a data set that binarizes: how many times each image is drawn, differently; by
            default once, as for the tests during training.
        progress: called with the number of images that are done since the last call.

    Raises: ValueError for a data set that does not fit the model, and where the likelihood is not
        finite.
    """
    numbers = range(1, 1 + draws) if draws else [0]
    nats = np.mean([image_nats(model, dataset, batchsize, number, progress) for number in numbers],
                   axis=0)
    error = nats.std(ddof=1) / math.sqrt(len(nats)) if len(nats) > 1 else math.nan
    bits = 1 / (math.prod(dataset.shape) * math.log(2))
    return Likelihood(len(nats), float(nats.mean()), float(error), float(nats.mean() * bits),
                      float(error * bits))


def image_nats(model, dataset, batchsize=100, number=0, progress=None):
    """The negative log-likelihood of each image: nats, float64 (N,), on the host.

    Args: as of `likelihood`; `number` is the number of the draw.

    Raises: as `likelihood`.
    """
    check_fit(model, dataset)
    nats = []
    with chainer.using_device(model.device), chainer.no_backprop_mode(), \
            chainer.using_config('train', False):
        for start in range(0, len(dataset), batchsize):
            images = np.arange(start, min(start + batchsize, len(dataset)))
            x, targets, class_ids = dataset.batch(number * len(dataset) + images)
            nats += _nats(model.distribution, model(x, class_ids).array, targets)
            if progress:
                progress(len(images))
    nats = np.concatenate(nats)
    if not np.isfinite(nats).all():
        raise ValueError('the likelihood is not finite: the weights of this model are too large')
    return nats


def _nats(distribution, outputs, targets):
    """Outputs (B, outputs, C, H, W) and targets (B, C, H, W) → a list of float64 arrays, -log p of
    some images each."""
    # In float64, so that a mean over many values and images is right to the last digit
    step = max(1, SLICE // outputs[0].size)
    return [cuda.to_cpu(distribution.nll(outputs[start:start + step].astype('d'),
                                         targets[start:start + step]).array)
            for start in range(0, len(outputs), step)]


def check_fit(model, dataset):
    """Raises: ValueError for a data set of other channels, levels or classes than the model."""
    levels = model.distribution.levels
    if dataset.levels != levels or dataset.shape[0] != model.in_channels:
        raise ValueError(f'the model is for {levels} levels and {model.in_channels} channels, the '
                         f'images have {dataset.levels} and {dataset.shape[0]}')
    most = int(dataset.class_ids.max())
    if model.num_classes and most >= model.num_classes:
        raise ValueError(
            f'the model has classes 0 to {model.num_classes - 1}, the images 0 to {most}')
