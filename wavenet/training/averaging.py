"""Averages of a model's weights, which predict better than the weights of a single step."""
from chainer import training


class WeightAverage(training.Extension):
    """Keeps an exponential moving average of all parameters of a model.

    After iteration t: average ← d · average + (1 - d) · parameters, with
    d = min(decay, (1 + t) / (10 + t)), so that the average soon forgets the initial parameters.
    TensorFlow's `tf.train.ExponentialMovingAverage` with `num_updates` does the same. The code of
    PixelCNN++ (Salimans et al., 2017) tests such an average, with a decay of 0.9995.

    Args:
        source: the link whose parameters are averaged, on its device.
        decay: below 1; the average covers about the last 1 / (1 - decay) steps.

    Attributes:
        model: a copy of the link whose parameters are the averages. Snapshots hold it.
    """

    priority = training.PRIORITY_WRITER + 1  # before the test, which uses the average

    def __init__(self, source, decay):
        self.source = source
        self.decay = decay
        self.model = source.copy(mode='copy')

    def __call__(self, trainer):
        t = trainer.updater.iteration
        rate = 1 - min(self.decay, (1 + t) / (10 + t))
        for average, param in zip(self.model.params(), self.source.params()):
            average.array += rate * (param.array - average.array)

    def serialize(self, serializer):
        self.model.serialize(serializer)
