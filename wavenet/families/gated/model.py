"""Gated PixelCNN, conditioned on the class, in two forms.

The paper: van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016,
arXiv 1606.05328. The model has two stacks of convolutions. The vertical stack sees all rows above,
which the post's masked 3×3 kernels do not (the blind spot). The horizontal stack sees the pixels to
the left and reads the vertical stack. Both are gated, tanh(…) · sigmoid(…), and both gates get an
embedding of the class.

The form `author` is the model of github.com/rampage644/wavenet at commit 917345c
(wavenet/models.py), with the same parameter names. It differs from the paper in three ways, which
show when the inputs of his code are changed:

- The 1×1 output convolution of the first block has mask A. So R does not see the left pixel's G and
  B, nor does G see its own pixel's R, nor B its G. In grayscale nothing passes this convolution.
  The form `paper` has mask B there: mask A of the convolution before it already hides the value
  itself.
- Every vertical layer leaves out its own row. So after the first block the vertical stack ends at
  row i - 2. Row i - 1 is seen only by the first block, up to column j + 3 (R sees it only through
  the left pixel, up to column j + 2): a blind spot again. In grayscale, where the first block
  passes on only its vertical stack, row i - 1 is not seen at all. In the form `paper` only the
  first vertical layer leaves out its own row, and the horizontal stack reads the row above in every
  block.
- One embedding of the class serves both gates of both stacks. The paper has one for each (section
  2.3); the form `paper` calls them `label_vertical_t`, `label_vertical_s`, `label_horizontal_t` and
  `label_horizontal_s` instead of `label`. Nothing reads the last block's vertical gate, so it is
  not computed and has no embeddings.

The paper does not say how training starts. In the form `paper` the weights before the gates start
twice as large as in the author's code, which has Chainer's defaults, and the embeddings start at 0.
After 200 steps on binarized MNIST (grayscale, 24 feature maps, 4 blocks) this gives 96.8 nats per
image instead of 104.7.

In both forms one 1×1 convolution takes the vertical stack's feature maps for the tanh to those of
the horizontal stack, and another one does the same for the sigmoid. In the paper's figure 2 a
single convolution takes all to all.

Neither form computes what the author's code computes and crops, the two convolutions of a gate are
computed as one, grayscale images have masks without colour groups, and the number of classes is
free.
"""
from dataclasses import dataclass

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from wavenet.config import Config, flag, size
from wavenet.families.gated.gates import gates
from wavenet.functions import distributions
from wavenet.functions.label_convolution import to_labels
from wavenet.functions.masked_convolution import masked_convolution_2d
from wavenet.functions.precision import float32_parameters
from wavenet.models import MaskedConvolution2D, first_weights, output_stack

FORMS = ('author', 'paper')
NUM_CLASSES = 10


