"""The sizes of PixelRNN, and the parameters that they make."""
from wavenet.families.family import Option
from wavenet.families.pixelcnn.config import input_channels, with_biases
from wavenet.families.pixelrnn.layers import GATES
from wavenet.families.pixelrnn.model import PixelRNNConfig

OPTIONS = (
    Option(('--hidden_dim', '-d'), 16, 'an LSTM has H feature maps, and there are 2H between the '
           'layers', metavar='H'),
    Option(('--layers_num',), 7, 'recurrent layers', least=0, most=1000),
    Option(('--out_hidden_dim',), 32, 'feature maps before the last layer'),
)


def configure(args, num_classes):
    """The sizes that the options of train.py name. The model knows no classes."""
    return PixelRNNConfig(
        in_channels=args.channels, hidden_dims=args.hidden_dim, layers_num=args.layers_num,
        out_hidden_dims=args.out_hidden_dim, out_dims=1 if args.loss == 'sigmoid' else args.levels,
        one_hot=args.labels)


def shapes(config, kernel, directions):
    """The parameters of a `PixelRNN`: names → shapes.

    Args:
        kernel: the height and width of an LSTM's weights of the states.
        directions: of an LSTM.
    """
    h = config.hidden_dims
    gates = directions * GATES * h
    weights, of_states = {'conv1': (2 * h, input_channels(config), 7, 7)}, {}
    for n in range(config.layers_num):
        weights[f'blocks/{n}/lstm/input_to_state'] = (gates, 2 * h, 1, kernel[1])
        of_states[f'blocks/{n}/lstm/state_to_state/W'] = (gates, h, *kernel)
        weights[f'blocks/{n}/output'] = (2 * h, h, 1, 1)
    weights['conv2'] = (config.out_hidden_dims, 2 * h, 1, 1)
    weights['conv4'] = (config.out_dims * config.in_channels, config.out_hidden_dims, 1, 1)
    return {**with_biases(weights), **of_states}
