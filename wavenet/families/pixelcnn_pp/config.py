"""The sizes of PixelCNN++, its layers under the names of openai/pixel-cnn, and their parameters."""
import itertools
from dataclasses import dataclass
from typing import NamedTuple, Optional

from wavenet.config import Config, size
from wavenet.families.family import Option
from wavenet.functions.logistic_mixture import count_outputs

NONLINEARITIES = 'concat_elu', 'elu', 'relu'
LEVELS = 3                # resolutions: whole, half and a quarter
LEAST_SIZE = 2 ** (LEVELS - 1)


@dataclass(frozen=True)
class PixelCNNPPConfig(Config):
    """The arguments of `PixelCNNPP`; see there."""

    in_channels: int = size()
    nr_resnet: int = size()
    nr_filters: int = size()
    nr_logistic_mix: int = size()
    levels: int = size(least=2, most=65536)
    num_classes: int = size(least=0)
    resnet_nonlinearity: str

    def __post_init__(self):
        super().__post_init__()
        if self.in_channels not in (1, 3):
            raise ValueError(f'in_channels must be 1 or 3, got {self.in_channels}')
        if self.resnet_nonlinearity not in NONLINEARITIES:
            raise ValueError(f'resnet_nonlinearity must be {", ".join(NONLINEARITIES)}, got '
                             f'{self.resnet_nonlinearity!r}')


OPTIONS = (
    Option(('--nr_resnet',), 5, 'residual blocks of each resolution, stream and direction',
           most=1000),
    Option(('--nr_filters',), 160, 'feature maps of each stream'),
    Option(('--nr_logistic_mix',), 10, 'logistics in the mixture of a pixel'),
    Option(('--resnet_nonlinearity',), 'concat_elu', 'concat_elu, elu or relu',
           choices=NONLINEARITIES, metavar='NAME'),
    Option(('--class_conditional',), False, 'condition on the classes of the data set'),
)


def configure(args, num_classes):
    """The sizes that the options of train.py name, with the classes of the data set."""
    return PixelCNNPPConfig(
        args.channels, args.nr_resnet, args.nr_filters, args.nr_logistic_mix, args.levels,
        num_classes if args.class_conditional else 0, args.resnet_nonlinearity)


class Layer(NamedTuple):
    """A convolution with weight normalization.

    Attributes:
        name: of its parameters, such as 'conv2d_0'.
        kind: 'down', which sees rows above and its own on both sides; 'right', which sees what is
            above and to the left; 'dense', of single pixels; 'up' and 'up_right', the transposed
            ones, which double height and width.
        kernel: (height, width).
        inputs, outputs: numbers of feature maps.
        stride: 2 for half of the height and width.
        shift: 'down' or 'right' for an output that is moved by a row or a column; zeros enter.
        scale: standard deviation of the output after the data-dependent initialization.
    """
    name: str
    kind: str
    kernel: tuple
    inputs: int
    outputs: int
    stride: int = 1
    shift: Optional[str] = None
    scale: float = 1.0

    @property
    def is_transposed(self):
        return self.kind in ('up', 'up_right')

    @property
    def shapes(self):
        """The parameters: names → shapes, as TensorFlow has them."""
        maps = (self.outputs, self.inputs) if self.is_transposed else (self.inputs, self.outputs)
        V = maps if self.kind == 'dense' else (*self.kernel, *maps)
        return {f'{self.name}/V': V, f'{self.name}/g': (self.outputs,),
                f'{self.name}/b': (self.outputs,)}


class Block(NamedTuple):
    """A gated residual block: its layers, and the name of its weights of the class."""
    conv_in: Layer
    shortcut: Optional[Layer]
    conv_out: Layer
    class_weights: Optional[str]

    @property
    def layers(self):
        return [layer for layer in self[:3] if layer]


class Level(NamedTuple):
    """The blocks of one resolution on the way up or down, and the way to the next resolution."""
    blocks: list             # of pairs (block of u, block of ul)
    resize: Optional[tuple]  # the two layers, of u and of ul, after the blocks; None after the last


class Plan(NamedTuple):
    """All layers, in the order of openai's model_spec (pixel_cnn_pp/model.py)."""
    first: tuple             # of u; of ul: from above, from the left
    up: list                 # of `Level`
    down: list               # of `Level`
    output: Layer


