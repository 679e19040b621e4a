"""WaveNet: dilated causal convolutions over sound (van den Oord et al., 2016, arXiv 1609.03499).

The network predicts the distribution of each sample from the samples before it. The samples are
quantized, and the first layer has a column of weights for each level and each of the last two
samples. The layers of a stack have dilations 1, 2, 4, …, so that a few layers see far back.

Two forms:

- `author`, the model of github.com/rampage644/wavenet at commit 917345c (wavenet/models.py,
  `WaveNet`), with his parameter names. His files load here, and ours load there.
- `paper`, the paper's figure 4. It differs from the author's in three places:
  - A layer has one 1×1 convolution, `output_conv`. Its output is added to the layer's input and is
    the skip connection, too. The author has two, `res_conv` and `skip_conv`.
  - The output layers see the sum of the skip connections. The author adds the output of the last
    layer.
  - With classes, each gate has a bias for each class (section 2.5, global conditioning). The
    author's model takes a class and ignores it.

In both forms, output t sees exactly the 2 + (k - 1) S (2^L - 1) samples before t, for S stacks of L
layers of kernel width k. The author computes S · 2^L. His crop is right for kernel width 2 only;
here any width is causal.

A training wants the outputs of the last samples of a window only, so each layer computes no more
positions than the layers above it see. A target of -1 is a position without a sample, before the
beginning of a recording. The features there are 0 in every layer, as they are before the first
position, so a recording begins as generation begins.
"""
import math
from dataclasses import dataclass

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from wavenet.config import Config, size
from wavenet.functions import distributions
from wavenet.functions.causal_layers import causal_layers
from wavenet.functions.label_convolution import label_convolution_2d
from wavenet.functions.precision import float32_parameters

FORMS = 'paper', 'author'
FIRST_WIDTH = 2      # samples that the first layer sees, in the author's code whatever kernel_width


@dataclass(frozen=True)
class WaveNetConfig(Config):
    """The sizes of a `WaveNet`; see there. `out_dims` is the number of levels."""

    out_dims: int = size(2)
    hidden_dim: int = size()
    out_hidden_dim: int = size()
    stacks_num: int = size()
    layers_num: int = size()
    kernel_width: int = size(2)
    num_classes: int = size(0)
    form: str

    one_hot = True

    def __post_init__(self):
        super().__post_init__()
        if self.form not in FORMS:
            raise ValueError(f'the form must be {" or ".join(FORMS)}, got {self.form!r}')
        if self.form == 'author' and self.num_classes:
            raise ValueError("the author's form takes no classes")

    @property
    def dilations(self):
        """The dilation of each layer, from the first to the last."""
        return [2 ** layer for _ in range(self.stacks_num) for layer in range(self.layers_num)]

    @property
    def receptive_field(self):
        """The number of samples before t that output t depends on."""
        return FIRST_WIDTH + (self.kernel_width - 1) * sum(self.dilations)

    def lengths(self, length):
        """The number of last positions that each layer computes, the first convolution's and then
        the other layers', for the outputs of the last `length` samples."""
        result = [length]
        for dilation in reversed(self.dilations):
            result.append(result[-1] + (self.kernel_width - 1) * dilation)
        return result[::-1]


class FirstConvolution(chainer.Link):
    """The first layer: looks up the weights of the two samples before each one.

    Its W (out_channels, levels, 1, 2) is that of a convolution of one-hot samples, which are never
    made: 256 levels would take 1 kB a sample.
    """

    def __init__(self, levels, out_channels, initialW):
        super().__init__()
        with self.init_scope():
            self.W = chainer.Parameter(initialW, (out_channels, levels, 1, FIRST_WIDTH))
            self.b = chainer.Parameter(0, out_channels)

    def forward(self, targets, length):
        """Levels int32 (B, T) → the last `length` ≤ T feature maps, (B, out_channels, length).
        Positions before the first one, and those of -1, have no sample and add nothing."""
        seen = self.xp.full((len(targets), length + FIRST_WIDTH - 1), -1, 'i')
        before = targets[:, max(0, targets.shape[1] - length - FIRST_WIDTH):-1]
        seen[:, seen.shape[1] - before.shape[1]:] = before
        ones = self.xp.ones(self.W.shape, self.W.dtype)
        h = label_convolution_2d(seen[:, None, None], self.W, self.b, ones, (0, 0))
        return F.squeeze(h, axis=2)


class CausalLayer(chainer.Chain):
    """A gated dilated convolution with its residual and skip connections."""

    def __init__(self, config, dilation):
        super().__init__()
        maps, initialW = config.hidden_dim, chainer.initializers.HeUniform()
        with self.init_scope():
            self.gated_conv = L.Convolution2D(
                maps, 2 * maps, (1, config.kernel_width), initialW=initialW)
            if config.form == 'author':
                self.res_conv = L.Convolution2D(maps, maps, 1, initialW=initialW)
                self.skip_conv = L.Convolution2D(maps, maps, 1, initialW=initialW)
            else:
                self.output_conv = L.Convolution2D(maps, maps, 1, initialW=initialW)
            if config.num_classes:
                self.label = L.EmbedID(config.num_classes, 2 * maps,
                                       chainer.initializers.Normal(0.05))
        self.form, self.dilation = config.form, dilation

    def parameters(self, class_ids):
        """The parameters as `causal_layers` takes them. With classes, int32 (B,), the gates have
        biases for each recording."""
        W, b = self.gated_conv.W, self.gated_conv.b
        if class_ids is not None:
            b = F.broadcast_to(b, (len(class_ids), len(b))) + self.label(class_ids)
        if self.form == 'author':
            links = self.res_conv, self.skip_conv
            W_out, b_out = F.concat([link.W for link in links], axis=0), F.concat(
                [link.b for link in links], axis=0)
        else:
            W_out, b_out = self.output_conv.W, self.output_conv.b
        return F.squeeze(W, axis=2), b, F.squeeze(W_out, axis=(2, 3)), b_out


