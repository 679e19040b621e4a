"""Averages of a model's weights, which predict better than the weights of a single step."""
from chainer import training

from wavenet.training.flat import flatten, move_towards


class WeightAverage(training.Extension):
    """Keeps an exponential moving average of all parameters of a model.

    After iteration t: average ← d · average + (1 - d) · parameters, with
    d = min(decay, (1 + t) / (10 + t)), so that the average soon forgets the initial parameters.
    TensorFlow's `tf.train.ExponentialMovingAverage` with `num_updates` does the same. The code of
    PixelCNN++ (Salimans et al., 2017) tests such an average, with a decay of 0.9995.

    Args:
        source: the link whose parameters are averaged, on its device.
        decay: below 1; the average covers about the last 1 / (1 - decay) steps.
        flat: where the parameters are one array, a link that holds it, see `flat.flat_optimizer`.

    Attributes:
        model: a copy of the link whose parameters are the averages. Snapshots hold it.
    """

    priority = training.PRIORITY_WRITER + 1  # before the test, which uses the average

    def __init__(self, source, decay, flat=None):
        self.source = source
        self.decay = decay
        self.model = source.copy(mode='copy')
        self.flat = flat
        self._flat_average = flatten(self.model) if flat else None

    def __call__(self, trainer):
        t = trainer.updater.iteration
        rate = 1 - min(self.decay, (1 + t) / (10 + t))
        if self.flat:
            move_towards(self._flat_average, self.flat.all.array, rate)
            return
        for average, param in zip(self.model.params(), self.source.params()):
            average.array += rate * (param.array - average.array)

    def serialize(self, serializer):
        self.model.serialize(serializer)
