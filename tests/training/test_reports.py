import math

import numpy as np
import pytest

from wavenet import models
from wavenet.data.batches import batches
from wavenet.data.images import ImageDataset
from wavenet.training import reports


def test_a_short_last_batch_does_not_count_as_a_whole(random_model):
    model = models.Classifier(random_model(1, out_dims=2))
    images = np.random.RandomState(0).randint(0, 256, (7, 1, 4, 4)).astype('u1')
    dataset = ImageDataset(images, np.zeros(7), 1, 2)
    x, t, _ = dataset.batch(range(7))
    expected = float(model(x, t).array)
    for batchsize in (1, 2, 5, 7, 100):
        evaluator = reports.Evaluator(batches(dataset, batchsize), model, len,
                                         converter=dataset.converter)
        result = {name.split('/', 1)[1]: float(value) for name, value in evaluator().items()}
        assert result['nll'] == pytest.approx(expected, rel=1e-5)
        assert result['bits/dim'] == pytest.approx(expected / (16 * math.log(2)), rel=1e-5)
