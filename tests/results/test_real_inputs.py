import argparse

import numpy as np
import pytest

from wavenet import models
from wavenet.results import real_inputs

ARGS = argparse.Namespace(dataset='digits', channels=1, levels=4, data=None, test_limit=20,
                          batchsize=8)


def test_where_strokes_start():
    targets = np.array([[0, 0, 0, 2, 0],
                        [0, 1, 2, 0, 3],  # 1 starts; 1 comes before 2, and 2 before 3
                        [0, 0, 0, 0, 0],
                        [1, 0, 0, 0, 1],  # both start
                        [0, 1, 0, 1, 0]])
    expected = [[0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0] * 5, [1, 0, 0, 0, 1], [0] * 5]
    assert real_inputs.starts(targets[None, None])[0, 0].astype(int).tolist() == expected


def test_what_is_measured():
    samples = np.full((3, 1, 8, 8), 0.25, 'f')
    guess = models.PixelCNN(1, 4, 1, 4, 4)      # uniform, because its last layer is 0
    guess.conv4.W.array[...] = 0
    result = real_inputs.measure(guess, ARGS, samples)
    for inputs in ('quantized', 'real'):
        assert result[inputs]['nats'] == pytest.approx(64 * np.log(4), rel=1e-5)
        assert result[inputs]['start'] == pytest.approx(np.log(4), rel=1e-5)
        assert result[inputs]['error'] == pytest.approx(0, abs=1e-3)
    assert result['ink'] == 0.25 and 0.2 < result['test_ink'] < 0.5

    np.random.seed(0)
    other = models.PixelCNN(1, 4, 1, 4, 4)                     # the two kinds of inputs differ
    result = real_inputs.measure(other, ARGS, samples)
    assert result['real']['nats'] != result['quantized']['nats']
    assert result['real']['start'] != result['quantized']['start']
