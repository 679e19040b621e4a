"""The options of MADE, and the parameters that its sizes make."""
import math

from wavenet.families.family import Option
from wavenet.families.made.model import MOST_ORDERS, MadeConfig

ANY_SIZE = 28     # height and width, until `Family.fit` knows the images


def configure(args, num_classes):
    """The sizes that the options of train.py name. The model knows no classes."""
    return MadeConfig(
        in_channels=args.channels, height=ANY_SIZE, width=ANY_SIZE,
        hidden_dims=(args.hidden_dim,) * args.hidden_layers,
        out_dims=1 if args.loss == 'sigmoid' else args.levels, masks=args.masks,
        direct=args.direct)


OPTIONS = (
    Option(('--hidden_dim', '-d'), 500, 'each hidden layer has H units', metavar='H'),
    Option(('--hidden_layers',), 1, 'hidden layers', most=1000),
    Option(('--masks',), 1, 'orders of the values, each with masks of its own; the first one goes '
           'from left to right and from top to bottom, the others are random', most=MOST_ORDERS),
    Option(('--direct',), False, 'connect the values with the outputs directly, too'),
)


def shapes(config):
    """The parameters of a `Made`: names → shapes."""
    widths = [config.values, *config.hidden_dims, config.out_dims * config.values]
    result = {}
    for n, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        result[f'layers/{n}/W'], result[f'layers/{n}/b'] = (outputs, inputs), (outputs,)
    if config.direct:
        result['direct/W'] = widths[-1], widths[0]
    return result


def count_maps(config):
    """The units for each pixel of an image."""
    return math.ceil(sum(config.hidden_dims) / (config.height * config.width))
