"""The split of images or recordings into those to train and those to test on."""
from typing import NamedTuple, Optional

import numpy as np

from wavenet.data.images import Images

PART = 10   # one of so many images is held out for testing
SEED = 0    # of the images that are held out, unless somebody says another one


class Parts(NamedTuple):
    """A data set as it is read. A part that it does not have is None."""

    train: Optional[Images]
    test: Optional[Images] = None


def hold_out(images, seed=SEED):
    """Holds out a tenth of the images for testing, at random and in equal parts of each class.

    Args:
        images: `Images`, at least two.
        seed: the same images and seed give the same split.

    Returns: `Parts`. Both keep the order of the images.

    Raises: ValueError for fewer than two images.
    """
    count = len(images.pixels)
    if count < 2:
        raise ValueError(f'at least 2 images are needed, got {count}')
    is_test = choose_tests(images.class_ids, seed)
    return Parts(take(images, ~is_test), take(images, is_test))


def choose_tests(class_ids, seed=SEED):
    """Which examples `hold_out` holds out, bool (N,), given the classes of all, integers (N,)."""
    count = len(class_ids)
    random = np.random.RandomState(seed)
    # Sorted by class, in random order within a class; every tenth of them, from a random one on
    order = np.lexsort((random.permutation(count), class_ids))
    is_test = np.zeros(count, bool)
    is_test[order[random.randint(min(PART, count))::PART]] = True
    return is_test


def set_aside(images, number, seed=SEED):
    """Sets aside a number of the training images, at random and in equal parts of each class.

    Args, Returns: as of `hold_out`.

    Raises: ValueError if no image would be left to train on.
    """
    is_chosen = choose_aside(images.class_ids, number, 'images', seed)
    return Parts(take(images, ~is_chosen), take(images, is_chosen))


def choose_aside(class_ids, number, what, seed=SEED):
    """Which examples `set_aside` sets aside, bool (N,), given the classes of all, integers (N,).
    `what` names the examples in the error's message."""
    count = len(class_ids)
    if number >= count:
        raise ValueError(f'--validation {number}: there are only {count} {what} to train on')
    random = np.random.RandomState(seed)
    order = np.lexsort((random.permutation(count), class_ids))
    chosen = order[(random.randint(count) + np.arange(number) * count // number) % count]
    is_chosen = np.zeros(count, bool)
    is_chosen[chosen] = True
    return is_chosen


def take(images, which):
    """Some of the images: `which` indexes them."""
    return images._replace(pixels=images.pixels[which], class_ids=images.class_ids[which])