class GatedBlock(chainer.Chain):
    """One layer of both stacks (the paper, figure 2).

    Args:
        in_channels, out_channels: feature maps of the input and of the output.
        ksize: width of the kernels, odd: n for the paper's n×n.
        mask: 'A' for the first block, whose horizontal stack must not see the value itself and
            whose vertical stack must not see its own row; 'B' for the others.
        form: 'paper' or 'author', see the module.
        last: whether this is the last block, whose vertical stack nothing reads.
        colors: number of colour groups.
        num_classes: number of classes.
        kinds: input channels of each colour, only one of which is not 0; 1 for intensities.
    """

    def __init__(self, in_channels, out_channels, ksize, mask='B', form='paper', last=False,
                 colors=3, num_classes=NUM_CLASSES, kinds=1):
        super().__init__()
        half = ksize // 2
        self.form = form
        self.last = last
        # A sigmoid halves what passes a gate, and embeddings of variance 1 outweigh the
        # convolutions: from the author's start the loss falls more slowly.
        start = first_weights(kinds, scale=1 if form == 'author' else 2)
        vertical = dict(in_channels=in_channels, out_channels=out_channels, ksize=(half + 1, ksize),
                        initialW=start)
        horizontal = dict(in_channels=in_channels, out_channels=out_channels, ksize=(1, ksize),
                          pad=(0, half), mask=mask, colors=colors, initialW=start)
        with self.init_scope():   # _t feeds the tanh of a gate, _s its sigmoid
            self.vertical_conv_t = L.Convolution2D(**vertical)
            self.vertical_conv_s = L.Convolution2D(**vertical)
            self.v_to_h_conv_t = L.Convolution2D(out_channels, out_channels, 1)
            self.v_to_h_conv_s = L.Convolution2D(out_channels, out_channels, 1)
            self.horizontal_conv_t = MaskedConvolution2D(**horizontal)
            self.horizontal_conv_s = MaskedConvolution2D(**horizontal)
            self.horizontal_output = MaskedConvolution2D(
                out_channels, out_channels, 1, mask=mask if form == 'author' else 'B',
                colors=colors)
            if form == 'author':
                self.label = L.EmbedID(num_classes, out_channels)
            else:
                self.label_horizontal_t = L.EmbedID(num_classes, out_channels, initialW=0)
                self.label_horizontal_s = L.EmbedID(num_classes, out_channels, initialW=0)
            if form == 'paper' and not last:
                self.label_vertical_t = L.EmbedID(num_classes, out_channels, initialW=0)
                self.label_vertical_s = L.EmbedID(num_classes, out_channels, initialW=0)

        # A vertical kernel is the upper part of a higher kernel whose centre is the pixel. The
        # pixel's row is the last row of that part, or the row below it.
        above = half + (mask == 'A' or form == 'author')
        self.vertical_pad = above, half
        self.vertical_mask = np.zeros((2 * out_channels, in_channels, 2 * above + 1, ksize), 'f')
        self.vertical_mask[:, :, :half + 1] = 1
        self.horizontal_mask = np.concatenate([self.horizontal_conv_t.mask] * 2)

    def forward(self, v, h, convs, class_v, class_h):
        """
        Args:
            v, h: the vertical and the horizontal stack, (B, in_channels, H, W) each; labels in the
                first block are int32 (B, C, H, W), see `masked_convolution_2d`.
            convs: the convolutions before the gates, see `convolutions`.
            class_v, class_h: what the class adds to the gates, see `embeddings`.

        Returns: both, (B, out_channels, H, W) each; the vertical one is None in the last block.
        """
        W_v, b_v, W_h, b_h = convs
        v = masked_convolution_2d(v, W_v, b_v, self.vertical_mask, self.vertical_pad)
        h = masked_convolution_2d(h, W_h, b_h, self.horizontal_mask, self.horizontal_conv_t.pad)
        v, h = gates(v, h, self.v_to_h_conv_t.W, self.v_to_h_conv_s.W,
                     self.v_to_h_conv_t.b, self.v_to_h_conv_s.b, class_h, class_v)
        return v, self.horizontal_output(h)

    def label_links(self):
        """The embeddings of the block: one, or two for each of its gates, the vertical one first"""
        if self.form == 'author':
            return [self.label]
        vertical = [] if self.last else [self.label_vertical_t, self.label_vertical_s]
        return vertical + [self.label_horizontal_t, self.label_horizontal_s]

    def device_resident_accept(self, visitor):
        super().device_resident_accept(visitor)
        self.vertical_mask = visitor.visit_array(self.vertical_mask)
        self.horizontal_mask = visitor.visit_array(self.horizontal_mask)


def embeddings(blocks, class_ids):
    """What classes (B,) add to the gates of each block. B may be 0.

    All embeddings are looked up at once: on a GPU the number of launches decides the time.

    Returns: for each block a pair of Variables (B, 2 out_channels), for the vertical and for the
    horizontal stack; None for the vertical one of the last block.
    """
    tables = F.stack([link.W for block in blocks for link in block.label_links()])
    rows = F.transpose(tables[:, class_ids], (1, 0, 2))      # (B, tables, out_channels)
    if blocks[0].form == 'author':                           # one for the tanh and the sigmoid
        rows = F.concat([rows, rows], axis=2)
    maps = 2 * tables.shape[2]
    count = rows.shape[1] * rows.shape[2] // maps
    rows = F.reshape(rows, (len(class_ids), count * maps))
    of_gates = iter(F.split_axis(rows, count, axis=1, force_tuple=True))
    pairs = []
    for block in blocks:
        v = None if block.last else next(of_gates)
        h = v if block.form == 'author' and not block.last else next(of_gates)
        pairs.append((v, h))
    return pairs


def convolutions(blocks):
    """The two convolutions of each gate as one, for blocks whose convolutions have the same shapes.

    The weights of all blocks are copied at once: on a GPU the number of launches decides the time.

    Returns: for each block Variables W and b of the vertical stack, and W and b of the horizontal
    one. The vertical kernel has rows of zeros below it, as `vertical_mask` has.
    """
    if not blocks:
        return []

    def joined(params, pad=None):
        both = F.stack([param for pair in params for param in pair])
        if pad:
            both = F.pad(both, ((0, 0),) * 3 + ((0, pad), (0, 0)), 'constant')
        both = F.reshape(both, (len(blocks), -1) + both.shape[2:])
        return F.separate(both)

    vertical = [(block.vertical_conv_t, block.vertical_conv_s) for block in blocks]
    horizontal = [(block.horizontal_conv_t, block.horizontal_conv_s) for block in blocks]
    below = blocks[0].vertical_mask.shape[2] - vertical[0][0].W.shape[2]
    return list(zip(joined([(t.W, s.W) for t, s in vertical], below),
                    joined([(t.b, s.b) for t, s in vertical]),
                    joined([(t.W, s.W) for t, s in horizontal]),
                    joined([(t.b, s.b) for t, s in horizontal])))


