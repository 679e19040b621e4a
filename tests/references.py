"""Models with the parameters of a reference file: numbers that somebody else's code has computed.

`build('pixelcnn', npz)` is the model of a file such as tests/data/pixelcnn_blog.npz, `npz` being
what `numpy.load` gives for it. It is called as `model(x, class_ids)`, and images are sampled from
it by `wavenet.sampling.generate(model, shape, seed, method, given, part, progress, class_ids)`.
"""
import numpy as np

from wavenet.families import registry
from wavenet.families.gated.model import GatedPixelCNN
from wavenet.families.made.model import Made
from wavenet.families.pixelcnn_pp.config import layers, plan
from wavenet.families.pixelcnn_pp.model import PixelCNNPP
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


def pixelcnn_pp(npz, tag):
    """Files of openai/pixel-cnn (TensorFlow), and of pclucas14/pixel-cnn-pp (PyTorch)."""
    sizes = [int(npz[f'config/{name}']) for name in (
        'channels', 'nr_resnet', 'nr_filters', 'nr_logistic_mix')]
    num_classes = int(npz['config/classes']) if 'config/classes' in npz else 0
    model = PixelCNNPP(*sizes, num_classes=num_classes)
    if 'params/u_init.conv.bias' in npz:
        npz = {f'params/{name}': array for name, array in from_pytorch(npz, model.config).items()}
    return set_parameters(model, npz, tag)


def pytorch_names(config):
    """The module of PyTorch for each layer: names of openai's → names of pclucas14's."""
    of_model = plan(config)
    modules = {layer.name: f'{name}.conv' for layer, name in zip(
        of_model.first, ('u_init', 'ul_init.0', 'ul_init.1'))}
    modules[of_model.output.name] = 'nin_out.lin_a'
    for way, size, levels in (('up', 'downsize', of_model.up), ('down', 'upsize', of_model.down)):
        for n, level in enumerate(levels):
            for r, pair in enumerate(level.blocks):
                for stream, block in zip(('u', 'ul'), pair):
                    for part, layer in zip(('conv_input.conv', 'nin_skip.lin_a', 'conv_out.conv'),
                                           block[:3]):
                        if layer:
                            modules[layer.name] = f'{way}_layers.{n}.{stream}_stream.{r}.{part}'
            for stream, layer in zip(('u', 'ul'), level.resize or ()):
                modules[layer.name] = (f'{size}_{stream}_stream.{n}.'
                                       f'{"conv" if size == "downsize" else "deconv"}')
    return modules


def from_pytorch(npz, config):
    """The parameters of a file of pclucas14's, under openai's names."""
    modules, params = pytorch_names(config), {}
    for layer in layers(config):
        V, g, b = [npz[f'params/{modules[layer.name]}.{name}']
                   for name in ('weight_v', 'weight_g', 'bias')]
        if layer.is_transposed:                              # PyTorch has a g for each input map
            V = V * (g / np.sqrt((V ** 2).sum(axis=(1, 2, 3), keepdims=True)))
            g = np.sqrt((V ** 2).sum(axis=(0, 2, 3)))
        params[f'{layer.name}/V'] = V.T if layer.kind == 'dense' else V.transpose(2, 3, 1, 0)
        params[f'{layer.name}/g'], params[f'{layer.name}/b'] = g.ravel(), b
    return params


def made(npz, tag):
    """Files of karpathy/pytorch-made, mgermain/MADE and EugenHotaj/pytorch-generative. `tag` is the
    name of the mask, such as 'mask0', where the file has several: order 0 of the model."""
    values, hidden = int(npz['config/inputs']), npz['config/hidden']
    model = Made(1, 1, values, hidden, out_dims=1, direct=f'params/{len(hidden)}/D' in npz)
    degrees = made_degrees(npz, f'{tag}/' if tag else '')
    model.degrees = lambda order: degrees
    return set_parameters(model, made_parameters(npz), '')


def made_degrees(npz, prefix):
    """The degrees of a mask, from 0 on: mgermain's are from 1 on."""
    first, layers = 0, 1 + len(npz['config/hidden'])
    names = [f'{prefix}degrees/{n}' for n in range(layers)]
    if names[0] not in npz:
        first, names = 1, [f'{prefix}connectivity/{n}' for n in range(layers)]
    return [npz[name].astype(int) - first for name in names]


def made_parameters(npz, prefix='params/'):
    """The parameters of a file, or others of their names, under ours. mgermain's are (in, out)."""
    last = len(npz['config/hidden'])
    params, turn = {}, 'mask0/ordering' in npz
    for n in range(last + 1):
        for name in 'Wb':
            key = f'{prefix}{n}/{name}' if f'{prefix}{n}/{name}' in npz else f'{prefix}{name}{n}'
            params[f'params/layers/{n}/{name}'] = npz[key].T if turn else npz[key]
    for key in (f'{prefix}{last}/D', f'{prefix}D{last}'):
        if key in npz:
            params['params/direct/W'] = npz[key].T
    return params


def rowlstm(npz, tag):
    """Files with the keys of tests/data/pixelrnn_gray.npz; the tag is 'net_row'."""
    return pixelrnn('rowlstm', npz, tag, [''])


def diagonal_bilstm(npz, tag):
    """Files with the keys of tests/data/pixelrnn_gray.npz; the tag is 'net_diagonal'."""
    return pixelrnn('diagonal_bilstm', npz, tag, ['left/', 'right/'])


def pixelrnn(name, npz, tag, directions):
    family = registry.get(name)
    config = family.config(*[int(npz[f'config/{size}']) for size in (
        'colours', 'hidden', 'layers', 'out_hidden', 'levels')])
    params = pixelrnn_arrays(npz, f'{tag}/params', config.layers_num, directions)
    return set_parameters(family.build(config), {f'params/{k}': v for k, v in params.items()}, '')


def pixelrnn_arrays(npz, prefix, layers_num, directions):
    """The arrays below a prefix, parameters or gradients, under our names. Ours of all directions
    are one array."""
    arrays = {f'{ours}/{part}': npz[f'{prefix}/{theirs}/{part}'] for part in 'Wb'
              for ours, theirs in (('conv1', 'in'), ('conv2', 'out1'), ('conv4', 'out2'))}
    for n in range(layers_num):
        for ours, theirs in (('input_to_state/W', 'K_is'), ('input_to_state/b', 'b'),
                             ('state_to_state/W', 'K_ss')):
            arrays[f'blocks/{n}/lstm/{ours}'] = np.concatenate(
                [npz[f'{prefix}/{n}/{direction}{theirs}'] for direction in directions])
        arrays[f'blocks/{n}/output/W'] = npz[f'{prefix}/{n}/K_up']
        arrays[f'blocks/{n}/output/b'] = npz[f'{prefix}/{n}/b_up']
    return arrays


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


BUILDERS = {'pixelcnn': pixelcnn, 'gated': gated, 'pixelcnn++': pixelcnn_pp, 'wavenet': wavenet,
            'made': made, 'rowlstm': rowlstm, 'diagonal_bilstm': diagonal_bilstm}
assert BUILDERS.keys() <= {*registry.FAMILIES, *registry.SOUND_FAMILIES}
