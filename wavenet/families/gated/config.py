"""The sizes of Gated PixelCNN, and the parameters that they make."""
from wavenet.families.family import Option
from wavenet.families.gated.model import FORMS, GatedConfig
from wavenet.families.pixelcnn.config import OPTIONS as PIXELCNN_OPTIONS
from wavenet.families.pixelcnn.config import count_blocks, input_channels, with_biases


def configure(args, num_classes):
    """The sizes that the options of train.py name, with the classes of the data set."""
    return GatedConfig(
        in_channels=args.channels, hidden_dims=args.hidden_dim, block_num=args.blocks_num,
        out_hidden_dims=args.out_hidden_dim, out_dims=1 if args.loss == 'sigmoid' else args.levels,
        num_classes=num_classes, form=args.form, one_hot=args.labels)


HIDDEN_DIM, *OTHERS = PIXELCNN_OPTIONS
OPTIONS = (
    HIDDEN_DIM._replace(help='each stack has H feature maps'), *OTHERS,
    Option(('--form',), 'paper', "paper, or author for the form of the author's code, with its "
           'mistakes', choices=FORMS, metavar='FORM'),
)


def shapes(config):
    """The parameters of a `GatedPixelCNN`: names → shapes."""
    weights, embeddings = {}, []
    maps = config.hidden_dims
    for n in range(1 + config.block_num):
        block, inputs, ksize = (
            (f'blocks/{n - 1}', maps, 3) if n else ('conv1', input_channels(config), 7))
        for gate in 'ts':
            weights[f'{block}/vertical_conv_{gate}'] = (maps, inputs, ksize // 2 + 1, ksize)
            weights[f'{block}/v_to_h_conv_{gate}'] = (maps, maps, 1, 1)
            weights[f'{block}/horizontal_conv_{gate}'] = (maps, inputs, 1, ksize)
        weights[f'{block}/horizontal_output'] = (maps, maps, 1, 1)
        stacks = ('horizontal',) if n == config.block_num else ('horizontal', 'vertical')
        embeddings += [f'{block}/label'] if config.form == 'author' else [
            f'{block}/label_{stack}_{gate}' for stack in stacks for gate in 'ts']
    weights['conv2'] = (config.out_hidden_dims, maps, 1, 1)
    weights['conv4'] = (config.out_dims * config.in_channels, config.out_hidden_dims, 1, 1)
    return dict(with_biases(weights),
                **{f'{name}/W': (config.num_classes, maps) for name in embeddings})


def recognize(shapes):
    """The config of the author's files, from the names and shapes of their parameters, or None."""
    form = 'author' if 'conv1/label/W' in shapes else 'paper'
    label = 'conv1/label/W' if form == 'author' else 'conv1/label_horizontal_t/W'
    try:
        hidden_dims, in_channels, _, _ = shapes['conv1/vertical_conv_t/W']
        out_channels, out_hidden_dims, _, _ = shapes['conv4/W']
        num_classes, _ = shapes[label]
    except (KeyError, ValueError):
        return None
    if in_channels not in (1, 3) or out_channels % in_channels:
        return None
    return GatedConfig(in_channels, hidden_dims, count_blocks(shapes), out_hidden_dims,
                       out_channels // in_channels, num_classes, form)
