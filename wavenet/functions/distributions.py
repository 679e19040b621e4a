"""What the outputs of a network mean: the distribution of the next value.

A network has some outputs for each value of an image, or for each pixel. A distribution turns them
into probabilities of the levels {0, …, levels - 1}, and so into a loss (`nll`) and into samples
(`draw`).
"""
import math

import chainer.functions as F
from chainer import backend

from wavenet.functions import logistic_mixture


class Categorical:
    """A softmax over the levels: one output for each level (the post, from its second stage on).

    Attributes:
        levels: values that can occur.
        outputs: outputs of the network for each value.
        uniforms_per_step: random numbers that `draw` takes for each value.
        of_pixels: whether outputs, and what `draw` samples at once, are of all colours of a pixel:
            outputs are (B, outputs, H, W) then, and not (B, outputs, C, H, W).
        has_raw_draws: whether the levels are bins of a continuous distribution, so that `draw` has
            a form 'openai' that does not round.
    """

    uniforms_per_step = 1
    of_pixels = False
    has_raw_draws = False

    def __init__(self, levels):
        self.levels = self.outputs = levels

    def nll(self, outputs, targets):
        """The negative log-likelihood of each image.

        Args:
            outputs: floating (B, levels, C, H, W), or (B, levels, …) in general; the logits.
            targets: int32 (B, C, H, W), the levels that occur. A target of -1 does not count.

        Returns: Variable (B,), in nats.
        """
        return _sum_per_image(F.softmax_cross_entropy(outputs, targets, reduce='no'))

    def probabilities(self, outputs):
        """Logits (B, levels) → probabilities (B, levels), of the same dtype."""
        xp = backend.get_array_module(outputs)
        p = xp.exp(outputs - outputs.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p

    def at_temperature(self, outputs, temperature):
        """The outputs (B, outputs) of the distribution at a temperature: its logits divided by it.
        """
        return outputs / temperature

    def draw(self, outputs, uniforms):
        """Samples one value for each row of logits.

        Args:
            outputs: floating (B, outputs).
            uniforms: float64 (1, B) in [0, 1), see `draw`.

        Returns: integer (B,), the levels; where a logit is NaN, the number `levels`, out of range.
        """
        return draw(self.probabilities(outputs), uniforms[0])


class Bernoulli(Categorical):
    """A sigmoid: one output, the logit that the value is 1 (the post's first stage). Two levels."""

    def __init__(self):
        self.levels, self.outputs = 2, 1

    def nll(self, outputs, targets):
        """As `Categorical.nll`, with outputs (B, 1, C, H, W)."""
        logits = F.squeeze(outputs, axis=1)
        return _sum_per_image(F.sigmoid_cross_entropy(logits, targets, reduce='no'))

    def probabilities(self, outputs):
        """Logits (B, 1) → probabilities (B, 2) of 0 and 1, of the same dtype."""
        xp = backend.get_array_module(outputs)
        p = xp.empty((len(outputs), 2), outputs.dtype)
        p[:, 1:] = xp.tanh(outputs * 0.5) * 0.5 + 0.5      # the sigmoid, without overflow
        p[:, :1] = 1 - p[:, 1:]
        return p


class LogisticMixture:
    """A mixture of discretized logistics for all colours of a pixel (PixelCNN++, arXiv 1701.05517).

    See `wavenet.functions.logistic_mixture` for the order of the outputs. In both methods, the form
    'openai' is that of github.com/openai/pixel-cnn, to compare with its numbers.

    Args:
        levels: values that can occur, at least 2.
        channels: colours of a pixel, 1 or 3.
        components: logistics of the mixture.

    Attributes: as of `Categorical`, and the arguments.
    """

    of_pixels = has_raw_draws = True

    def __init__(self, levels, channels, components):
        self.levels, self.channels, self.components = levels, channels, components
        self.outputs = logistic_mixture.count_outputs(channels, components)
        self.uniforms_per_step = components + channels

    def nll(self, outputs, targets, form='exact'):
        """As `Categorical.nll`, with outputs (B, outputs, H, W).

        A pixel with a target of -1 does not count. The form 'openai' is an approximation: the
        probabilities of its levels do not quite sum to 1.
        """
        forms = {'exact': logistic_mixture.logistic_mixture_nll,
                 'openai': logistic_mixture.approximate_nll}
        return _sum_per_image(forms[form](outputs, targets, self.levels))

    def at_temperature(self, outputs, temperature):
        """As of `Categorical`; the scales of the components are multiplied by it, too."""
        outputs = outputs.copy()
        logits, _, log_scales, _ = logistic_mixture.split(outputs, self.channels)   # views
        logits /= temperature
        log_scales += math.log(temperature)
        return outputs

    def draw(self, outputs, uniforms, form='exact'):
        """Samples one pixel for each row of outputs.

        Args:
            outputs: floating (B, outputs).
            uniforms: float64 (uniforms_per_step, B) in [0, 1): one for each component, then one for
                each colour.
            form: 'exact', or 'openai' for values that are not rounded to levels. A colour depends
                on the colours before it as they are returned.

        Returns: integer (B, C), the levels; where an output is not finite, the number `levels`, out
            of range. In the form 'openai', float64 (B, C) in [-1, 1].
        """
        return logistic_mixture.draw(outputs, uniforms, self.levels, self.channels,
                                     rounded=form == 'exact')


def of_outputs(outputs):
    """The distribution that a network with so many outputs for each value has."""
    return Bernoulli() if outputs == 1 else Categorical(outputs)


def _sum_per_image(nats):
    """(B, …) → (B,)"""
    return F.sum(nats, axis=tuple(range(1, nats.ndim)))


def draw(p, uniform):
    """Samples one category for each row of probabilities: inverts the row's cumulative sum, in
    float64, as `numpy.random.choice(p=…)` does.

    Args:
        p: probabilities, array (B, bins).
        uniform: numbers in [0, 1), array (B,).

    Returns: integer array (B,), values in {0, …, bins - 1}; for a row that contains NaN, `bins`.
    """
    cumulative = p.astype('d').cumsum(axis=1)             # (B, bins)
    cumulative /= cumulative[:, -1:]
    # The first bin whose cumulative probability exceeds the uniform number
    return p.shape[1] - (cumulative > uniform[:, None]).sum(axis=1)
