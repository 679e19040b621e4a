"""The models that the author's repository holds, each at some commits, and ours that match them."""
from typing import Callable, NamedTuple

from wavenet import models
from wavenet.families.gated import model as gated

# The first arguments of the author's PixelCNN, the same at all commits, and of our models
PIXELCNN = ['in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims']

# What tells the WaveNet of his newest commit from earlier ones: the arguments of the model and of
# the loop of his infer_wavenet.py, which have other inputs at earlier commits
WAVENET = {'model': ['out_channels', 'hidden_dim', 'out_hidden_dim', 'stacks_num', 'layers_num',
                     'kernel_width'],
           'loop': ['sample_fn', 'length', 'count', 'dir', 'rate', 'levels']}


class Kind(NamedTuple):
    key: str
    title: str
    residual_block: list[str]   # arguments of the author's ResidualBlock, which tell kinds apart
    hidden_dims_factor: int     # feature maps per unit of the author's --hidden_dim
    conditional: bool           # whether the model takes class_ids
    clip: float                 # L2 norm that his train.py clips gradients to; 0: it does not
    weight_decay: float         # that his train.py adds; 0: it does not
    classifier: Callable        # our Classifier, new, of the sizes PIXELCNN


def _pixelcnn(*sizes):
    return models.Classifier(models.PixelCNN(*sizes))


def _gated(*sizes):
    return models.Classifier(gated.GatedPixelCNN(*sizes, form='author'), reduce='mean')


KINDS = (
    Kind('pixelcnn', "the post's PixelCNN", ['in_channels', 'nobias'], hidden_dims_factor=2,
         conditional=False, clip=0, weight_decay=0, classifier=_pixelcnn),
    Kind('gated', 'Gated PixelCNN',
         ['in_channels', 'out_channels', 'filter_size', 'mask', 'nobias'], hidden_dims_factor=1,
         conditional=True, clip=1.0, weight_decay=0.0001, classifier=_gated),
)


def find(about):
    """The kind of model in the author's repository.

    Args:
        about: the result of author.py's 'describe'.

    Raises: ValueError if it is none of `KINDS`.
    """
    for kind in KINDS:
        if about['pixelcnn'][:len(PIXELCNN)] == PIXELCNN \
                and about['residual_block'] == kind.residual_block:
            return kind
    raise ValueError(
        "the author's repository holds neither of the models that can be compared: its "
        f'constructors are PixelCNN({", ".join(about["pixelcnn"])}) and '
        f'ResidualBlock({", ".join(about["residual_block"])})')


def has_wavenet(about):
    """Whether the author's repository has the WaveNet that can be compared. Args: as of `find`."""
    theirs = about['wavenet']
    return bool(theirs) and all(theirs[name] == expected for name, expected in WAVENET.items())


def make_classifier(config):
    """Our Classifier of the kind and the sizes in `config`."""
    kind = next(kind for kind in KINDS if kind.key == config['kind'])
    return kind.classifier(*[config[name] for name in PIXELCNN])
