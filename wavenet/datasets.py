"""Where images come from; the rest of the code sees one kind of data set, `ImageDataset`.

`load` takes a name or a path and gives two of them. A Chainer iterator (`batches`) deals in the
numbers of images, and the data set makes a batch of them at once (`ImageDataset.batch`), so that
images stay one byte a value until they are needed.
"""
import os
import warnings

import chainer
import numpy as np
from PIL import Image, UnidentifiedImageError  # matplotlib brings Pillow

from wavenet import downloads
from wavenet.files import open_regular
from wavenet.npz import PICTURES, open_npz
from wavenet.utils import binarize as draw_binary
from wavenet.utils import check_levels, quantize

# Values of bytes in [0, 1], rounded as by Chainer's get_mnist and get_cifar10, the author's source
INTENSITY = np.arange(256, dtype='f') * np.float32(1 / 255)

ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.ppm', '.pgm')

FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM')
MAX_PIXELS = 1 << 24  # of an image, 4096 × 4096

NAMES = ('digits', 'mnist', 'cifar10', 'cifar')
CLASSES = 10  # of each of them
DIGITS = os.path.join(os.path.dirname(__file__), 'data', 'digits.npz')
DIGITS_TRAIN = 1500  # the first of the 1,797 are for training


def load(source, channels=3, levels=2, data=None, binarize=False, seed=0, test_limit=None):
    """The training and the test images of a name or a path.

    Args:
        source: 'digits', 'mnist', 'cifar10' (or 'cifar'), or the path of your own images: a folder
            of image files (its subfolders are classes) or an .npz (`train_x`, uint8 (N, H, W),
            (N, C, H, W) or (N, H, W, C); optionally `train_y`, `test_x`, `test_y`). Without images
            for testing, every tenth is kept for it.
        channels: 3 or 1. Grayscale is copied three times; colours become their luminance.
        levels: values a pixel can take, 2 to 256.
        data: folder with the files of mnist or cifar10.
        binarize: draw each pixel, black or white, with its intensity as the probability of white.
        seed: of those draws.
        test_limit: keep that many test images only.

    Returns: (train, test), each an `ImageDataset`.

    Raises: ValueError or OSError, with one line that says what to do.
    """
    check_levels(levels)
    if channels not in (1, 3):
        raise ValueError('channels must be 1 or 3, got {}'.format(channels))
    if binarize and levels != 2:
        raise ValueError('binarized images have 2 levels, not {}'.format(levels))
    if data is not None and source not in ('mnist', 'cifar10', 'cifar'):
        raise ValueError('--data is for mnist and cifar10: give a path of your own as the dataset')
    train, test = _read(source, data)
    if not train[0].size or not test[0].size or train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError('{}: there must be images to train and to test on, of one size, not {} of '
                         '{} and {} of {}'.format(source, len(train[0]), train[0].shape[1:],
                                                  len(test[0]), test[0].shape[1:]))
    class_count = max(CLASSES if source in NAMES else 1, 1 + int(train[1].max()),
                      1 + int(test[1].max()))
    test = [array[:test_limit] for array in test]
    options = dict(channels=channels, levels=levels, binarize=binarize, class_count=class_count)
    return (ImageDataset(*train, seed=(seed, 0), **options),
            ImageDataset(*test, seed=(seed, 1), **options))


