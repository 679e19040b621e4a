"""The post's failures, which are half of what it teaches: each is one mistake in what is right.

    python -m wavenet.results.mistakes --mistake no-colour-masks --dataset mnist --levels 8

is train.py with the mistake in it. The fast generation, and so generate.py, relies on what the
mistakes break. `python -m wavenet.results` draws from such a model, by the post's loop.

The commits that are named are of the author's repository, whose history has these mistakes.
"""
import contextlib
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import chainer.functions as F
import numpy as np

from wavenet import cli, models, serialization
from wavenet.commands import train
from wavenet.data import load
from wavenet.data.images import ImageDataset
from wavenet.data.pixels import INTENSITY
from wavenet.training import extensions, teams
from wavenet.models import make_mask, output_stack
from wavenet.utils import quantize


def context_masks(shape, mask, colors, dtype=np.float32):
    """`make_mask` without colours: "once I felt I should abandon masks altogether".

    Masks of the context only, as in 50f82d9: the pixels before, and, of type B, the pixel itself.
    Nothing is seen that must not be; but what R is drawn to be, G and B do not see.
    """
    return make_mask(shape, mask, 1, dtype)


def confused_output(h, conv2, conv4, colors):
    """`output_stack` in the wrong order: "Making masks work took a very long time".

    "The problem was with reshape and transpose operations before loss layer" (bbf79d6): map i of
    the last layer, which has seen what colour i % 3 may see, is taken for one of colour i // levels.
    So the logits of R come from maps of which two thirds have seen R itself.
    """
    logits = output_stack(h, conv2, conv4, colors)                    # (B, levels, C, H, W)
    batch_size, levels, _, height, width = logits.shape
    logits = F.reshape(logits, (batch_size, colors, levels, height, width))
    return F.transpose(logits, (0, 2, 1, 3, 4))


class ReLUAfter(models.ResidualBlock):
    """A residual block with a ReLU after its convolutions, that of the last one after the sum, as He
    et al. (2015) have it: "My initial approach was to follow He's approach". (cfb6521 has one after
    the model's first layer, too.)"""

    def forward(self, x):
        h = F.relu(self.conv1(x))
        h = F.relu(self.conv2(h))
        return F.relu(x + self.conv3(h))


class RealInputs(ImageDataset):
    """Images as they are, and the labels that their values have: "Initially I started with real
    values as inputs and labels as outputs. However, model didn't work for me"."""

    def __init__(self, images, classes, channels, levels, binarize=False, **options):
        if binarize:
            raise ValueError('real inputs are not binarized')
        super().__init__(images, classes, channels, levels, binarize=True, **options)
        self.targets = quantize(INTENSITY, levels).astype('u1')[self.intensities]

    def to_device(self, device):
        super().to_device(device)
        self.intensities = device.send(self.intensities)

    def batch(self, numbers):
        """x float32 (B, C, H, W) in {0, 1 / 255, …, 1}, labels and classes as they always are."""
        _, labels, classes = super().batch(numbers)
        xp = self.device.xp
        pictures = self.intensities[xp.asarray(np.asarray(numbers) % len(self))]
        x = xp.asarray(INTENSITY)[pictures]                     # (B, 1 or C, H, W)
        return xp.ascontiguousarray(xp.broadcast_to(x, labels.shape)), labels, classes


MISTAKES = {
    'no-colour-masks': (models, 'make_mask', context_masks),
    'wrong-colour-masks': (models, 'output_stack', confused_output),
    'relu-after': (models, 'ResidualBlock', ReLUAfter),
    'real-inputs': (load.load_dataset, '__kwdefaults__', {'dataset_class': RealInputs}),
}
# Those of the model, from which the fast generation does not draw
NO_LIKELIHOOD = ('wrong-colour-masks',)  # a value sees itself: no probabilities that sum to 1
OF_THE_MODEL = ('no-colour-masks', 'wrong-colour-masks', 'relu-after')


@contextlib.contextmanager
def made(mistake):
    """A block in which all models and data sets that are made and used have the mistake. Training draws no pictures there, since for that it uses the fast generation.

    Args:
        mistake: one of MISTAKES, or None.
    """
    changes = [MISTAKES[mistake], (extensions.SampleGrid, '__call__', lambda self, trainer: None)] \
        if mistake else []
    if mistake in OF_THE_MODEL:  # the file says so, and is of no use elsewhere
        changes.append((serialization, 'MISTAKE', mistake))
    right = [getattr(where, name) for where, name, _ in changes]
    try:
        for where, name, wrong in changes:
            setattr(where, name, wrong)
        yield
    finally:
        for (where, name, _), value in zip(changes, right):
            setattr(where, name, value)


def make_parser():
    parser = train.make_parser()
    parser.prog = 'python -m wavenet.results.mistakes'
    parser.description = "train.py with one of the post's mistakes, of which generate.py knows nothing."
    parser.add_argument('--mistake', required=True, choices=sorted(MISTAKES), metavar='NAME',
                        help=', '.join(sorted(MISTAKES)))
    return parser


def main(parser):
    args, team = teams.join(parser)
    if args.model != 'pixelcnn':
        parser.error("the mistakes are of the post's model: leave --model {} out".format(args.model))
    with made(args.mistake):
        return train.train(parser, args, team)


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
