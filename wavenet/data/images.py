"""`ImageDataset`, the one kind of image data set that the rest of the code sees.

A Chainer iterator (`batches`) yields numbers of images, and the data set makes a whole batch of
them at once (`ImageDataset.batch`). So images take one byte per value until they are needed.
"""
from typing import NamedTuple, Optional

import chainer
import numpy as np

from wavenet import cli, utils
from wavenet.data.pixels import INTENSITY, is_gray, look_up, luminance


class Images(NamedTuple):
    """Images as they are read, before channels and levels are chosen."""

    pixels: np.ndarray         # uint8 (N, C, H, W), C 1 or 3; labels may be uint16
    class_ids: np.ndarray      # integers (N,), from 0
    class_names: Optional[tuple] = None  # by number; None where the data has no classes: all are 0


class Batch(NamedTuple):
    """What a model is trained or tested on, on the device of the data set."""

    x: np.ndarray              # float32 (B, C, H, W), the input: targets / (levels - 1)
    targets: np.ndarray        # int32 (B, C, H, W) in {0, …, levels - 1}, which the model predicts
    class_ids: np.ndarray      # int32 (B,)


class ImageDataset(chainer.dataset.DatasetMixin):
    """Images whose values are quantized, once, or binarized at random.

    `dataset[i]` is a `Batch` without the first dimension.

    With `binarize`, each batch samples its targets. A number given to `batch` means epoch * N + i:
    image i as it is sampled in that epoch. The result depends on the seed, the epoch and i alone.
    `batches` numbers the epochs of training from 1. The numbers 0 to N - 1 give one fixed sample of
    each image. A gray pixel is sampled once and copied to all channels; in a colour image, each
    value is sampled.

    Args:
        images: uint8 (N, C, H, W), C 1 or 3. RGB images that are all gray become grayscale.
        class_ids: integers (N,).
        channels: 3 or 1. Grayscale is copied to three channels; RGB becomes its luminance.
        levels: number of values a channel of a pixel can take.
        binarize: sample each target from {0, 1}, with its intensity as the probability of 1.
        seed: tuple of whole numbers, for sampling.
        num_classes: number of classes, if other images of the same kind have more than these; by
            default, 1 + the largest of `class_ids`.
        class_names: the names of the classes, by number; None where the data has no classes.
        labels: the values of `images`, uint8 or uint16, are labels from 0 to levels - 1: they are
            the targets as they are. They have `channels` channels, or are gray.

    Attributes:
        flip: mirror each image, left to right, with probability 1/2, in epochs from 1 on, drawn as
            with `binarize`; False at first.
        shape: (C, H, W) of an image.
        targets: uint8 (N, 1 or C, H, W), labels may be uint16; None with `binarize`.
        intensities: the images, uint8 (N, 1 or C, H, W), with `binarize`; otherwise None.
        class_ids: int32 (N,).
        device: where batches are made.
    """

    unit = examples = 'images'

    def __init__(self, images, class_ids, channels, levels, binarize=False, seed=(0,),
                 num_classes=None, class_names=None, labels=False):
        if images.shape[1] == 3 and is_gray(images):
            images = images[:, :1]  # gray, stored as RGB
        elif images.shape[1] == 3 and channels == 1:
            if labels:
                raise ValueError('labels of 3 channels cannot become 1 channel')
            images = luminance(images)
        self.flip = False
        self.shape = (channels,) + images.shape[2:]
        self.levels = levels
        self.labels = labels
        self.seed = seed
        self.intensities = images if binarize else None
        # One byte per value for any number of levels; gray is copied when a batch is made
        self.targets = images if labels else None if binarize else \
            look_up(utils.quantize(INTENSITY, levels).astype('u1'), images)
        self.class_ids = class_ids.astype('i')
        self.num_classes = num_classes or 1 + int(class_ids.max())
        self.class_names = class_names
        self.device = chainer.get_device('@numpy')

    def __len__(self):
        return len(self.class_ids)

    @property
    def amount(self):
        """The number of images."""
        return len(self)

    def forget_classes(self):
        """Makes this a data set without classes."""
        self.class_ids = self.class_ids * 0
        self.num_classes, self.class_names = 1, None

    def describe(self):
        """The images in words."""
        channels, height, width = self.shape
        colours = 'RGB' if channels == 3 else 'grayscale'
        values = f'labels 0 to {self.levels - 1}' if self.labels else f'{self.levels} levels'
        return f'{cli.counted(len(self), "image")} of {height}×{width} ({colours}, {values})'

    def weigh(self, numbers):
        """How much these images count in a mean: each as much as every other."""
        return len(numbers)

    def get_example(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError(f'image {i} of {len(self)}')
        i %= len(self)
        return Batch(*(array[0] for array in self.batch([i])))

    def to_device(self, device):
        """Moves the data to a Chainer device, where batches are made from then on."""
        self.device = device
        self.class_ids = device.send(self.class_ids)
        if self.targets is not None:
            self.targets = device.send(self.targets)

    def batch(self, numbers):
        """A `Batch` of the images with these numbers, which may include an epoch (see above)."""
        epochs, indices = np.divmod(np.asarray(numbers), len(self))
        if self.targets is None:
            targets = self.device.send(self._binarize(epochs, indices))
            indices = self.device.send(indices)
        else:
            indices = self.device.send(indices)
            targets = self.targets[indices]                       # (B, 1 or C, H, W)
        targets = targets.astype('i')
        if self.flip:
            mirrored = self.device.send(self._draw_flips(*np.divmod(numbers, len(self))))
            targets = self.device.xp.where(mirrored, targets[..., ::-1], targets)
        if targets.shape[1] < self.shape[0]:
            targets = self.device.xp.tile(targets, (1, 3, 1, 1))  # gray to (B, 3, H, W)
        x = targets.astype('f') / (self.levels - 1)
        return Batch(x, targets, self.class_ids[indices])

    def converter(self, numbers, device):
        """`batch` with the arguments that Chainer's updaters and evaluators give a converter.

        The batch is on the data set's device; `device` is ignored.
        """
        return self.batch(numbers)

    def _draw_flips(self, epochs, indices):
        """bool (B, 1, 1, 1): which images are mirrored."""
        return np.array([epoch > 0 and np.random.RandomState(self.seed + (epoch, i, 1)).rand() < 0.5
                         for epoch, i in zip(epochs, indices)], bool)[:, None, None, None]

    def _binarize(self, epochs, indices):
        return np.stack([
            utils.binarize(INTENSITY[self.intensities[i]],
                           random=np.random.RandomState(self.seed + (epoch, i)))
            for epoch, i in zip(epochs, indices)])
