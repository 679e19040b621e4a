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

# More of the newest commit: WaveNet, to be added to the files above, which need GATED, too
WAVENET_MODEL = '''
class Causal(L.DilatedConvolution2D):
    def __init__(self, in_channels, out_channels, dilate, pad):
        super().__init__(in_channels, out_channels, [1, 2], pad=[0, pad], dilate=[1, dilate])

    def __call__(self, x):
        return super().__call__(x)[:, :, :, :x.data.shape[3]]


class Layer(chainer.Chain):
    def __init__(self, size, dilate):
        super().__init__(gated_conv=Causal(size, 2 * size, dilate, dilate),
                         res_conv=L.Convolution2D(size, size, 1),
                         skip_conv=L.Convolution2D(size, size, 1))

    def __call__(self, x):
        tanh, sigmoid = F.split_axis(self.gated_conv(x), 2, axis=1)
        h = F.tanh(tanh) * F.sigmoid(sigmoid)
        return x + self.res_conv(h), self.skip_conv(h)


class WaveNet(chainer.Chain):
    def __init__(self, out_channels, hidden_dim, out_hidden_dim, stacks_num, layers_num,
                 kernel_width):
        super().__init__(
            conv1=Causal(out_channels, hidden_dim, 1, 2),
            stacks=chainer.ChainList(*[
                chainer.ChainList(*[Layer(hidden_dim, 2 ** n) for n in range(layers_num)])
                for _ in range(stacks_num)]),
            conv2=L.Convolution2D(hidden_dim, out_hidden_dim, 1),
            conv3=L.Convolution2D(out_hidden_dim, out_channels, 1))

    def __call__(self, x, label):
        x, total = self.conv1(x), 0
        for stack in self.stacks:
            for layer in stack:
                x, skip = layer(x)
                total = total + skip
        h = self.conv3(F.relu(self.conv2(F.relu(x + total))))
        return h[:, :, :, None]
'''

WAVENET_UTILS = '''
import os
import wave


def mulaw(audio, mu=255):
    return np.copysign(np.log1p(mu * abs(audio)) / np.log1p(mu), audio)


def inverse_mulaw(data, mu=255):
    return np.copysign(((mu + 1) ** abs(data) - 1) / mu, data)


def wav_to_float(audio, bits=16):
    return audio / 2 ** (bits - 1)


def receptive_field_size(layers, stacks):
    return stacks * 2 ** layers


def resample(sound, up, down):
    up, down = up // np.gcd(up, down), down // np.gcd(up, down)
    if up == down:
        return sound
    n = np.arange(-10 * max(up, down), 10 * max(up, down) + 1)
    taps = np.sinc(n / max(up, down)) * np.kaiser(len(n), 5)
    stuffed = np.zeros(len(sound) * up)
    stuffed[::up] = sound
    return up * np.convolve(stuffed, taps / taps.sum())[len(n) // 2:][:len(stuffed):down]


def chunks(filename, rate, length):
    with wave.open(filename) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), 'i2')
        values = mulaw(wav_to_float(resample(sound, rate, file.getframerate()))) * 0.5 + 0.5
    return values[:len(values) // length * length].reshape(-1, length)


class VCTK:
    def __init__(self, root_dir, receptive_field_size):
        names = [name for name in os.listdir(root_dir) if 'vctk_' in name]
        data = np.concatenate([np.load(open(os.path.join(root_dir, name), 'rb'))
                               for name in names])
        labels = quantisize(data, 256)
        self.data = np.eye(256, dtype='f')[labels].transpose(0, 2, 1)[:, :, None]
        self.labels = labels[:, None, None]
        self.labels[..., :receptive_field_size] = -1

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index], self.labels[index], np.array(0)
'''

