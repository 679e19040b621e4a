"""What generate.py does for models of images: the plan, and the files."""
import math
from typing import NamedTuple, Optional

import numpy as np

from wavenet import devices, pictures
from wavenet.commands import classes, completion, sample_files
from wavenet.commands.completion import Completion
from wavenet.families import registry

DEFAULT_SIZE = 28        # of images, if neither the options nor the model's file say it
COUNT = 10               # images in a line, if the options do not say it
MOST_PIXELS = 512 * 512  # of an image whose size is said by the model's file alone


class Plan(NamedTuple):
    """What is to be generated.

    Attributes:
        shape: (B, C, H, W).
        lines: number of lines of images in the output file.
        class_ids: classes of the images, (B,); None for a model without classes.
        completion: the images to complete, or None.
    """

    shape: tuple
    lines: int
    class_ids: Optional[np.ndarray]
    completion: Optional[Completion]

    unit = 'pixel'

    @property
    def places(self):
        """The number of pixels of an image."""
        _, _, height, width = self.shape
        return height * width

    @property
    def given(self):
        """The argument of that name of `sampling.generate`."""
        if self.completion is None:
            return None
        originals = self.completion.originals
        return originals.repeat(self.shape[0] // len(originals), axis=0), self.completion.kept


def check(args, writes):
    """Checks the options of a model of images before anything is generated. Raises: as
    `sample_files.check`."""
    if args.output is None:
        args.output = 'samples' if args.separate else 'samples.png'
    args.count = args.count or COUNT
    sample_files.check(args, writes)


def make_plan(args, model):
    """What the options ask for, a `Plan`.

    Raises: ValueError for options that do not fit the model or the images to complete; MemoryError
        if the machine has too little memory.
    """
    sample_files.check_levels(args, model)
    if args.raw and not model.distribution.has_raw_draws:
        raise ValueError(f'--raw: a {registry.get(model.family).title} draws levels, and there are '
                         'no values between them')
    label = classes.of_label(args, model)
    trained = classes.trained(model)
    complete = completion.read(args, model)
    if complete:
        lines, _, height, width = complete.originals.shape
        batch = lines * (args.number or args.count)
    else:
        height = args.height or model.about.get('height', DEFAULT_SIZE)
        width = args.width or model.about.get('width', DEFAULT_SIZE)
        of_each = model.num_classes > 1 and label is None and not args.number
        lines = len(trained) if of_each else \
            math.isqrt(args.number - 1) + 1 if args.number else args.count
        batch = args.number or lines * args.count
        if height * width > MOST_PIXELS and not (args.height and args.width):
            given = f'--height {args.height}' if args.height else f'--width {args.width}' \
                if args.width else f'--model {args.model}'
            raise ValueError(f'{given}: large images, {width}×{height}: give both --height and '
                             '--width')
    # Random numbers, samples, and copies on the way to a file
    bytes_of_a_value = 8 + 4 + 16 * (args.scale or 1) ** 2
    devices.check_memory(batch * model.in_channels * height * width * bytes_of_a_value,
                         f'{batch} images')
    return Plan((batch, model.in_channels, height, width), lines,
                class_ids_of(args, model, trained, label, complete, batch), complete)


def class_ids_of(args, model, trained, label, complete, batch):
    """The classes of the samples, (batch,); None for a model without classes.

    Raises: ValueError for images to complete whose class nobody says.
    """
    if model.num_classes < 2:
        return None
    if label is not None:
        return np.full(batch, label)
    if complete is None:  # samples fill one column after the other
        return np.resize(trained, batch)
    if complete.class_ids is None:
        raise ValueError('--complete also needs --label: the model is conditioned on the class')
    return complete.class_ids.repeat(batch // len(complete.class_ids))


def cells(plan, samples):
    """The samples (B, C, H, W) as cells of one image, see `wavenet.pictures`."""
    if plan.completion:
        return pictures.completions(plan.completion.originals, samples, plan.completion.kept)
    if len(samples) % plan.lines:
        return pictures.square(samples)
    return pictures.grid(samples, plan.lines)


def describe(plan, model):
    """What a user might not expect, a list of lines."""
    return completion.describe(plan.completion, model) if plan.completion else []


def write(args, samples, plan, model):
    """Writes the samples, floating (B, C, H, W), as the options say."""
    sample_files.write(args, samples, cells(plan, samples), plan, model)
