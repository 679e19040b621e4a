"""Sound as the author's preprocess.py and VCTK make it: see tests/data/README.md."""
import os

import numpy as np
import pytest

from helpers import DATA
from wavenet.data import author_sound


@pytest.fixture
def reference():
    with np.load(os.path.join(DATA, 'wavenet_author.npz')) as npz:
        return {name: npz[name] for name in npz.files}


def chunks_of(reference, name):
    return author_sound.chunks(reference[f'preprocess/{name}_samples'],
                               int(reference[f'preprocess/{name}_rate']), length=108)


@pytest.mark.parametrize('name', ['a', 'b', 'c'])
def test_chunks_are_the_authors(reference, name):
    expected = reference[f'preprocess/chunks_{name}']
    chunks = chunks_of(reference, name)
    assert chunks.dtype == np.float64 and abs(chunks - expected).max() < 1e-15
    assert (author_sound.quantisize(chunks, 256) == author_sound.quantisize(expected, 256)).all()


def test_targets_are_the_authors(reference):
    order = str(reference['preprocess/order']).replace('.wav', '').split(',')
    chunks = np.concatenate([chunks_of(reference, name) for name in order])
    receptive_field = author_sound.receptive_field_size(4, 3)
    targets = author_sound.targets_of_chunks(chunks, receptive_field)
    assert targets.dtype == np.int32 and (targets == reference['vctk/labels'][:, 0, 0]).all()


def test_helpers_are_the_authors(reference):
    for levels in 24, 256:
        labels = author_sound.quantisize(reference['quantisize/in'], levels)
        assert labels.dtype == np.int32
        assert (labels == reference[f'quantisize/out_levels{levels}']).all()
    assert author_sound.quantisize(np.array([-1e-9, 1.0]), 24).tolist() == [-1, 23]
    assert (author_sound.wav_to_float(reference['wav_to_float/in'])
            == reference['wav_to_float/out']).all()
    sizes = [author_sound.receptive_field_size(*args)
             for args in reference['receptive_field_size/args_layers_stacks']]
    assert (sizes == reference['receptive_field_size/out']).all()


def test_recordings_that_are_shorter_than_a_chunk_are_dropped():
    assert author_sound.chunks(np.zeros(107, 'i2'), 8000, length=108).shape == (0, 108)
    assert author_sound.chunks(np.zeros(216, 'i2'), 16000, length=108).shape == (1, 108)


@pytest.mark.parametrize('up, down', [(1, 2), (2, 1), (3, 2), (2, 3), (8000, 44100), (44100, 8000)])
def test_resampling_keeps_a_slow_sine(up, down):
    length = 400
    seconds = np.arange(length) / 400
    result = author_sound.resample_poly(np.sin(2 * np.pi * 7 * seconds), up, down)
    assert len(result) == -(-length * up // down)
    there = np.arange(len(result)) * down / up / 400
    inner = slice(len(result) // 4, -len(result) // 4)     # the filter sees zeros beyond the ends
    assert abs(result - np.sin(2 * np.pi * 7 * there))[inner].max() < 0.01
