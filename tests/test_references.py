"""The models of tests/references.py compute the numbers of the reference files."""
import os

import numpy as np
import pytest

from helpers import DATA
from references import build
from wavenet import sampling


@pytest.fixture(params=[('pixelcnn', 'pixelcnn_blog.npz'), ('gated', 'pixelcnn_gated.npz')])
def reference_file(request):
    name, file = request.param
    with np.load(os.path.join(DATA, file)) as npz:
        return name, {key: npz[key] for key in npz.files}


def class_ids_of(name, npz, count):
    return npz['classes'][:count].astype('i') if name == 'gated' else None


def test_logits(reference_file):
    name, npz = reference_file
    expected = npz['logits']
    logits = build(name, npz)(npz['x'][:len(expected)], class_ids_of(name, npz, len(expected)))
    assert abs(logits.array - expected).max() <= 1e-5 * abs(expected).max()


@pytest.mark.parametrize('method', ['cached', 'naive'])
def test_samples(reference_file, method):
    name, npz = reference_file
    expected = npz['samples']
    samples = sampling.generate(
        build(name, npz, 'adam'), expected.shape, int(npz['samples/seed']), method,
        class_ids=class_ids_of(name, npz, len(expected)))
    assert (samples == expected).all()
