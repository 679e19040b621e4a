"""The likelihood of recordings under a model of sound: nats and bits per sample, with errors."""
import math
from typing import NamedTuple

import chainer
import numpy as np

from wavenet.functions.nats import batch_nats


class SoundLikelihood(NamedTuple):
    """The negative log-likelihood of test recordings.

    Attributes:
        recordings: their number.
        samples: of all recordings.
        nats: per sample, the mean over all samples.
        nats_error: the standard error of that mean over the recordings; NaN for a single one.
        bits: per sample, nats / ln 2.
        bits_error: its standard error.
    """
    recordings: int
    samples: int
    nats: float
    nats_error: float
    bits: float
    bits_error: float


def summarize(nats, lengths):
    """A `SoundLikelihood` of the nats of whole recordings, float64 (N,), and their lengths (N,).

    Recordings are independent, their samples are not. So the error is that of a ratio of two means
    over the recordings, of their nats and of their samples.
    """
    count, samples = len(nats), int(np.sum(lengths))
    mean = float(nats.sum() / samples)
    error = math.nan
    if count > 1:
        deviations = nats - mean * lengths
        error = math.sqrt((deviations ** 2).sum() / (count - 1) / count) / (samples / count)
    return SoundLikelihood(count, samples, mean, error, mean / math.log(2), error / math.log(2))


def recording_nats(model, dataset, batchsize=16, classes=None, progress=None):
    """Measures the negative log-likelihood of each recording, from its first sample to its last.

    Args:
        model: of sound. A conditional model gets the classes of the recordings.
        dataset: a `wavenet.data.windows.SoundDataset`, on the model's device, of the model's
            levels, whose context is the model's receptive field or more.
        batchsize: windows that are computed at once.
        classes: of a conditional model, numbers (K,): measures given each of these classes instead.
        progress: called with the number of windows that are done since the last call, each one K
            times.

    Returns: nats, float64 (N,) on the host; with `classes`, (K, N).

    Raises: ValueError for data that do not fit the model, and a likelihood that is not finite.
    """
    check_fit(model, dataset)
    given = [None] if classes is None else classes
    nats = np.zeros((len(given), dataset.amount))
    order = np.argsort(dataset.sizes, kind='stable')     # windows of like sizes in a batch
    with chainer.using_device(model.device), chainer.no_backprop_mode(), \
            chainer.using_config('train', False):
        for start in range(0, len(order), batchsize):
            windows = order[start:start + batchsize]
            x, targets, class_ids = dataset.batch(windows)
            for of_class, k in zip(nats, given):
                ids = class_ids if k is None else model.xp.full(len(x), k, 'i')
                outputs = model(x, ids, targets.shape[1]).array      # (B, levels, W)
                of_windows = np.concatenate(batch_nats(model.distribution, outputs, targets))
                np.add.at(of_class, dataset.of_recording[windows], of_windows)
                if progress:
                    progress(len(windows))
    if not np.isfinite(nats).all():
        raise ValueError('the likelihood is not finite: the weights of this model are too large')
    return nats[0] if classes is None else nats


def check_fit(model, dataset):
    """Raises: ValueError for data of other levels or classes than the model, or too little context.
    """
    if dataset.levels != model.distribution.levels:
        raise ValueError(f'the model is for {model.distribution.levels} levels, the recordings '
                         f'have {dataset.levels}')
    if dataset.context < model.config.receptive_field:
        raise ValueError(f'the windows hold {dataset.context} samples of context, the model sees '
                         f'{model.config.receptive_field}')
    most = int(dataset.class_ids.max())
    if model.num_classes and most >= model.num_classes:
        raise ValueError(f'the model has classes 0 to {model.num_classes - 1}, the recordings 0 to '
                         f'{most}')
