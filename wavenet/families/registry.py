"""The families there are. A new one is a line in FAMILIES."""
from wavenet.families.gated import GATED
from wavenet.families.pixelcnn import PIXELCNN

FAMILIES = {family.name: family for family in (PIXELCNN, GATED)}

# What `model` in a file said before files named the family
FORMER_NAMES = {'PixelCNN': 'pixelcnn', 'GatedPixelCNN': 'gated'}


def get(name):
    """The `Family` of a name. Raises: ValueError for one that is not there."""
    if name not in FAMILIES:
        raise ValueError(f'there is no model {name!r}, only {", ".join(FAMILIES)}; the mistakes of '
                         'the post are for python -m wavenet.results')
    return FAMILIES[name]


def recognize(shapes):
    """The (family, config) to which parameters belong, a dict from names to shapes; None if there
    is none."""
    for family in FAMILIES.values():
        config = family.recognize and family.recognize(shapes)
        if config and family.shapes(config) == shapes:
            return family, config
    return None
