"""What generate.py completes: images, and which pixels of them are kept."""
import argparse
import os
import re
from typing import NamedTuple, Optional

import numpy as np

from wavenet import cli
from wavenet.data import load
from wavenet.data.image_files import intensities, label_inputs, read_images

SIDES = ('top', 'bottom', 'left', 'right')
NUMBERS = r'\d+(?:-\d+)?'
TEST_IMAGES = re.compile(rf'(.+):({NUMBERS}(?:,{NUMBERS})*)')  # such as mnist:0 or mnist:0-3,9


class Completion(NamedTuple):
    """What is to be completed.

    Attributes:
        originals: the images, floating (N, C, H, W) in [0, 1].
        kept: the pixels that are kept, bool (H, W).
        class_ids: their classes, (N,), where they come from a data set with classes that the model
            knows; otherwise None.
    """

    originals: np.ndarray
    kept: np.ndarray
    class_ids: Optional[np.ndarray]

    @property
    def conditions_on_all(self):
        """Whether every pixel that is kept comes before every one that is generated."""
        kept = self.kept.ravel()                                  # in the order of generation
        return not kept[np.argmin(kept):].any() or kept.all()


def add_options(parser):
    """Adds the options that say what is completed."""
    add = parser.add_argument
    add('--complete', nargs='+', metavar='IMAGE',
        help='complete these image files, --count or --number times each; mnist:0 is the first '
             'test image of a data set, mnist:0-3,9 are five of them; a line shows an image, what '
             'was kept of it, and its completions')
    add('--rows', type=cli.whole_number(0), metavar='N',
        help='rows from the top that --complete keeps (default: the upper half)')
    add('--keep', metavar='SIDE',
        help='the half that --complete keeps: top, bottom, left or right. A pixel is conditioned '
             'only on the pixels before it, from left to right and from top to bottom; MADE of '
             'several orders begins with what is kept. Or the seconds that --continue keeps, from '
             'the beginning (default: all)')
    add('--mask', metavar='FILE',
        help='black and white image file of the same size: --complete keeps what is white in it '
             'and generates what is black')
    add('--data', metavar='DIR', help='folder with the files of a data set of --complete')


def check(parser, args):
    """Checks options that depend on each other."""
    _check_keep(parser, args)
    how = [f'--{name}' for name in ('rows', 'keep', 'mask') if getattr(args, name) is not None]
    if args.complete is None and args.continued is None:
        for option in how + ['--data'] * (args.data is not None):
            parser.error(f'{option} is for --complete'
                         + ' and --continue' * (option == '--keep'))
    if len(how) > 1:
        parser.error(f'{how[0]} and {how[1]} both say what is kept: give one')
    if args.complete and (args.height or args.width):
        parser.error('--complete takes height and width from the images')


def _check_keep(parser, args):
    if args.complete and args.continued:
        parser.error('--complete is for images, --continue for sound: give one')
    if args.keep is None:
        return
    if args.continued:
        try:
            cli.positive_number(args.keep)
        except (argparse.ArgumentTypeError, ValueError):
            parser.error('argument --keep: give the seconds that --continue keeps, a number above '
                         f'0; got {args.keep!r}')
    elif args.keep not in SIDES:
        parser.error(f'argument --keep: of images, one of {", ".join(SIDES)}; of sound, the '
                     f'seconds that --continue keeps; got {args.keep!r}')


def read(args, model):
    """Reads what the options name: a `Completion`, or None without --complete.

    Raises: ValueError or OSError that names the option and the value.
    """
    if not args.complete:
        return None
    originals, class_names = [], []
    for name in args.complete:
        found = TEST_IMAGES.fullmatch(name)
        with cli.naming('--complete', name):
            if found and not os.path.exists(name):
                images, names = _test_images(name, *found.groups(), args.data, model)
                originals.extend(images)
                class_names.extend(names)
            else:
                originals.extend(read_images([name], model.in_channels, _labels_of(model)))
                class_names.append(None)
        if originals[-1].shape != originals[0].shape:
            raise ValueError(f'--complete {name}: all images must have one size; this one is '
                             f'{_size(originals[-1])}, others are {_size(originals[0])}')
    originals = np.stack(originals)
    known = list(model.about.get('class_names') or [])
    of_classes = all(name in known for name in class_names)
    class_ids = np.array([known.index(name) for name in class_names]) if of_classes else None
    return Completion(originals, _kept(args, *originals.shape[2:]), class_ids)


def describe(completion, model):
    """What a user might not expect of a completion, a list of lines."""
    lines = []
    trained = model.about.get('height'), model.about.get('width')
    if None not in trained and completion.kept.shape != trained:
        lines.append(f'the images are {_size(completion.kept)}, the model was trained on '
                     f'{trained[1]}×{trained[0]}')
    if not completion.conditions_on_all:
        lines.append('each pixel is conditioned on the pixels before it, from left to right and '
                     'from top to bottom: those that are kept below or to the right of it do not '
                     'change it')
    return lines


def _labels_of(model):
    """The number of levels of a model of labels; None where it has intensities."""
    return model.distribution.levels if model.config.one_hot else None


def _test_images(name, source, numbers, data, model):
    """Test images of a data set: floating (N, C, H, W), and the names of their classes.

    Raises: ValueError for numbers that it does not have.
    """
    levels, channels = _labels_of(model), model.in_channels
    parts = load.read(source, data, labels=bool(levels))
    images = parts.test if parts.test is not None else parts.train
    ranges = [[int(end) for end in some.split('-')] for some in numbers.split(',')]
    if max(map(max, ranges)) >= len(images.pixels):
        raise ValueError(f'there are only {len(images.pixels)} images, from 0 on')
    numbers = [number for ends in ranges for number in range(ends[0], ends[-1] + 1)]
    if not numbers:
        raise ValueError('the range has no images: give the smaller number first')
    names = images.class_names or [None] * (1 + int(images.class_ids.max()))
    pixels = images.pixels[numbers]
    inputs = label_inputs(name, pixels, channels, levels) if levels else \
        intensities(pixels, channels)
    return (inputs, [names[number] for number in images.class_ids[numbers]])


def _kept(args, height, width):
    """The pixels that the options keep of an image, bool (height, width)."""
    kept = np.zeros((height, width), bool)
    if args.mask is not None:
        with cli.naming('--mask', args.mask):
            mask = read_images([args.mask], 1)[0, 0]
        if mask.shape != kept.shape:
            raise ValueError(f'--mask {args.mask}: it is {_size(mask)}, the images are '
                             f'{_size(kept)}')
        return mask >= 0.5
    if args.rows is not None and args.rows > height:
        raise ValueError(f'--rows {args.rows}: the images have {height} rows')
    side = args.keep or 'top'
    rows = height // 2 if args.rows is None else args.rows
    part = {'top': np.s_[:rows], 'bottom': np.s_[height - rows:],
            'left': np.s_[:, :width // 2], 'right': np.s_[:, width - width // 2:]}
    kept[part[side]] = True
    return kept


def _size(image):
    """The size of an image (…, H, W) in words, width first."""
    return f'{image.shape[-1]}×{image.shape[-2]}'
