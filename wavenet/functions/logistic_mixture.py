"""The likelihood of a mixture of discretized logistics (Salimans et al., 2017, arXiv 1701.05517).

The levels 0, …, levels - 1 lie in [-1, 1], at equal distances, in the middle of their bins. The
first and the last bin reach to infinity. A component gives a level the probability that a logistic
distribution gives its bin, s(a) - s(b): s is the sigmoid, and a and b are the bin's upper and lower
edge, standardized. The colours of a pixel are independent within a component, apart from the means:
that of G is shifted by a multiple of R, that of B by multiples of R and G.

Outputs of a network are (B, channels, …), in the order of openai/pixel-cnn: M mixture logits, then
for each colour M means, M log-scales and, for three colours, M coefficients (G from R, B from R,
B from G), whose tanh counts.

In shapes, B is the number of images, C of colours, M of components; … are the places, usually H, W.
"""
import math
from typing import Any, NamedTuple

import chainer
import chainer.functions as F
import numpy as np
from chainer import backend, function_node
from chainer.utils import type_check

from wavenet.functions import threads

LEAST_LOG_SCALE = -7.0


def count_outputs(channels, components):
    """The outputs of a network for each pixel."""
    return components * (1 + channels * (3 if channels == 3 else 2))


def split(outputs, channels):
    """Divides outputs (B, outputs, …), an array or a Variable, into logits (B, M, …), means,
    log-scales and coefficients, (B, C, M, …) each; the coefficients of one colour are None."""
    kinds = 3 if channels == 3 else 2
    batch, count, *places = outputs.shape
    components = count // (1 + channels * kinds)
    of_colours = outputs[:, components:].reshape(batch, channels, kinds, components, *places)
    coefficients = of_colours[:, :, 2] if kinds == 3 else None
    return outputs[:, :components], of_colours[:, :, 0], of_colours[:, :, 1], coefficients


def to_interval(targets, levels, dtype):
    """Levels, integers → values in [-1, 1], of a floating dtype."""
    return targets.astype(dtype) * dtype.type(2 / (levels - 1)) - dtype.type(1)


def logistic_mixture_nll(outputs, targets, levels):
    """The negative log-likelihood of each pixel: exact, so that the probabilities of all values
    sum to 1, and stable for any means and scales.

        log(s(a) - s(b)) = log s(a) + log s(-b) + log(1 - exp(b - a))

    Args:
        outputs: floating (B, outputs, …), see this file.
        targets: int32 (B, C, …), of 1 or 3 colours, in {0, …, levels - 1}. A pixel with a target of
            -1 does not count.
        levels: number of levels, at least 2.

    Returns: Variable (B, …), in nats. It cannot be differentiated twice.

    Raises: `chainer.utils.type_check.InvalidType` for shapes or dtypes that do not fit.
    """
    return LogisticMixtureNll(levels).apply((outputs, targets))[0]


class LogisticMixtureNll(function_node.FunctionNode):
    """See `logistic_mixture_nll`. The gradient is computed together with the value."""

    def __init__(self, levels):
        self.levels = levels

    def check_type_forward(self, in_types):
        outputs, targets = in_types
        channels = type_check.eval(targets.shape[1])
        type_check.expect(
            outputs.dtype.kind == 'f', targets.dtype.kind == 'i', outputs.ndim == targets.ndim,
            outputs.shape[0] == targets.shape[0], outputs.shape[2:] == targets.shape[2:],
            outputs.shape[1] % count_outputs(channels, 1) == 0)

    def forward(self, inputs):
        outputs, targets = inputs
        xp = backend.get_array_module(outputs)
        nats = xp.empty((len(outputs), *outputs.shape[2:]), outputs.dtype)
        gradient = xp.empty_like(outputs) if chainer.config.enable_backprop else None

        def work(parts):
            for part in parts:
                terms = Terms.of(outputs[part], targets[part], self.levels)
                nats[part] = terms.nats()
                if gradient is not None:
                    terms.write_gradient(gradient[part])

        step = threads.images_at_a_time(xp, len(outputs), max(1, outputs[:1].size))
        threads.share(work, threads.parts_of(len(outputs), step))
        self.gradient = gradient
        return nats,

    def backward(self, indexes, grad_outputs):
        if chainer.config.enable_backprop:
            raise RuntimeError('the likelihood of a logistic mixture cannot be differentiated '
                               'twice')
        gy, = grad_outputs
        return chainer.as_variable(self.gradient * gy.array[:, None]), None