class ImageDataset(chainer.dataset.DatasetMixin):
    """Images as triples (x, labels, class).

    x is float32 (C, H, W), labels / (levels - 1), what the model takes; labels is int32 (C, H, W),
    what it predicts; class is an int32 scalar.

    With `binarize` the labels are drawn: `batch` takes epoch * len(dataset) + i as image i as drawn
    in that epoch, which depends on nothing but the seed, the epoch and i. `batches` numbers training
    epochs from 1; the plain numbers, 0 to len(dataset) - 1, are one fixed draw. A gray pixel is
    drawn once and then copied; of real colours, each value is drawn.

    Args:
        images: uint8 (N, C, H, W), C 1 or 3.
        classes: integers (N,).
        channels, levels, binarize: see `load`.
        seed: tuple of whole numbers, for the draws.
        class_count: how many classes there are, in these images or others of the same kind; by
            default, in these.
    """

    def __init__(self, images, classes, channels, levels, binarize=False, seed=(0,),
                 class_count=None):
        if images.shape[1] == 3 and (images[0] == images[0, :1]).all() \
                and (images == images[:, :1]).all():
            images = images[:, :1]  # gray, stored as RGB
        elif images.shape[1] == 3 and channels == 1:
            images = _luminance(images)
        self.shape = (channels,) + images.shape[2:]  # (C, H, W) of a picture
        self.levels = levels
        self.seed = seed
        self.intensities = images if binarize else None
        # One byte a value, whatever the levels; (N, 1 or C, H, W), since gray is copied in a batch
        self.labels = None if binarize else \
            quantize(INTENSITY, levels).astype('u1')[images]
        self.classes = classes.astype('i')
        self.class_count = class_count or 1 + int(classes.max())
        self.device = chainer.get_device('@numpy')

    def __len__(self):
        return len(self.classes)

    def get_example(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError('image {} of {}'.format(i, len(self)))
        i %= len(self)
        return tuple(array[0] for array in self.batch([i]))

    def to_device(self, device):
        """Moves what batches are made of to a Chainer device, where they are made from then on."""
        self.device = device
        self.classes = device.send(self.classes)
        if self.labels is not None:
            self.labels = device.send(self.labels)

    def batch(self, numbers):
        """x float32 (B, C, H, W), labels int32 (B, C, H, W), classes int32 (B,) on the device."""
        epochs, images = np.divmod(np.asarray(numbers), len(self))
        if self.labels is None:
            labels = self.device.send(self._draw(epochs, images))
            images = self.device.send(images)
        else:
            images = self.device.send(images)
            labels = self.labels[images]                        # (B, 1 or C, H, W)
        labels = labels.astype('i')
        if labels.shape[1] < self.shape[0]:
            labels = self.device.xp.tile(labels, (1, 3, 1, 1))  # drawn once, then copied
        return labels.astype('f') / (self.levels - 1), labels, self.classes[images]

    def converter(self, numbers, device):
        """`batch` as Chainer's updaters and evaluators call it; the device is the data set's."""
        return self.batch(numbers)

    def _draw(self, epochs, images):
        return np.stack([
            draw_binary(INTENSITY[self.intensities[i]],
                        random=np.random.RandomState(self.seed + (epoch, i)))
            for epoch, i in zip(epochs, images)])


def batches(dataset, batchsize, shuffle_seed=None):
    """A Chainer iterator over batches of numbers of images, for `ImageDataset.batch`.

    Without a seed: the images once, in order. With one: again and again, in an order that depends
    on the seed and the epoch alone, so that resuming a run does not change it.
    """
    numbers = _Numbers(len(dataset))
    if shuffle_seed is None:
        return chainer.iterators.SerialIterator(numbers, batchsize, repeat=False, shuffle=False)

    def next_epoch(order, _):
        # An epoch's numbers are epoch * N + i. The first call gets 0, …, N - 1, so epochs start at 1.
        epoch = order[0] // len(order) + 1
        random = np.random.RandomState((shuffle_seed, epoch))
        return epoch * len(order) + random.permutation(len(order))

    return _ShuffledIterator(numbers, batchsize, order_sampler=next_epoch)


class _ShuffledIterator(chainer.iterators.SerialIterator):
    """Chainer's, which also checks what a snapshot says of it."""

    def serialize(self, serializer):
        super().serialize(serializer)
        size = len(self.dataset)
        epochs, order = np.divmod(self._state.order, size)
        if not (self.epoch >= 0 and 0 <= self.current_position < size
                and (epochs == self.epoch + 1).all() and (np.sort(order) == np.arange(size)).all()):
            raise ValueError('its order of images makes no sense')


class _Numbers(chainer.dataset.DatasetMixin):
    """0, 1, …, N - 1, and on: `numbers[i]` is i."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def get_example(self, i):
        return i


def _luminance(images):
    """uint8 (N, 3, H, W) → (N, 1, H, W): ITU-R 601, in the fixed point arithmetic of Pillow."""
    red, green, blue = np.moveaxis(images.astype('u4'), 1, 0)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype('u1')[:, None]


def _read(source, data):
    """((images, classes) for training, the same for testing); images uint8 (N, C, H, W)."""
    if source == 'digits':
        with np.load(DIGITS) as npz:
            # 0, …, 16 inked pixels → 0, …, 255
            images, classes = (npz['images'] * 255.0 / 16 + 0.5).astype('u1'), npz['classes']
        return ((images[:DIGITS_TRAIN], classes[:DIGITS_TRAIN]),
                (images[DIGITS_TRAIN:], classes[DIGITS_TRAIN:]))
    if source == 'mnist':
        return downloads.mnist(data)
    if source in ('cifar10', 'cifar'):
        return downloads.cifar10(data)
    if os.path.isdir(source):
        return _hold_out(*_read_folder(source))
    if os.path.isfile(source):
        return _read_npz(source)
    raise ValueError('unknown dataset {!r}: give one of {}, or the path of a folder of images or '
                     'of an .npz'.format(source, ', '.join(NAMES)))


def _hold_out(images, classes):
    """Every tenth image is for testing; of fewer than ten, the last."""
    if len(images) < 2:
        raise ValueError('at least 2 images are needed, got {}'.format(len(images)))
    test = np.arange(len(images)) % 10 == min(9, len(images) - 1)
    return (images[~test], classes[~test]), (images[test], classes[test])


def _read_folder(folder):
    groups = [(folder, os.listdir(folder))] + [
        (entry.path, os.listdir(entry)) for entry in sorted(os.scandir(folder), key=_name)
        if entry.is_dir() and not entry.name.startswith('.')]
    groups = [[os.path.join(path, name) for name in sorted(names)
               if name.lower().endswith(ENDINGS) and not name.startswith('.')]
              for path, names in groups]
    groups = [list(filter(os.path.isfile, paths)) for paths in groups]
    groups = [paths for paths in groups if paths]
    if not groups:
        raise ValueError('{}: no image files in this folder or the folders in it ({})'.format(
            folder, ', '.join(ENDINGS)))
    classes = np.repeat(np.arange(len(groups)), [len(paths) for paths in groups])
    return _read_files([path for paths in groups for path in paths]), classes


def read_images(paths, channels):
    """Image files of one size as floating (N, channels, H, W) in [0, 1]. Raises: ValueError."""
    images = _read_files(paths)
    if channels == 1 and images.shape[1] == 3:
        images = _luminance(images)
    return np.broadcast_to(INTENSITY[images], (len(images), channels) + images.shape[2:])


def _read_files(paths):
    """uint8 (N, C, H, W): C is 3 if any of the images has colours, else 1"""
    images = []
    for path in paths:
        images.append(_read_image(path))
        if images[-1].shape[1:] != images[0].shape[1:]:
            raise ValueError('{}: all images must be of one size, this one is {}×{} and others '
                             '{}×{}'.format(path, *images[-1].shape[:0:-1], *images[0].shape[:0:-1]))
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels,) + image.shape[1:]) for image in images])


def _name(entry):
    return entry.name


def _read_image(path):
    """uint8 (1, H, W) or (3, H, W); what is transparent becomes white"""
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter('ignore')  # of a palette's kind of transparency, of large images
            pixels = _decode(file)
    except Exception as error:  # what damage can raise is no list
        reason = ('it is of none of the formats ' + ', '.join(FORMATS)
                  if isinstance(error, UnidentifiedImageError) else error)
        raise ValueError('{}: no image that can be read ({})'.format(path, reason)) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _decode(file):
    """uint8 (H, W) or (H, W, 3)"""
    # Of the other formats that Pillow knows, some start a program to be read
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError('it has more than {} pixels'.format(MAX_PIXELS))
        if getattr(image, 'is_animated', False) and image.format != 'MPO':  # a camera's JPEG
            raise ValueError('it holds more than one picture')
        gray = image.mode in ('1', 'L', 'LA')
        if image.mode.startswith(('I', 'F')):
            raise ValueError('it has more than 8 bits a channel')
        if 'A' in image.mode or 'transparency' in image.info:
            image = image.convert('RGBA')
            white = Image.new('RGBA', image.size, 'white')
            image = Image.alpha_composite(white, image)
        return np.asarray(image.convert('L' if gray else 'RGB'))


def _read_npz(path):
    with open_npz(path, PICTURES) as npz:
        arrays = {name: npz[name] for name in ('train_x', 'train_y', 'test_x', 'test_y')
                  if name in npz.files}
    if 'train_x' not in arrays:
        raise ValueError('{}: holds no train_x, uint8 (N, H, W), (N, C, H, W) or (N, H, W, C)'.format(
            path))
    train = _labelled(path, arrays, 'train')
    return (train, _labelled(path, arrays, 'test')) if 'test_x' in arrays else _hold_out(*train)


def _labelled(path, arrays, part):
    images = arrays[part + '_x']
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != 'u1' or not images.size:
        raise ValueError('{}: {}_x must be uint8 (N, H, W), (N, C, H, W) or (N, H, W, C), with C 1 '
                         'or 3; it is {} {}'.format(path, part, images.dtype, arrays[part + '_x'].shape))
    classes = arrays.get(part + '_y', np.zeros(len(images), 'i'))
    if classes.shape != (len(images),) or classes.dtype.kind not in 'iu' \
            or not ((0 <= classes) & (classes < 2 ** 31)).all():
        raise ValueError('{}: {}_y must be {} whole numbers, the classes, from 0 on'.format(
            path, part, len(images)))
    return images, classes