class WaveNet(chainer.Chain):
    """WaveNet of quantized sound.

    Args:
        out_dims: number of levels.
        hidden_dim: feature maps of the layers.
        out_hidden_dim: feature maps between the two output layers.
        stacks_num: number of stacks; in each, the dilations begin with 1 again.
        layers_num: layers of a stack.
        kernel_width: inputs that a dilated convolution sees, 2 in the paper and the author's code.
        num_classes: 0 for an unconditional model.
        form: 'paper' or 'author', see the top of this file.

    Raises: ValueError for sizes that make no sense, and for classes in the author's form.

    Attributes: those of every model, see `wavenet.families.family.Family.build`.
    """

    family = 'wavenet'
    in_channels = 1

    @float32_parameters
    def __init__(self, out_dims, hidden_dim, out_hidden_dim, stacks_num, layers_num, kernel_width=2,
                 num_classes=0, form='paper'):
        super().__init__()
        self.config = config = WaveNetConfig(out_dims, hidden_dim, out_hidden_dim, stacks_num,
                                             layers_num, kernel_width, num_classes, form)
        self.distribution = distributions.Categorical(out_dims)
        self.num_classes = num_classes
        he = chainer.initializers.HeUniform
        # One input channel of all levels is 1: as large as with one channel for a sample
        first = he() if form == 'author' else he(scale=math.sqrt(out_dims))
        with self.init_scope():
            self.conv1 = FirstConvolution(out_dims, hidden_dim, first)
            self.stacks = chainer.ChainList(*(
                chainer.ChainList(*(CausalLayer(config, 2 ** layer) for layer in range(layers_num)))
                for _ in range(stacks_num)))
            self.conv2 = L.Convolution2D(hidden_dim, out_hidden_dim, 1, initialW=he())
            self.conv3 = L.Convolution2D(out_hidden_dim, out_dims, 1, initialW=he())

    @property
    def layers(self):
        """The `CausalLayer`s of all stacks, in their order."""
        return [layer for stack in self.stacks for layer in stack]

    def forward(self, targets, class_ids=None, length=None):
        """
        Args:
            targets: levels of the samples, int32 (B, T), in {0, …, out_dims - 1}; -1 where a
                recording has not begun.
            class_ids: classes, int32 (B,), for a conditional model; others ignore it.
            length: compute the outputs of the last samples only, so many; by default all.

        Returns: Variable, logits (B, out_dims, length); those of sample t depend on samples
            before t.
        """
        if not self.num_classes:
            class_ids = None
        size = targets.shape[1]
        length = size if length is None else length
        first, *lengths = [min(size, one) for one in self.config.lengths(length)]
        begun = targets >= 0                                 # (B, T)
        x = zero_before(self.conv1(targets, first), begun)   # (B, hidden_dim, first)
        layers = [(*layer.parameters(class_ids), layer.dilation, of_layer)
                  for layer, of_layer in zip(self.layers, lengths)]
        x, skips = causal_layers(x, layers, begun, length)   # (B, hidden_dim, length), both
        if self.config.form == 'author':
            skips += x
        skips = F.expand_dims(skips, axis=2)                 # (B, hidden_dim, 1, length)
        h = self.conv3(F.relu(self.conv2(F.relu(skips))))    # (B, out_dims, 1, T)
        return F.squeeze(h, axis=2)


def zero_before(x, begun):
    """Feature maps (B, maps, length), but 0 where a recording has not begun: where the last
    `length` of `begun`, bool (B, T), are False."""
    begun = begun[:, None, begun.shape[1] - x.shape[2]:]
    if x.xp is np and begun.all():      # a GPU would have to be waited for
        return x
    return x * begun.astype(x.dtype)


def shapes(config):
    """The parameters of a `WaveNet`: names → shapes."""
    maps, gates = config.hidden_dim, 2 * config.hidden_dim
    outputs = ('res_conv', 'skip_conv') if config.form == 'author' else ('output_conv',)
    weights = {'conv1': (maps, config.out_dims, 1, FIRST_WIDTH),
               'conv2': (config.out_hidden_dim, maps, 1, 1),
               'conv3': (config.out_dims, config.out_hidden_dim, 1, 1)}
    embeddings = {}
    for stack in range(config.stacks_num):
        for layer in range(config.layers_num):
            name = f'stacks/{stack}/{layer}'
            weights[f'{name}/gated_conv'] = (gates, maps, 1, config.kernel_width)
            weights.update({f'{name}/{conv}': (maps, maps, 1, 1) for conv in outputs})
            if config.num_classes:
                embeddings[f'{name}/label/W'] = (config.num_classes, gates)
    return dict({f'{name}/W': shape for name, shape in weights.items()},
                **{f'{name}/b': shape[:1] for name, shape in weights.items()}, **embeddings)


def recognize(shapes):
    """The config of the author's files, from the names and shapes of their parameters, or None."""
    try:
        maps, levels, _, _ = shapes['conv1/W']
        out_maps = shapes['conv2/W'][0]
        kernel_width = shapes['stacks/0/0/gated_conv/W'][3]
    except (KeyError, ValueError, IndexError):
        return None
    places = [name.split('/')[1:3] for name in shapes if name.startswith('stacks/')]
    try:
        stacks, layers = np.array(places, int).max(axis=0) + 1
        return WaveNetConfig(levels, maps, out_maps, stacks, layers, kernel_width, 0, 'author')
    except ValueError:
        return None