class Terms(NamedTuple):
    """What the likelihood of some images and its gradient are made of, (B, C, M, …) each.

    `a` and `b` are the standardized edges of a bin, `width` is a - b without cancellation.
    `upper` and `lower` are s(-a) and s(b), the parts of the distribution above and below the bin;
    the last bin has none above it, the first one none below it.
    """
    x: Any                # the true values in [-1, 1], (B, C, 1, …)
    counts: Any           # whether a pixel counts, (B, …), or None: all do
    inner: Any            # whether a bin is neither the first nor the last, (B, C, 1, …)
    a: Any
    b: Any
    width: Any
    upper: Any
    lower: Any
    inverse_scale: Any
    is_clamped: Any       # whether the log-scale is at its least value
    coefficients: Any     # after the tanh, or None
    log_mixture: Any      # log-probabilities of the components, (B, M, …)
    log_joint: Any        # of a component and the true values, (B, M, …)

    @classmethod
    def of(cls, outputs, targets, levels):
        xp = backend.get_array_module(outputs)
        logits, means, log_scales, coefficients = split(outputs, targets.shape[1])
        x = to_interval(targets, levels, outputs.dtype)[:, :, None]
        if coefficients is not None:
            coefficients = xp.tanh(coefficients)
            means = means.copy()
            means[:, 1] += coefficients[:, 0] * x[:, 0]
            means[:, 2] += coefficients[:, 1] * x[:, 0]
            means[:, 2] += coefficients[:, 2] * x[:, 1]
        is_clamped = log_scales < LEAST_LOG_SCALE
        log_scales = xp.maximum(log_scales, outputs.dtype.type(LEAST_LOG_SCALE))
        inverse_scale = xp.exp(-log_scales)
        # Above 0, so that quotients by it make sense even where it is too small for its dtype
        width = xp.maximum(inverse_scale * outputs.dtype.type(2 / (levels - 1)),
                           xp.finfo(outputs.dtype).tiny)
        middle = (x - means) * inverse_scale
        a, b = middle + 0.5 * width, middle - 0.5 * width

        is_first, is_last = targets[:, :, None] == 0, targets[:, :, None] == levels - 1
        log_p, upper = _log_sigmoid(xp, a)
        _set_zero(xp, is_last, log_p, upper)
        log_below, lower = _log_sigmoid(xp, -b)
        _set_zero(xp, is_first, log_below, lower)
        log_p += log_below
        # log(1 - exp(-width)); the quotient is 1 where the width is small
        log_inside = xp.log(-xp.expm1(-width) / width)
        log_inside += outputs.dtype.type(math.log(2 / (levels - 1)))
        log_inside -= log_scales
        inner = ~(is_first | is_last)
        log_p += xp.where(inner, log_inside, log_inside.dtype.type(0))

        log_mixture = logits - _log_sum_exp(xp, logits)[:, None]
        log_joint = log_mixture + log_p.sum(axis=1)
        counts = (targets >= 0).all(axis=1)
        counts = None if xp is np and counts.all() else counts
        return cls(x, counts, inner, a, b, width, upper, lower, inverse_scale, is_clamped,
                   coefficients, log_mixture, log_joint)

    def nats(self):
        """(B, …)"""
        nats = -_log_sum_exp(backend.get_array_module(self.x), self.log_joint)
        return nats if self.counts is None else nats * self.counts

    def write_gradient(self, gradient):
        """Writes the gradient of the nats into an array of the outputs' shape."""
        xp = backend.get_array_module(gradient)
        joint = xp.exp(self.log_joint - _log_sum_exp(xp, self.log_joint)[:, None])
        logits, means, log_scales, coefficients = split(gradient, self.x.shape[1])
        logits[...] = xp.exp(self.log_mixture)
        logits -= joint
        joint = joint[:, None]                               # for all colours
        if self.counts is not None:
            joint = joint * self.counts[:, None, None]
            logits *= self.counts[:, None]
        means[...] = self.upper
        means -= self.lower
        means *= self.inverse_scale
        means *= joint
        # width / (exp(width) - 1), which is 1 where the width is small
        e = xp.exp(-self.width)
        log_scales[...] = self.inner * (self.width * e / -xp.expm1(-self.width))
        log_scales += self.a * self.upper
        log_scales -= self.b * self.lower
        log_scales *= joint
        log_scales[self.is_clamped] = 0
        if coefficients is not None:
            for number, (colour, of) in enumerate(((1, 0), (2, 0), (2, 1))):
                coefficients[:, number] = means[:, colour] * self.x[:, of]
            coefficients *= 1 - self.coefficients ** 2


def _log_sigmoid(xp, x):
    """log s(x), and its derivative s(-x)."""
    e = xp.exp(-abs(x))
    log = xp.minimum(x, 0)
    log -= xp.log1p(e)
    slope = xp.where(x >= 0, e, e.dtype.type(1))
    slope /= 1 + e
    return log, slope


