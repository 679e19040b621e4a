"""The loss of MADE."""
import chainer

from wavenet.models import Classifier


class MadeClassifier(Classifier):
    """The negative log-likelihood of the images, as of `Classifier`, in one order after the other.

    In training, each batch has the next one of the model's orders. In tests, all images have order
    0: `wavenet.likelihood` measures the mean of the probabilities over all orders.

    Attributes:
        order: the order of the next batch.
    """

    def __init__(self, predictor, reduce='sum'):
        super().__init__(predictor, reduce)
        self.add_persistent('order', 0)      # snapshots keep it

    def outputs(self, x, class_ids):
        if not chainer.config.train:
            return super().outputs(x, class_ids)
        order = self.order % self.predictor.config.masks
        self.order = order + 1
        return self.predictor(x, class_ids, order)
