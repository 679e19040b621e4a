"""What the outputs of a network mean: the distribution of the next value.

A network has some outputs for each value of an image. A distribution turns them into probabilities
of the levels {0, …, levels - 1}, and so into a loss (`nll`) and into samples (`draw`).
"""
import chainer.functions as F
from chainer import backend


class Categorical:
    """A softmax over the levels: one output for each level (the post, from its second stage on).

    Attributes:
        levels: values that can occur.
        outputs: outputs of the network for each value.
        uniforms_per_step: random numbers that `draw` takes for each value.
    """

    uniforms_per_step = 1

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
