"""The kinds of data that models are trained on: images and sound. A family names its kind.

A kind makes a data set from the options of train.py. What it makes has the methods of
`wavenet.data.images.ImageDataset` that a training calls: `batch`, `converter`, `weigh`,
`to_device`, `forget_classes`, `describe`.
"""
from typing import Callable, NamedTuple

from wavenet.data.load import load_dataset
from wavenet.data.load_sound import load_windows


class Kind(NamedTuple):
    """One kind of data.

    Attributes:
        load: called with the options of train.py and the family; returns the data to train and to
            test on. Raises: ValueError or OSError, with one line that says what to do.
        settings: called with the options and the training data; returns the options and sizes that
            a training must keep when it is resumed, JSON values by name.
    """

    load: Callable
    settings: Callable


def load_images(args, family, **options):
    """An `ImageDataset` of the options; `options` as of `load_dataset`."""
    train, test = load_dataset(
        args.dataset, args.channels, args.levels, args.data, args.binarize, args.seed,
        args.test_limit, args.validation, labels=args.labels, size=args.size, **options)
    train.flip = args.flip
    return train, test


def image_settings(args, train):
    _, height, width = train.shape
    labels = dict(labels=True) if args.labels else {}
    return dict(channels=args.channels, height=height, width=width, images=len(train),
                loss=args.loss, binarize=args.binarize, **labels)


def load_sound(args, family):
    """A `SoundDataset` of the options, whose windows hold the context of the family's model."""
    context = family.configure(args, num_classes=0).receptive_field
    return load_windows(args.dataset, context, args.rate, args.levels, args.classes, args.strict,
                        test_limit=args.test_limit, validation=args.validation)


def sound_settings(args, train):
    return dict(rate=args.rate, windows=len(train))


KINDS = {'images': Kind(load_images, image_settings), 'sound': Kind(load_sound, sound_settings)}
