"""The families there are. A new one is a line in FAMILIES or, for sound, in SOUND_FAMILIES."""
from wavenet.families.gated import GATED
from wavenet.families.made import MADE
from wavenet.families.pixelcnn import PIXELCNN
from wavenet.families.pixelcnn_pp import PIXELCNN_PP
from wavenet.families.pixelrnn import DIAGONAL_BILSTM, ROW_LSTM
from wavenet.families.wavenet import WAVENET

FAMILIES = {family.name: family for family in (
    PIXELCNN, GATED, PIXELCNN_PP, ROW_LSTM, DIAGONAL_BILSTM, MADE)}

# Models of sound
SOUND_FAMILIES = {family.name: family for family in (WAVENET,)}

# What `model` in a file said before files named the family
FORMER_NAMES = {'PixelCNN': 'pixelcnn', 'GatedPixelCNN': 'gated'}


def every():
    """All families by their names, those of images first."""
    return {**FAMILIES, **SOUND_FAMILIES}


def get(name):
    """The `Family` of a name. Raises: ValueError for one that is not there."""
    families = every()
    if name not in families:
        raise ValueError(f'there is no model {name!r}, only {", ".join(families)}; the mistakes of '
                         'the post are for python -m wavenet.results')
    return families[name]


def recognize(shapes):
    """The (family, config) to which parameters belong, a dict from names to shapes; None if there
    is none."""
    for family in every().values():
        config = family.recognize and family.recognize(shapes)
        if config and family.shapes(config) == shapes:
            return family, config
    return None
