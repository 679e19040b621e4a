"""The models that a checkout of the author's repository can hold, and ours, to be the same."""
import collections

from wavenet import models
from wavenet.families.gated import model as gated

# The constructor of PixelCNN is the same in all of them; that of ResidualBlock tells them apart.
PIXELCNN = ['in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims']

Kind = collections.namedtuple('Kind', [
    'key', 'title',
    'residual_block',  # names of the arguments of the author's constructor
    'maps',            # feature maps for each of his --hidden_dim
    'labelled',        # whether the model takes the classes of the pictures
    'clip', 'weight_decay',  # what his train.py adds to Adam, 0 for nothing
    'classifier',      # ours: (in_channels, hidden_dims, …) → a new Classifier
])


def post(*sizes):
    return models.Classifier(models.PixelCNN(*sizes))


def newest(*sizes):
    return models.Classifier(gated.GatedPixelCNN(*sizes, form='author'), reduce='mean')


KINDS = (
    Kind('pixelcnn', "the post's PixelCNN", ['in_channels', 'nobias'],
         maps=2, labelled=False, clip=0, weight_decay=0, classifier=post),
    Kind('gated', 'Gated PixelCNN',
         ['in_channels', 'out_channels', 'filter_size', 'mask', 'nobias'],
         maps=1, labelled=True, clip=1.0, weight_decay=0.0001, classifier=newest),
)


def find(about):
    """The kind for what author.py's 'describe' found. Raises: ValueError."""
    for kind in KINDS:
        if about['pixelcnn'][:len(PIXELCNN)] == PIXELCNN \
                and about['residual_block'] == kind.residual_block:
            return kind
    raise ValueError(
        "the author's repository holds neither of the models that are compared, by its "
        'constructors: PixelCNN({}) and ResidualBlock({})'.format(
            ', '.join(about['pixelcnn']), ', '.join(about['residual_block'])))


def make_classifier(config):
    """Our Classifier of the kind and the sizes in `config`."""
    kind = next(kind for kind in KINDS if kind.key == config['kind'])
    return kind.classifier(*[config[name] for name in PIXELCNN])
