"""A repository for tests that has the interface of the author's, but none of its code.

Like the author's, it was written for Chainer 1: it uses names that Chainer 7 has dropped. Its
generation loop needs a GPU.
"""

MODELS = '''
import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

import wavenet.utils


class MaskedConvolution2D(L.Convolution2D):
    def __init__(self, *args, mask='B', **kwargs):
        super().__init__(*args, **kwargs)
        kernel = self.W.data.shape[2:]
        seen = np.arange(np.prod(kernel)).reshape(kernel) < np.prod(kernel) // 2
        color_out, color_in = (np.arange(n) % 3 for n in self.W.data.shape[:2])
        color_out = color_out[:, None] + (mask == 'B')
        self.mask = np.zeros(self.W.data.shape, 'f') + seen
        self.mask[:, :, kernel[0] // 2, kernel[1] // 2] = color_in < color_out

    def __call__(self, x):
        assert not self.has_uninitialized_params
        return F.connection.convolution_2d.convolution_2d(
            x, self.W * self.mask, self.b, self.stride, self.pad, self.use_cudnn,
            deterministic=self.deterministic)


class ResidualBlock(chainer.Chain):
    def __init__(self, in_channels, nobias=False):
        half = in_channels // 2
        super().__init__(conv1=MaskedConvolution2D(in_channels, half, 1),
                         conv2=MaskedConvolution2D(half, half, 3, pad=1),
                         conv3=MaskedConvolution2D(half, in_channels, 1))

    def __call__(self, x):
        return x + self.conv3(F.relu(self.conv2(F.relu(self.conv1(F.relu(x))))))


class PixelCNN(chainer.Chain):
    def __init__(self, in_channels, hidden_dims, block_num, out_hidden_dims, out_dims,
                 nobias=False):
        super().__init__(
            conv1=MaskedConvolution2D(in_channels, hidden_dims, 7, pad=3, mask='A'),
            blocks=chainer.ChainList(*[ResidualBlock(hidden_dims) for _ in range(block_num)]),
            conv2=MaskedConvolution2D(hidden_dims, out_hidden_dims, 1),
            conv4=MaskedConvolution2D(out_hidden_dims, out_dims * in_channels, 1))
        self.sizes = out_dims, in_channels

    def __call__(self, x):
        h = self.conv1(x)
        for block in self.blocks:
            h = block(h)
        h = self.conv4(F.relu(self.conv2(F.relu(h))))
        return F.reshape(h, (len(h.data),) + self.sizes + h.data.shape[2:])


class Classifier(chainer.Chain):
    def __init__(self, predictor):
        super().__init__(predictor=predictor)

    def __call__(self, x, t):
        loss = F.softmax_cross_entropy(self.predictor(x), t, normalize=False)
        chainer.report({'nll': loss}, self)
        return loss
'''

# Replaces the models above by those of the newest commit: classes, stacks, gates, a mean loss
GATED = '''
class Shifted(L.Convolution2D):
    def __init__(self, in_channels, out_channels, half):
        super().__init__(in_channels, out_channels, [half + 1, 2 * half + 1], pad=[half + 1, half])

    def __call__(self, x):
        return super().__call__(x)[:, :, :x.data.shape[2]]


class ResidualBlock(chainer.Chain):
    def __init__(self, in_channels, out_channels, filter_size, mask='B', nobias=False):
        links = {'label': L.EmbedID(10, out_channels),
                 'horizontal_output': MaskedConvolution2D(out_channels, out_channels, 1, mask=mask)}
        for gate in 'ts':
            links['vertical_conv_' + gate] = Shifted(in_channels, out_channels, filter_size // 2)
            links['v_to_h_conv_' + gate] = L.Convolution2D(out_channels, out_channels, 1)
            links['horizontal_conv_' + gate] = MaskedConvolution2D(
                in_channels, out_channels, [1, filter_size], pad=[0, filter_size // 2], mask=mask)
        super().__init__(**links)

    def __call__(self, v, h, label):
        label = self.label(label)[:, :, None, None]
        v_t, v_s = self.vertical_conv_t(v), self.vertical_conv_s(v)
        h_t = self.horizontal_conv_t(h) + self.v_to_h_conv_t(v_t)
        h_s = self.horizontal_conv_s(h) + self.v_to_h_conv_s(v_s)
        label = F.broadcast_to(label, v_t.shape)
        h = F.tanh(h_t + label) * F.sigmoid(h_s + label)
        return F.tanh(v_t + label) * F.sigmoid(v_s + label), self.horizontal_output(h)


class PixelCNN(chainer.Chain):
    def __init__(self, in_channels, hidden_dims, block_num, out_hidden_dims, out_dims,
                 nobias=False):
        super().__init__(
            conv1=ResidualBlock(in_channels, hidden_dims, 7, mask='A'),
            blocks=chainer.ChainList(*[ResidualBlock(hidden_dims, hidden_dims, 3)
                                       for _ in range(block_num)]),
            conv2=MaskedConvolution2D(hidden_dims, out_hidden_dims, 1),
            conv4=MaskedConvolution2D(out_hidden_dims, out_dims * in_channels, 1))
        self.sizes = out_dims, in_channels

    def __call__(self, x, label):
        v, h = self.conv1(x, x, label)
        for block in self.blocks:
            v, more = block(v, h, label)
            h = h + more
        h = self.conv4(F.relu(self.conv2(F.relu(h))))
        return F.reshape(h, (len(h.data),) + self.sizes + h.data.shape[2:])


class Classifier(chainer.Chain):
    def __init__(self, predictor):
        super().__init__(predictor=predictor)

    def __call__(self, x, t, label):
        loss = F.softmax_cross_entropy(self.predictor(x, label), t)
        chainer.report({'nll': loss, 'bits/dim': loss / t[0].size}, self)
        return loss
'''

UTILS = '''
import numpy as np


def binarize(images, xp=np):
    return (images > xp.random.random_sample(images.shape)).astype('i')


def quantisize(images, levels):
    return (np.searchsorted(np.arange(levels) / levels, images, side='right') - 1).astype('i')


def convert_to_rgb(images, xp=np):
    return xp.concatenate([images] * 3, axis=1)


def sample_from(distribution):
    return np.array([np.random.choice(len(p), p=p) for p in distribution])
'''

INFER = '''
import itertools

import chainer
import chainer.functions as F
import scipy.misc

from wavenet import utils


def generate_and_save_samples(sample_fn, height, width, channels, count, filename):
    samples = chainer.Variable(
        chainer.cuda.cupy.zeros((count ** 2, channels, height, width), dtype='f'))
    for i, j, k in itertools.product(range(height), range(width), range(channels)):
        p = F.softmax(sample_fn(samples))[:, :, k, i, j].data.get()
        samples.data[:, k, i, j] = chainer.cuda.to_gpu(utils.sample_from(p)) / (p.shape[1] - 1)
    scipy.misc.toimage(samples.data[0, 0], cmin=0, cmax=1).save(filename)
'''

FILES = {'wavenet/__init__.py': '', 'wavenet/models.py': MODELS, 'wavenet/utils.py': UTILS,
         'infer.py': INFER}


def write(folder, *faults):
    """Writes the repository. Each fault is a text in its files and the text that replaces it."""
    (folder / 'wavenet').mkdir(parents=True)
    files = dict(FILES)
    for text, fault in faults:
        name, = [name for name, content in files.items() if text in content]
        files[name] = files[name].replace(text, fault)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder
