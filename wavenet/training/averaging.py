"""Averages of a model's weights, which predict better than the weights of any one step."""
from chainer import training


class WeightAverage(training.Extension):
    """Keeps an exponential moving average of all parameters of a model.

    After iteration t: average ← d · average + (1 - d) · parameters, with
    d = min(decay, (1 + t) / (10 + t)), so that the beginning, from which the average starts, is soon
    forgotten: TensorFlow's `tf.train.ExponentialMovingAverage` with `num_updates`. PixelCNN++
    (Salimans et al., 2017) is tested so, its code says with 0.9995.

    Args:
        source: the link whose parameters are averaged, on its device.
        decay: below 1; the average is about one over the last 1 / (1 - decay) steps.

    Attributes:
        model: a copy of it with the averages as its parameters, in its snapshots, too.
    """

    priority = training.PRIORITY_WRITER + 1  # before the test, which takes the average

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