class GatedBlockList(chainer.ChainList):
    """`block_num` blocks, a shortcut around the horizontal stack of each (the paper, figure 2)."""

    def __init__(self, block_num, hidden_dims, form, colors, num_classes):
        super().__init__(*[
            GatedBlock(hidden_dims, hidden_dims, 3, form=form, last=n == block_num - 1,
                       colors=colors, num_classes=num_classes) for n in range(block_num)])

    def forward(self, v, h, classes, dropout=0.0):
        for block, convs, of_class in zip(self, convolutions(list(self)), classes):
            v, more = block(v, h, convs, *of_class)
            h = h + (F.dropout(more, dropout) if dropout else more)
        return h


@dataclass(frozen=True)
class GatedConfig(Config):
    """The arguments of `GatedPixelCNN`."""
    in_channels: int = size()
    hidden_dims: int = size()
    block_num: int = size(least=0)
    out_hidden_dims: int = size()
    out_dims: int = size()
    num_classes: int = size()
    form: str = 'paper'
    one_hot: bool = flag()

    def __post_init__(self):
        super().__post_init__()
        if self.form not in FORMS:
            raise ValueError(f'form must be one of {", ".join(FORMS)}, got {self.form!r}')


class GatedPixelCNN(chainer.Chain):
    """The whole model.

    Args:
        in_channels: channels of an image, 3 or 1; the masks have as many colour groups.
        hidden_dims: feature maps of each stack, `--hidden_dim` of train.py.
        block_num: blocks after the first one.
        out_hidden_dims: feature maps before the last layer.
        out_dims: levels of a value; 1 for one logit that a value is 1.
        num_classes: number of classes; 1 for an unconditional model.
        form: 'paper' or 'author', see the module.
        one_hot: whether levels are labels, as in `wavenet.models.PixelCNN`.

    Attributes:
        config: the arguments.
        distribution: what the outputs mean, see `wavenet.distributions`.
        dropout: in training, the part of the horizontal outputs of each block that is set to 0 at
            random; 0 at first.

    Raises: ValueError for a size below 1, `block_num` below 0, another form.
    """

    family = 'gated'
    dropout = 0.0

    @float32_parameters
    def __init__(self, in_channels, hidden_dims, block_num, out_hidden_dims, out_dims,
                 num_classes=NUM_CLASSES, form='paper', one_hot=False):
        super().__init__()
        self.config = GatedConfig(in_channels, hidden_dims, block_num, out_hidden_dims, out_dims,
                                  num_classes, form, one_hot)
        self.in_channels, self.out_dims, self.num_classes = in_channels, out_dims, num_classes
        self.distribution = distributions.of_outputs(out_dims)

        colors = in_channels
        kinds = self.distribution.levels if one_hot else 1
        with self.init_scope():
            self.conv1 = GatedBlock(
                kinds * in_channels, hidden_dims, 7, 'A', form, last=block_num == 0, colors=colors,
                num_classes=num_classes, kinds=kinds)
            self.blocks = GatedBlockList(block_num, hidden_dims, form, colors, num_classes)
            self.conv2 = MaskedConvolution2D(hidden_dims, out_hidden_dims, 1, colors=colors)
            self.conv4 = MaskedConvolution2D(
                out_hidden_dims, out_dims * in_channels, 1, colors=colors)

    def forward(self, x, class_ids=None):
        """Images in [0, 1], float32 (B, C, H, W), and their classes, int32 (B,) → logits
        (B, out_dims, C, H, W).

        With one class, which stands for an unconditional model, class_ids may be None.

        Raises: ValueError without classes otherwise.
        """
        if class_ids is None and self.num_classes == 1:
            class_ids = self.xp.zeros(len(x), 'i')
        if class_ids is None:
            raise ValueError('this model is conditioned on the class: give class_ids')
        if self.config.one_hot:
            x = to_labels(x, self.distribution.levels)   # int32, in place of (B, levels · C, H, W)
        first, *others = embeddings([self.conv1, *self.blocks], class_ids)
        convs, = convolutions([self.conv1])
        v, h = self.conv1(x, x, convs, *first)   # (B, hidden_dims, H, W) each
        h = self.blocks(v, h, others, self.dropout)
        return output_stack(h, self.conv2, self.conv4, self.in_channels)