def plan(config):
    """The `Plan` of a model."""
    maps, concat = config.nr_filters, 2 if config.resnet_nonlinearity == 'concat_elu' else 1
    numbers = {kind: itertools.count() for kind in ('conv2d', 'deconv2d', 'dense', 'class')}

    def conv(kind, kernel, inputs, outputs=maps, **options):
        return Layer(f'conv2d_{next(numbers["conv2d"])}', kind, kernel, inputs, outputs, **options)

    def dense(inputs, outputs=maps):
        return Layer(f'dense_{next(numbers["dense"])}', 'dense', (1, 1), inputs, outputs)

    def deconv(kind, kernel):
        return Layer(f'deconv2d_{next(numbers["deconv2d"])}', kind, kernel, maps, maps, 2)

    def block(kind, kernel, shortcuts):
        conv_in = conv(kind, kernel, concat * maps)
        shortcut = dense(concat * shortcuts * maps) if shortcuts else None
        conv_out = conv(kind, kernel, concat * maps, 2 * maps, scale=0.1)
        of_class = f'conditional_weights_{next(numbers["class"])}' if config.num_classes else None
        return Block(conv_in, shortcut, conv_out, of_class)

    def pairs(count, shortcuts):
        """Blocks of both streams; the one of ul has a short-cut more, from u."""
        return [(block('down', (2, 3), shortcuts), block('right', (2, 2), shortcuts + 1))
                for _ in range(count)]

    inputs = config.in_channels + 1                          # a channel of ones
    first = (conv('down', (2, 3), inputs, shift='down'), conv('down', (1, 3), inputs, shift='down'),
             conv('right', (2, 1), inputs, shift='right'))
    up, down = [], []
    for level in range(LEVELS):
        blocks = pairs(config.nr_resnet, 0)
        up.append(Level(blocks, None if level == LEVELS - 1 else (
            conv('down', (2, 3), maps, stride=2), conv('right', (2, 2), maps, stride=2))))
    for level in range(LEVELS):
        blocks = pairs(config.nr_resnet + (level > 0), 1)
        down.append(Level(blocks, None if level == LEVELS - 1 else (
            deconv('up', (2, 3)), deconv('up_right', (2, 2)))))
    return Plan(first, up, down,
                dense(maps, count_outputs(config.in_channels, config.nr_logistic_mix)))


def layers(config):
    """All `Layer`s of a model."""
    of_model = plan(config)
    levels = of_model.up + of_model.down
    return [*of_model.first,
            *(layer for level in levels for pair in level.blocks for block in pair
              for layer in block.layers),
            *(layer for level in levels for layer in level.resize or ()), of_model.output]


def class_weights(config):
    """The names of the weights of the class, one for each block."""
    if not config.num_classes:
        return []
    of_model = plan(config)
    return [block.class_weights for level in of_model.up + of_model.down for pair in level.blocks
            for block in pair]


def shapes(config):
    """The parameters of a `PixelCNNPP`: names → shapes."""
    result = {}
    for layer in layers(config):
        result.update(layer.shapes)
    return dict(result, **{f'{name}/hw': (config.num_classes, 2 * config.nr_filters)
                           for name in class_weights(config)})


def count_maps(config):
    """The feature maps of all layers, in maps of the whole resolution."""
    of_model = plan(config)
    total = sum(layer.outputs for layer in of_model.first)
    for numbers, levels in ((range(LEVELS), of_model.up), (range(LEVELS)[::-1], of_model.down)):
        for number, level in zip(numbers, levels):
            of_level = sum(layer.outputs for pair in level.blocks for block in pair
                           for layer in block.layers)
            total += of_level / 4 ** number
    return total


def recognize(shapes):
    """The config of variables of openai's, from their names and shapes, or None.

    The number of levels is not in them: it is 256.
    """
    try:
        _, _, inputs, maps = shapes['conv2d_0/V']
        concat = shapes['conv2d_3/V'][2] // maps
        dense = sum(name.startswith('dense_') and name.endswith('/V') for name in shapes)
        # A short-cut in each block of ul on the way up, and in each block on the way down
        nr_resnet = (dense - 1 - 2 * (LEVELS - 1)) // (LEVELS + 2 * LEVELS)
        outputs, = shapes[f'dense_{dense - 1}/g']
        classes, _ = shapes.get('conditional_weights_0/hw', (0, 0))
        components = outputs // count_outputs(inputs - 1, 1)
        return PixelCNNPPConfig(inputs - 1, nr_resnet, maps, components, 256, classes,
                                'concat_elu' if concat == 2 else 'elu')
    except (KeyError, ValueError, IndexError, ZeroDivisionError):
        return None
