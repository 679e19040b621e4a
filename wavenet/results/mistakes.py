"""The failures of the post, half of what it teaches: the right model with one mistake each.

    python -m wavenet.results.mistakes --mistake no-colour-masks --dataset mnist --levels 8

is train.py with that mistake. Each mistake is a family of its own, a variant of the post's
PixelCNN. Only this command and `python -m wavenet.results` register these families, so generate.py
does not take such a model for a right one. A variant of the network has no cache, because fast
generation relies on what the mistake breaks.

The commits named below are those of the author's repository, whose history has these mistakes.
"""
import argparse
import contextlib
import dataclasses
import functools
import sys

import chainer.functions as F

from wavenet import cli, models
from wavenet.commands import train
from wavenet.commands.sample_grid import SampleGrid
from wavenet.families import registry
from wavenet.families.pixelcnn import PIXELCNN
from wavenet.results.real_inputs import RealInputs
from wavenet.serialization import load_model
from wavenet.training import teams, trainer
from wavenet.training.kinds import KINDS, Kind, image_settings, load_images


class NoColourMasks(models.PixelCNN):
    """Masks without colours: "once I felt I should abandon masks altogether".

    As in 50f82d9, the masks are those of the context only. A value sees the pixels before it. It
    sees nothing that comes later, but G and B do not see R of their own pixel.
    """

    family = 'no-colour-masks'
    mask_colors = 1


class WrongColourMasks(models.PixelCNN):
    """Outputs that confuse the colours: "Making masks work took a very long time".

    "The problem was with reshape and transpose operations before loss layer" (bbf79d6): feature map
    i of the last layer has seen what colour i % 3 may see, but is used for colour i // levels. So
    two thirds of the logits of R come from feature maps that have seen R itself.
    """

    family = 'wrong-colour-masks'

    def forward(self, x, class_ids=None):
        logits = super().forward(x, class_ids)
        batch_size, levels, channels, height, width = logits.shape
        logits = F.reshape(logits, (batch_size, channels, levels, height, width))
        return F.transpose(logits, (0, 2, 1, 3, 4))       # (B, levels, C, H, W)


class ReLUAfterBlock(models.ResidualBlock):
    """A residual block with a ReLU after each convolution; the last one comes after the sum.

    He et al. (2015) have it so: "My initial approach was to follow He's approach".
    """

    def forward(self, x, dropout=0.0):
        h = F.relu(self.conv1(x))
        h = F.relu(self.conv2(h))
        h = self.conv3(h)
        return F.relu(x + (F.dropout(h, dropout) if dropout else h))


class ReLUAfter(models.PixelCNN):
    """Residual blocks with ReLUs after the convolutions.

    The author's cfb6521 has another ReLU after the first layer of the model.
    """

    family = 'relu-after'
    block = ReLUAfterBlock


def variant(model, title):
    """Makes a family of a subclass of `PixelCNN`. It generates by the plain loop."""
    return dataclasses.replace(
        PIXELCNN, name=model.family, title=title, cache=None, recognize=None,
        build=lambda config: model(**dataclasses.asdict(config)))


MISTAKES = {family.name: family for family in (
    variant(NoColourMasks, 'PixelCNN with masks without colours'),
    variant(WrongColourMasks, 'PixelCNN with an output that confuses the colours'),
    variant(ReLUAfter, 'PixelCNN with ReLUs after the convolutions'),
    # Only the data differ: the model is a PixelCNN, and its file says so
    dataclasses.replace(PIXELCNN, name='real-inputs', title='PixelCNN, trained on real inputs',
                        recognize=None, data='real inputs'))}
DATA = {'real inputs': Kind(functools.partial(load_images, dataset_class=RealInputs),
                            image_settings)}
NO_LIKELIHOOD = (WrongColourMasks.family,)  # its probabilities do not sum to 1: R sees itself


@contextlib.contextmanager
def registered(others=registry.FAMILIES):
    """Registers the families of MISTAKES, their data, and other families while the block runs."""
    with _entries(registry.FAMILIES, {**others, **MISTAKES}), \
            _entries(KINDS, {**KINDS, **DATA}):
        yield


@contextlib.contextmanager
def _entries(table, entries):
    """Replaces the entries of a dict while the block runs."""
    before = dict(table)
    table.clear()
    table.update(entries)
    try:
        yield
    finally:
        table.clear()
        table.update(before)


class ChooseMistake(argparse.Action):
    """Makes `--mistake NAME` choose the family. A `--model` before it is an error."""

    def __call__(self, parser, args, name, option_string=None):
        check_model(parser, args.model, parser.get_default('model'))
        args.model = args.mistake = name


def check_model(parser, given, expected):
    if given != expected:
        parser.error(f'a mistake is a variant of pixelcnn: leave out --model {given}')


def make_parser():
    parser = train.make_parser()
    parser.prog = 'python -m wavenet.results.mistakes'
    parser.description = "train.py with one of the mistakes of the post's author."
    parser.add_argument('--mistake', required=True, choices=tuple(MISTAKES), action=ChooseMistake,
                        metavar='NAME', help=', '.join(MISTAKES))
    return parser


def main():
    """The command. Returns: its exit status."""
    with registered({PIXELCNN.name: PIXELCNN}):  # they are variants of it
        return cli.run(run, make_parser())


def run(parser):
    args, team = teams.join(parser)
    check_model(parser, args.model, args.mistake)
    trainer.train(parser, args, team, SampleGrid, load_model)


if __name__ == '__main__':
    sys.exit(main())
