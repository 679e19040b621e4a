"""Models with the parameters of a reference file: numbers that somebody else's code has computed.

`build('pixelcnn', npz)` is the model of a file such as tests/data/pixelcnn_blog.npz, `npz` being
what `numpy.load` gives for it. It is called as `model(x, class_ids)`, and images are sampled from
it by `wavenet.sampling.generate(model, shape, seed, method, given, part, progress, class_ids)`.
"""
import numpy as np

from wavenet.families import registry
from wavenet.families.gated.model import GatedPixelCNN
from wavenet.families.wavenet.model import recognize as wavenet_config
from wavenet.models import PixelCNN


def build(family, npz, tag=''):
    """The model of a reference file, with the file's parameters.

    Args:
        family: name of the family, a key of BUILDERS.
        npz: the arrays of the file, by their names.
        tag: which parameters, where the file holds several: those under `TAG/params`, such as
            'adam'.

    Returns: the model, on the CPU, in the precision of the file.
    """
    return BUILDERS[family](npz, tag)


def author_sizes(npz):
    """The arguments of PixelCNN that the author's files record."""
    return [int(npz['config/' + name]) for name in (
        'in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims')]


def pixelcnn(npz, tag):
    return set_parameters(PixelCNN(*author_sizes(npz)), npz, tag)


def gated(npz, tag):
    num_classes = len(npz['params/conv1/label/W'])
    model = GatedPixelCNN(*author_sizes(npz), num_classes=num_classes, form='author')
    return set_parameters(model, npz, tag)


def wavenet(npz, tag):
    """Called as `model(levels)`, int32 (B, T). The files name their sizes differently: the shapes
    of the parameters tell them."""
    shapes = {name[len('params/'):]: npz[name].shape for name in npz if name.startswith('params/')}
    model = registry.get('wavenet').build(wavenet_config(shapes))
    return set_parameters(model, npz, tag)


def set_parameters(model, npz, tag):
    """Gives a model the parameters of a file, which must be those of such a model."""
    prefix = f'{tag}/params' if tag else 'params'
    shapes = {name: param.shape for name, param in model.namedparams()}
    names = [name[len(prefix):] for name in npz if name.startswith(prefix + '/')]
    assert sorted(names) == sorted(shapes), 'the file holds another model'
    for name, param in model.namedparams():
        array = np.asarray(npz[prefix + name])
        assert array.shape == param.shape, name
        param.array = array.copy()
    return model


BUILDERS = {'pixelcnn': pixelcnn, 'gated': gated, 'wavenet': wavenet}
assert BUILDERS.keys() <= {*registry.FAMILIES, *registry.SOUND_FAMILIES}
