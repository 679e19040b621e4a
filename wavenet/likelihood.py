"""The likelihood of images under a model: nats per image and bits/dim, with errors."""
import math
from typing import NamedTuple

import chainer
import numpy as np

from wavenet.families import registry
from wavenet.functions.nats import batch_nats, nats_of_mean


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


def likelihood(model, dataset, batchsize=100, draws=None, progress=None, of_each=None,
               classes=None):
    """Measures the negative log-likelihood of a data set, a `Likelihood`.

    The errors are standard errors of the mean over the images, which are independent. Several
    samples of a binarized image count as one value, their mean.

    Args:
        model: of one of the families. A conditional model gets the classes of the images.
        dataset: a `wavenet.data.images.ImageDataset`, on the model's device, of the model's levels.
        batchsize: number of images that are computed at once.
        draws: how many times each image of a binarized data set is sampled. By default, the images
            are sampled once, as for the tests during training.
        progress: called with the number of images that are done since the last call.
        of_each: called with the nats of each image, float64 (N,); means over the samples.
        classes: of a conditional model, numbers (K,): the probability of an image is the mean over
            these classes, whatever class it has.

    Raises: ValueError for a data set that does not fit the model, and for a likelihood that is not
        finite.
    """
    numbers = range(1, 1 + draws) if draws else [0]
    nats = np.mean([image_nats(model, dataset, batchsize, number, progress, classes)
                    for number in numbers], axis=0)
    if of_each:
        of_each(nats)
    error = nats.std(ddof=1) / math.sqrt(len(nats)) if len(nats) > 1 else math.nan
    bits = 1 / (math.prod(dataset.shape) * math.log(2))
    return Likelihood(len(nats), float(nats.mean()), float(error), float(nats.mean() * bits),
                      float(error * bits))


def image_nats(model, dataset, batchsize=100, number=0, progress=None, classes=None):
    """Measures the negative log-likelihood of each image in nats: float64 (N,) on the host.

    Args: as of `likelihood`; binarized images are sampled for the `number`-th time, from 0 on.

    Raises: as `likelihood`.
    """
    check_fit(model, dataset)
    nats = []
    with chainer.using_device(model.device), chainer.no_backprop_mode(), \
            chainer.using_config('train', False):
        for start in range(0, len(dataset), batchsize):
            images = np.arange(start, min(start + batchsize, len(dataset)))
            batch = dataset.batch(number * len(dataset) + images)
            of_each = [batch.class_ids] if classes is None else [
                model.xp.full(len(batch.x), k, 'i') for k in classes]
            nats.append(mean_nats(model, batch.x, batch.targets, of_each))
            if progress:
                progress(len(images))
    nats = np.concatenate(nats)
    if not np.isfinite(nats).all():
        raise ValueError('the likelihood is not finite: the weights of this model are too large')
    return nats


def mean_nats(model, x, targets, classes):
    """-log of the mean of the images' probabilities over the classes, and over the family's
    ensemble, such as the orders of MADE.

    The mean of probabilities is a distribution. The mean of logits, or of the probabilities of each
    value, is not.

    Args:
        model, x, targets: see `wavenet.models.Classifier.forward`.
        classes: a list of class ids, int32 (B,) or None each.

    Returns: float64 (B,) on the host.
    """
    nats = np.array([
        np.concatenate([np.empty(0), *batch_nats(model.distribution, form(x, ids).array, targets)])
        for form in forms_of(model) for ids in classes])                             # (K, B)
    return nats_of_mean(nats)


def forms_of(model):
    """The forms of a model whose probabilities are averaged: `Family.ensemble`. A model of no
    registered family has one."""
    family = registry.every().get(model.family)
    return family.ensemble(model) if family else [model]


def pixel_nats(model, dataset, numbers, classes=None):
    """Measures the negative log-likelihood of each pixel, given the pixels before it.

    Args:
        model, dataset, classes: as of `image_nats`. With `classes`, a pixel's probability is that
            of the image up to this pixel divided by that of the image up to the pixel before.
        numbers: of the images, integers (n,).

    Returns: float64 (n, H, W) on the host, in nats, summed over the colours. The sum over the
        pixels is the image's nats.

    Raises: as `image_nats`; ValueError for a model of several orders, in which different pixels
        come before a pixel.
    """
    check_fit(model, dataset)
    check_pixels(model)
    x, targets, class_ids = dataset.batch(numbers)
    batch, colors, height, width = targets.shape
    of_class = [class_ids] if classes is None else [
        model.xp.full(batch, k, 'i') for k in classes]
    with chainer.using_device(model.device), chainer.no_backprop_mode(), \
            chainer.using_config('train', False):
        nats = []
        for ids in of_class:
            outputs = model(x, ids).array
            # (B · H · W, outputs, C, 1, 1), or without C where outputs are of pixels
            each = model.xp.moveaxis(outputs, (-2, -1), (1, 2)).reshape(
                (-1, *outputs.shape[1:-2], 1, 1))
            values = model.xp.moveaxis(targets, 1, 3).reshape(-1, colors, 1, 1)
            nats.append(np.concatenate(batch_nats(model.distribution, each, values)))
    nats = np.array(nats).reshape(len(of_class), batch, height * width)
    total = nats.cumsum(axis=2)                                     # of the image up to a pixel
    total = nats_of_mean(total)
    return np.diff(total, axis=1, prepend=0).reshape(batch, height, width)


def check_pixels(model):
    """Raises: ValueError for a model without nats of each pixel."""
    if len(forms_of(model)) > 1:
        raise ValueError('the nats of a pixel depend on the order of the pixels, and this model '
                         'has several orders')


def check_fit(model, dataset):
    """Raises: ValueError for a data set of other channels, levels or classes than the model, or of
    labels where the model has intensities."""
    levels = model.distribution.levels
    if dataset.levels != levels or dataset.shape[0] != model.in_channels:
        raise ValueError(f'the model is for {levels} levels and {model.in_channels} channels, the '
                         f'images have {dataset.levels} and {dataset.shape[0]}')
    if dataset.labels != model.config.one_hot:
        raise ValueError('the model is for labels, and the images have intensities, or the reverse')
    most = int(dataset.class_ids.max())
    if model.num_classes and most >= model.num_classes:
        raise ValueError(
            f'the model has classes 0 to {model.num_classes - 1}, the images 0 to {most}')
