"""The loss of a model of sound."""
import math

import chainer
import chainer.functions as F

from wavenet.models import Classifier


class SoundClassifier(Classifier):
    """The mean negative log-likelihood of the samples, in nats per sample.

    Reports `nll`, that loss, and `bits/dim` = nll / ln 2, the bits per sample. The author reports
    nats under this name.
    """

    def forward(self, x, targets, class_ids=None):
        """
        Args:
            x, targets, class_ids: see `wavenet.data.windows.SoundBatch`. Targets of -1 do not
                count.

        Returns: the loss, a 0-dimensional Variable.
        """
        outputs = self.predictor(x, class_ids, targets.shape[1])       # (B, levels, W)
        nats = F.sum(self.predictor.distribution.nll(outputs, targets))
        nll = nats / (targets >= 0).sum().astype(nats.dtype)
        chainer.report({'nll': nll, 'bits/dim': nll.array / math.log(2)}, self)
        return nll