PREPROCESS = '''
import argparse
import glob
import os

import numpy as np

from wavenet import utils


def main():
    parser = argparse.ArgumentParser()
    for name in ('data', 'output'):
        parser.add_argument('--' + name)
    for name in ('workers', 'stacks_num', 'layers_num', 'target_length'):
        parser.add_argument('--' + name, type=int)
    args = parser.parse_args()
    length = utils.receptive_field_size(args.layers_num, args.stacks_num) + args.target_length
    with open(os.path.join(args.output, 'vctk_0'), 'wb') as file:
        np.save(file, np.concatenate([utils.chunks(name, 8000, length) for name in glob.glob(
            os.path.join(args.data, '*.wav'))]))
'''

TRAIN_WAVENET = '''
import argparse

import chainer
import cupy
from chainer.training import extensions, triggers

from wavenet import models, utils


def main():
    parser = argparse.ArgumentParser()
    for name in ('data', 'out'):
        parser.add_argument('--' + name)
    for name in ('epoch', 'batchsize', 'hidden_dim', 'out_hidden_dim', 'stacks_num', 'layers_num'):
        parser.add_argument('--' + name, type=int)
    args = parser.parse_args()
    model = models.Classifier(models.WaveNet(
        256, args.hidden_dim, args.out_hidden_dim, args.stacks_num, args.layers_num, 2))
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    optimizer.add_hook(chainer.optimizer.GradientClipping(1.0))
    data = utils.VCTK(args.data, utils.receptive_field_size(args.layers_num, args.stacks_num))
    iterator = chainer.iterators.SerialIterator(data, args.batchsize)
    trainer = chainer.training.Trainer(chainer.training.StandardUpdater(iterator, optimizer),
                                       (args.epoch, 'epoch'), out=args.out)
    trainer.extend(extensions.LogReport())
    trainer.extend(extensions.snapshot())
    trainer.extend(extensions.snapshot_object(model.predictor, 'wavenet_{.updater.iteration}'),
                   trigger=triggers.MinValueTrigger('main/nll'))
    trainer.run()
'''

INFER_WAVENET = '''
import os
import wave

import chainer
import chainer.functions as F
import numpy as np

from wavenet import utils


def generate_and_save_samples(sample_fn, length, count, dir, rate, levels):
    samples = chainer.Variable(
        chainer.cuda.cupy.zeros([count, levels, 1, length], dtype='float32'))
    for i in range(length):
        p = F.softmax(sample_fn(samples))[:, :, 0, 0, i].data.get()
        samples.data[:, :, 0, i] = chainer.cuda.cupy.eye(levels)[utils.sample_from(p)]
    values = samples.data[:, :, 0].argmax(axis=1) / (levels - 1) * 2 - 1
    for n, sound in enumerate((utils.inverse_mulaw(values) * 32767).astype('i2')):
        with wave.open(os.path.join(dir, 'sample_{}.wav'.format(n)), 'wb') as file:
            file.setparams((1, 2, rate, length, 'NONE', None))
            file.writeframes(sound.tobytes())
'''

FILES = {'wavenet/__init__.py': '', 'wavenet/models.py': MODELS, 'wavenet/utils.py': UTILS,
         'infer.py': INFER}


def write(folder, *faults):
    """Writes the repository. Each fault is a text in its files and the text that replaces it."""
    (folder / 'wavenet').mkdir(parents=True)
    _write(folder, dict(FILES), faults)
    return folder


def _write(folder, files, faults):
    for text, fault in faults:
        name, = [name for name, content in files.items() if text in content]
        files[name] = files[name].replace(text, fault)
    for name, content in files.items():
        (folder / name).write_text(content)


def write_newest(folder, *faults):
    """Writes the repository with Gated PixelCNN and WaveNet. `faults` as of `write`."""
    write(folder)
    files = {'wavenet/models.py': MODELS + GATED + WAVENET_MODEL,
             'wavenet/utils.py': UTILS + WAVENET_UTILS, 'preprocess.py': PREPROCESS,
             'train_wavenet.py': TRAIN_WAVENET, 'infer_wavenet.py': INFER_WAVENET}
    _write(folder, files, faults)
    return folder
