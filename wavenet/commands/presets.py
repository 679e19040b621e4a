"""Presets of train.py: named sets of options. Options of the command line win over them.

`mnist` and `mnist-classes` train the models of that name that come with this package.
"""
import shlex

from wavenet.families import registry

MNIST = ('--dataset mnist --channels 1 --levels 4 --learning_rate 0.003 --lr_decay 0.99991 '
         '--average 0.999 --epoch 10')

PRESETS = {
    'cpu': ('a small model, which trains on a CPU in minutes', None),  # depends on --model
    'mnist': ('the pretrained model mnist', f'{MNIST} --hidden_dim 16 --blocks_num 12'),
    'mnist-classes': ('the pretrained model mnist-classes',
                      f'{MNIST} --model gated --hidden_dim 24 --blocks_num 4 --weight_decay 0')}


def add_option(parser):
    """Adds --preset."""
    names = '; '.join(f'{name}: {title}' for name, (title, _) in PRESETS.items())
    parser.add_argument('--preset', choices=tuple(PRESETS), metavar='NAME',
                        help=f'a named set of options; other options change it. {names}')


def words(args):
    """The words of the preset of the options, as on a command line."""
    if args.preset is None:
        return []
    _, options = PRESETS[args.preset]
    return shlex.split(registry.get(args.model).small if options is None else options)
