"""The options of train.py that say the sizes of a WaveNet, with the author's names and defaults."""
from wavenet.families.family import Option
from wavenet.families.wavenet.model import FORMS, WaveNetConfig


def configure(args, num_classes):
    """The sizes that the options of train.py name."""
    # A single class is none, and the author's form has no weights for classes
    if num_classes < 2 or args.form == 'author':
        num_classes = 0
    return WaveNetConfig(args.levels, args.hidden_dim, args.out_hidden_dim, args.stacks_num,
                         args.layers_num, args.kernel_width, num_classes, args.form)


OPTIONS = (
    Option(('--hidden_dim', '-d'), 32, 'feature maps of the layers'),
    Option(('--out_hidden_dim',), 32, 'feature maps between the two output layers'),
    Option(('--stacks_num', '-s'), 5, 'stacks of layers; in each, the dilations begin with 1',
           most=1000),
    Option(('--layers_num', '-l'), 10, 'layers of a stack, with dilations 1, 2, 4, …', most=24),
    Option(('--kernel_width',), 2, 'inputs that a dilated convolution sees', least=2, most=64),
    Option(('--form',), 'paper', "paper, or author for the form of the author's code",
           choices=FORMS, metavar='FORM'),
)
