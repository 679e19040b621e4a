"""The sizes of the post's PixelCNN, and the parameters that they make."""
from wavenet.families.family import Option
from wavenet.models import PixelCNNConfig


def configure(args, num_classes):
    """The sizes that the options of train.py name. The model knows no classes."""
    return PixelCNNConfig(
        in_channels=args.channels, hidden_dims=2 * args.hidden_dim, block_num=args.blocks_num,
        out_hidden_dims=args.out_hidden_dim, out_dims=1 if args.loss == 'sigmoid' else args.levels,
        one_hot=args.labels)


OPTIONS = (
    Option(('--hidden_dim', '-d'), 128, 'the model has 2H feature maps', metavar='H'),
    Option(('--out_hidden_dim',), 16, 'feature maps before the last layer'),
    Option(('--blocks_num', '-n'), 15, 'residual blocks', least=0, most=10000),
)


def shapes(config):
    """The parameters of a `wavenet.models.PixelCNN`: names → shapes."""
    half = config.hidden_dims // 2
    weights = {'conv1': (config.hidden_dims, input_channels(config), 7, 7)}
    for n in range(config.block_num):
        weights[f'blocks/{n}/conv1'] = (half, config.hidden_dims, 1, 1)
        weights[f'blocks/{n}/conv2'] = (half, half, 3, 3)
        weights[f'blocks/{n}/conv3'] = (config.hidden_dims, half, 1, 1)
    weights['conv2'] = (config.out_hidden_dims, config.hidden_dims, 1, 1)
    weights['conv4'] = (config.out_dims * config.in_channels, config.out_hidden_dims, 1, 1)
    return with_biases(weights)


def input_channels(config):
    """The channels that the first layer sees: one for each level of each colour of labels."""
    return config.in_channels * (max(config.out_dims, 2) if config.one_hot else 1)


def with_biases(weights):
    """Adds the biases: names and weight shapes of convolutions → shapes of all parameters."""
    result = {}
    for name, shape in weights.items():
        result[f'{name}/W'], result[f'{name}/b'] = shape, shape[:1]
    return result


def recognize(shapes):
    """The config of the author's files, from the names and shapes of their parameters, or None."""
    try:
        hidden_dims, in_channels, _, _ = shapes['conv1/W']
        out_channels, out_hidden_dims, _, _ = shapes['conv4/W']
    except (KeyError, ValueError):
        return None
    if in_channels not in (1, 3) or out_channels % in_channels or hidden_dims < 2:
        return None
    return PixelCNNConfig(in_channels, hidden_dims, count_blocks(shapes), out_hidden_dims,
                          out_channels // in_channels)


def count_blocks(shapes):
    """How many blocks the names of parameters tell of."""
    return len({name.split('/')[1] for name in shapes if name.startswith('blocks/')})
