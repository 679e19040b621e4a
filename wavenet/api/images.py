"""`Model`, the public face of a model of images."""
import chainer
import numpy as np
from chainer.backends import cuda

from wavenet import sampling
from wavenet.api.trained import TrainedModel, progress_of
from wavenet.data.pixels import INTENSITY, bytes_of_levels
from wavenet.likelihood import mean_nats
from wavenet.utils import quantize


class Model(TrainedModel):
    """A trained model of images: it samples images and scores them.

    Args:
        network: a Chainer model of one of the families, such as a `wavenet.models.PixelCNN`.

    Attributes:
        network: the Chainer model, which maps inputs (B, C, H, W) to outputs.
        config: its sizes, a frozen dataclass.
        about: what its file records, a dict: the data set, the options of the training.
        levels: number of values that a pixel's channel can take.
        labels: whether the values of pixels are labels, not intensities, as with `--labels`. Images
            are then levels everywhere, as with `as_levels`.
        num_classes: number of classes; 0 where the model is unconditional.
        class_names: their names, a tuple; None where the file has none.
        image_size: (height, width) of the training images; None where the file does not say it.
    """

    def __init__(self, network):
        super().__init__(network)
        self.labels = network.config.one_hot
        size = self.about.get('height'), self.about.get('width')
        self.image_size = None if None in size else size

    def sample(self, n, *, seed=None, class_ids=None, size=None, given=None, mask=None,
               temperature=1.0, progress=None, as_levels=False):
        """Generates images.

        Args:
            n: number of images.
            seed: the same seed gives the same images; None for other images each time.
            class_ids: for a conditional model, the class of all images, a whole number or a name,
                or n of them; by default all classes in turn.
            size: (height, width), or one number for both; by default that of the training images.
            given: images to complete, as `log_prob` takes them: n of them, or 1 for all.
            mask: the pixels of `given` that are kept: True in a bool array (H, W), or a number of
                rows from the top. The others are generated, each from the pixels before it: what
                is kept below or to the right of a pixel does not change it.
            temperature: the logits are divided by it: below 1, likelier and more uniform images.
            progress: True for a progress bar, or a function that is called with the number of
                pixels that are done since the last call.
            as_levels: return the quantized values, {0, …, levels - 1}, instead of intensities;
                `given` holds such values, too.

        Returns: uint8 (n, H, W), or (n, H, W, 3) in colour. Intensities of a level lie in its bin,
            so `log_prob` takes them for the same levels. With more than 256 levels, uint16 levels.

        Raises: ValueError for arguments that do not fit the model.
        """
        if (given is None) != (mask is None):
            raise ValueError('given and mask go together: mask says which pixels are kept')
        if given is None:
            shape = (n, self.network.in_channels, *self._size(size))
        else:
            targets = self._targets(given, as_levels)
            shape = (n, *targets.shape[1:])
            if len(targets) not in (1, n) or size and self._size(size) != shape[2:]:
                raise ValueError(f'given must be {n} images, or 1 for all, of the size asked for; '
                                 f'got the shape {np.shape(given)}')
            given = np.broadcast_to(targets.astype('f') / (self.levels - 1), shape), mask
        with progress_of(progress, shape[2] * shape[3], 'pixel') as update:
            samples = sampling.generate(
                self.network, shape, seed, given=given, progress=update,
                class_ids=self.class_ids_of_all(class_ids, n), temperature=temperature)
        levels = np.rint(cuda.to_cpu(samples) * (self.levels - 1)).astype('u2')  # (n, C, H, W)
        return _channels_last(self._pixels(levels, as_levels))

    def log_prob(self, images, class_ids=None, *, as_levels=False, batchsize=100, progress=None):
        """Computes the log-likelihood of images.

        Args:
            images: (N, H, W), or (N, H, W, 3) in colour: uint8 intensities, floating intensities in
                [0, 1], or, with `as_levels`, whole numbers, the levels {0, …, levels - 1}.
                Intensities are quantized as for the training. Gray images are copied to the
                channels of a colour model.
            class_ids: for a conditional model, the class of all images, a whole number or a name,
                or N of them.
            as_levels: whether the images are levels.
            batchsize: number of images that are computed at once.
            progress: as for `sample`, but it counts images.

        Returns: float64 (N,): the natural logarithm of the probability of each image, in nats.

        Raises: ValueError for images or classes that do not fit the model.
        """
        targets = self._targets(images, as_levels)                       # (N, C, H, W)
        class_ids = self.class_ids_of_given(class_ids, len(targets))
        nats = [np.empty(0)]
        with progress_of(progress, len(targets), 'image') as update:
            for start in range(0, len(targets), batchsize):
                part = slice(start, start + batchsize)
                nats.append(self._run(
                    lambda x, ids, part=part: mean_nats(
                        self.network, x, self.network.xp.asarray(targets[part]), [ids]),
                    targets[part], class_ids, part))
                if update:
                    update(len(targets[part]))
        nats = np.concatenate(nats)
        if not np.isfinite(nats).all():
            raise ValueError(
                'the likelihood is not finite: the weights of this model are too large')
        return -nats

    def logits(self, images, class_ids=None, *, as_levels=False):
        """Computes the network's outputs, all images in one batch.

        Args: as of `log_prob`.

        Returns: float32 (N, levels, C, H, W) on the CPU: the logits of each value's levels, given
            the values before it; (N, 1, C, H, W) for a model with `--loss sigmoid`.

        Raises: as `log_prob`.
        """
        targets = self._targets(images, as_levels)
        class_ids = self.class_ids_of_given(class_ids, len(targets))
        return cuda.to_cpu(self._run(self.network, targets, class_ids, slice(None)).array)

    def _run(self, compute, targets, class_ids, part):
        """What `compute` returns for the inputs of targets (B, C, H, W) and their class ids, on the
        model's device."""
        network = self.network
        with chainer.using_device(network.device), chainer.no_backprop_mode(), \
                chainer.using_config('train', False), np.errstate(over='ignore', invalid='ignore'):
            x = network.xp.asarray(targets.astype('f') / (self.levels - 1))
            if class_ids is not None:
                class_ids = network.xp.asarray(class_ids[part])
            return compute(x, class_ids)

    def _pixels(self, levels, as_levels):
        """Levels (n, C, H, W) as `sample` returns them."""
        if self.levels > 256:
            return levels
        return levels.astype('u1') if as_levels or self.labels \
            else bytes_of_levels(self.levels)[levels]

    def _targets(self, images, as_levels):
        """Images as int32 (N, C, H, W), the levels."""
        channels = self.network.in_channels
        images = _channels_first(images, channels)
        if as_levels or self.labels:
            if images.dtype.kind not in 'iu' or not (
                    (0 <= images) & (images < self.levels)).all():
                raise ValueError(f'levels are whole numbers from 0 to {self.levels - 1}, got '
                                 f'{images.dtype}{_range(images)}')
            targets = images.astype('i')
        elif images.dtype == np.uint8:
            targets = quantize(INTENSITY, self.levels)[images]
        elif images.dtype.kind == 'f':
            targets = quantize(images, self.levels)
        else:
            raise ValueError(f'images are uint8, or floating in [0, 1], got {images.dtype}; for '
                             'levels give as_levels=True')
        return np.broadcast_to(targets, (len(targets), channels, *targets.shape[2:]))

    def _size(self, size):
        """(height, width) of the images to generate."""
        size = size or self.image_size
        if size is None:
            raise ValueError("the model's file does not say the size of its images: give size")
        return (size, size) if np.ndim(size) == 0 else tuple(size)

def _channels_last(images):
    """(N, C, H, W) → (N, H, W), or (N, H, W, C) with several channels."""
    return images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)


def _channels_first(images, channels):
    """(N, H, W) or (N, H, W, C) → (N, 1 or C, H, W).

    Raises: ValueError for another shape.
    """
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] in (1, channels):
        return images.transpose(0, 3, 1, 2)
    if images.ndim == 3:
        return images[:, None]
    wanted = '(N, H, W)' if channels == 1 else f'(N, H, W) or (N, H, W, {channels})'
    raise ValueError(f'images must have the shape {wanted}, got {images.shape}')


def _range(images):
    return f' from {images.min()} to {images.max()}' if images.size else ''
