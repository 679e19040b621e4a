"""PixelCNN++ (Salimans et al., 2017, arXiv 1701.05517), as in github.com/openai/pixel-cnn.

Two streams of feature maps go through three resolutions and back: u sees the rows above a pixel, ul
also sees u and what is to the left in its row. Blocks on the way back have short-cuts from those on
the way there. The outputs are the parameters of a mixture of discretized logistics for all colours
of a pixel, so they depend on earlier pixels only.

The names and shapes of the parameters are those of openai's code (pixel_cnn_pp/nn.py and model.py,
commit bbc1568), so its variables load here, and ours load there. It differs in three places:

- Images are in [0, 1], like those of all models here; the network makes them [-1, 1].
- Height and width can be any numbers. Where they are no multiples of 4, zeros are appended below
  and to the right, the channel of ones included, as at all borders of an image.
- The data-dependent initialization is without dropout.
"""
import chainer
import chainer.functions as F

from wavenet.families.pixelcnn_pp.config import (
    LEAST_SIZE,
    PixelCNNPPConfig,
    class_weights,
    layers,
    plan,
)
from wavenet.families.pixelcnn_pp.layer import ClassWeights, NormalizedConvolution
from wavenet.functions import distributions
from wavenet.functions.gated_residual import concat_elu, gated_residual
from wavenet.functions.precision import float32_parameters

NONLINEARITIES = {'concat_elu': concat_elu, 'elu': F.elu, 'relu': F.relu}


class PixelCNNPP(chainer.Chain):
    """The whole model.

    Args:
        in_channels: colours of an image, 3 or 1.
        nr_resnet: blocks of a resolution, in each direction and stream.
        nr_filters: feature maps of a stream.
        nr_logistic_mix: components of the mixture.
        levels: values that a colour can take.
        num_classes: 0 for an unconditional model.
        resnet_nonlinearity: 'concat_elu', 'elu' or 'relu'.

    Attributes: those of every model, see `wavenet.families.family.Family.build`, and
        dropout: in training, the part of the maps before a block's second convolution that is set
            to 0 at random; 0 at first.

    Raises: ValueError for sizes that make no sense.
    """

    family = 'pixelcnn++'
    dropout = 0.0

    @float32_parameters
    def __init__(self, in_channels, nr_resnet, nr_filters, nr_logistic_mix, levels=256,
                 num_classes=0, resnet_nonlinearity='concat_elu'):
        super().__init__()
        self.config = config = PixelCNNPPConfig(
            in_channels, nr_resnet, nr_filters, nr_logistic_mix, levels, num_classes,
            resnet_nonlinearity)
        self.in_channels, self.num_classes = in_channels, num_classes
        self.distribution = distributions.LogisticMixture(levels, in_channels, nr_logistic_mix)
        self.nonlinearity = NONLINEARITIES[resnet_nonlinearity]
        for layer in layers(config):
            self.add_link(layer.name, NormalizedConvolution(layer))
        for name in class_weights(config):
            self.add_link(name, ClassWeights(num_classes, nr_filters))

    def forward(self, x, class_ids=None):
        """Images in [0, 1], floating (B, C, H, W), and their classes, int32 (B,), of a conditional
        model → the mixtures' parameters (B, outputs, H, W), see `LogisticMixture`.

        Raises: ValueError for a conditional model without classes.
        """
        return self._run(x, class_ids, lambda layer, *x: self[layer.name](*x))

    def initialize(self, x, class_ids=None):
        """Sets g and b of every layer by its outputs for a batch, so that they have mean 0 and a
        given standard deviation (Salimans and Kingma, 2016). Arguments and result: as `forward`.
        """
        with chainer.no_backprop_mode(), chainer.using_config('train', False):
            return self._run(x, class_ids, lambda layer, *x: self[layer.name].initialize(*x))

    def _run(self, x, class_ids, apply):
        """The network; apply(layer, x) is the output of a `Layer`.

        The nonlinearity of each map is computed once: blocks take and give pairs (x, f(x)).
        """
        if self.num_classes and class_ids is None:
            raise ValueError('this model is conditioned on the class: give class_ids')
        of_model = plan(self.config)
        _, _, height, width = x.shape
        x = self._padded(x)                                  # (B, C + 1, H', W')

        def with_f(x):
            return x, self.nonlinearity(x)

        def block(of, x, *shortcuts):
            """The block of a pair; the short-cuts are pairs, too."""
            return with_f(self._block(of, *x, [f for _, f in shortcuts], class_ids, apply))

        from_above, from_left = [apply(layer, x) for layer in of_model.first[1:]]
        u, ul = with_f(apply(of_model.first[0], x)), with_f(from_above + from_left)
        seen = [(u, ul)]
        for level in of_model.up:
            for of_u, of_ul in level.blocks:
                u = block(of_u, u)
                ul = block(of_ul, ul, u)
                seen.append((u, ul))
            if level.resize:
                u, ul = [with_f(apply(layer, x)) for layer, (x, _) in zip(level.resize, (u, ul))]
                seen.append((u, ul))
        u, ul = seen.pop()
        for level in of_model.down:
            for of_u, of_ul in level.blocks:
                u_before, ul_before = seen.pop()
                u = block(of_u, u, u_before)
                ul = block(of_ul, ul, u, ul_before)
            if level.resize:
                u, ul = [with_f(apply(layer, x)) for layer, (x, _) in zip(level.resize, (u, ul))]
        return apply(of_model.output, F.elu(ul[0][:, :, :height, :width]))

    def _padded(self, x):
        """The input of the first layer: images in [-1, 1] and a channel of ones, of a height and
        width that can be halved twice."""
        batch, _, height, width = x.shape
        below, right = -height % LEAST_SIZE, -width % LEAST_SIZE
        ones = self.xp.ones((batch, 1, height, width), x.dtype)
        x = F.concat([2 * chainer.as_variable(x) - 1, ones])
        return F.pad(x, ((0, 0), (0, 0), (0, below), (0, right)), 'constant') \
            if below or right else x

    def _block(self, block, x, f_of_x, shortcuts, class_ids, apply):
        """A gated residual block (nn.gated_resnet): (B, maps, H, W) → the same shape."""
        h = apply(block.conv_in, f_of_x)
        if shortcuts:
            h += apply(block.shortcut, *shortcuts)
        h = self.nonlinearity(h)
        if self.dropout and chainer.config.train:
            h = F.dropout(h, self.dropout)
        h = apply(block.conv_out, h)                         # (B, 2 maps, H, W)
        if class_ids is not None and block.class_weights:
            h += F.broadcast_to(self[block.class_weights](class_ids), h.shape)
        return gated_residual(x, h)