def _set_zero(xp, where, *arrays):
    """Sets values of arrays (B, C, M, …) to 0, where `where` (B, C, 1, …) is True."""
    for array in arrays:
        array *= ~where


def _log_sum_exp(xp, x):
    """(B, M, …) → (B, …)"""
    most = x.max(axis=1)
    return most + xp.log(xp.exp(x - most[:, None]).sum(axis=1))


def approximate_nll(outputs, targets, levels):
    """The same as in openai/pixel-cnn (pixel_cnn_pp/nn.py, discretized_mix_logistic_loss).

    Where s(a) - s(b) is at most 1e-5, its logarithm is replaced by that of the density in the
    middle of the bin, times the width of the bin. So the probabilities do not quite sum to 1.

    Args, Returns: as of `logistic_mixture_nll`; of functions of Chainer.
    """
    xp = backend.get_array_module(targets)
    outputs = chainer.as_variable(outputs)
    logits, means, log_scales, coefficients = split(outputs, targets.shape[1])
    x = to_interval(targets, levels, outputs.dtype)[:, :, None]
    if coefficients is not None:
        coefficients = F.tanh(coefficients)
        red, green, blue = (means[:, colour] for colour in range(3))
        means = F.stack([red, green + coefficients[:, 0] * x[:, 0],
                         blue + coefficients[:, 1] * x[:, 0] + coefficients[:, 2] * x[:, 1]],
                        axis=1)
    log_scales = F.maximum(log_scales, xp.full_like(log_scales.array, LEAST_LOG_SCALE))
    inverse_scale = F.exp(-log_scales)
    middle = (x - means) * inverse_scale
    half = inverse_scale / (levels - 1)
    a, b = middle + half, middle - half
    inside = F.sigmoid(a) - F.sigmoid(b)
    density = middle - log_scales - 2 * F.softplus(middle) - math.log((levels - 1) / 2)
    log_p = F.where(inside.array > 1e-5, F.log(F.maximum(inside, xp.full_like(a.array, 1e-12))),
                    density)
    counts = (targets >= 0).all(axis=1)
    targets = xp.broadcast_to(targets[:, :, None], log_p.shape)
    log_p = F.where(targets == 0, -F.softplus(-a),
                    F.where(targets == levels - 1, -F.softplus(b), log_p))
    nats = -F.logsumexp(F.log_softmax(logits) + F.sum(log_p, axis=1), axis=1)
    return nats * counts.astype(nats.dtype)


def draw(outputs, uniforms, levels, channels, rounded=True):
    """Samples one pixel for each row of outputs.

    The component is the one with the largest logit plus Gumbel noise, and a logistic's value is
    mean + scale · (log u - log(1 - u)). R is drawn first, then G with its coefficient of R, then B.

    Args:
        outputs: floating (B, outputs).
        uniforms: floating (M + C, B) in [0, 1): for each component, then for each colour.
        levels, channels: numbers.
        rounded: whether each value is rounded to a level before the next one is drawn, as the
            distribution says; False for the code of openai.

    Returns: the levels, integer (B, C); the number `levels`, which is out of range, for a row that
        is not finite.
        Without `rounded`, values in [-1, 1], float64 (B, C).
    """
    xp = backend.get_array_module(outputs)
    logits, means, log_scales, coefficients = split(outputs.astype('d'), channels)
    uniforms = uniforms.T                                    # (B, M + C)
    components = logits.shape[1]
    with np.errstate(divide='ignore'):                       # of 0: such a component is not chosen
        gumbel = -xp.log(-xp.log(uniforms[:, :components]))
        u = uniforms[:, components:]
        noise = xp.log(u) - xp.log(1 - u)                    # (B, C)
    chosen = (logits + gumbel).argmax(axis=1)
    rows = xp.arange(len(outputs))
    x = xp.empty((len(outputs), channels))
    for colour in range(channels):
        mean = means[rows, colour, chosen]
        scale = xp.exp(xp.maximum(log_scales[rows, colour, chosen], LEAST_LOG_SCALE))
        if colour:
            first = colour - 1                               # of the coefficients of this colour
            k = xp.tanh(coefficients[rows, first:first + colour, chosen])       # (B, colour)
            mean += (k * x[:, :colour]).sum(axis=1)
        x[:, colour] = (mean + scale * noise[:, colour]).clip(-1, 1)
        if rounded:
            x[:, colour] = to_interval(to_level(x[:, colour], levels), levels, x.dtype)
    if not rounded:
        return x
    finite = xp.isfinite(outputs).all(axis=1)[:, None]
    return xp.where(finite, to_level(x, levels), levels).astype('i')


def to_level(x, levels):
    """Values in [-1, 1] → the nearest levels, floating."""
    xp = backend.get_array_module(x)
    return xp.rint((x + 1) * (0.5 * (levels - 1)))
