import itertools
import math

import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from helpers import cached_logits
from wavenet import distributions, models, sampling, serialization
from wavenet.families.pixelcnn.cache import Cache
from wavenet.sampling import generate
from wavenet.utils import quantize

METHODS = ['cached', 'naive']


def generated(model, shape, seed=0, **kwargs):
    return cuda.to_cpu(generate(model, shape, seed, **kwargs))


# Faithful

@pytest.mark.parametrize('method', METHODS)
def test_samples_are_the_authors(reference, reference_model, device, method):
    for name, param in reference_model.namedparams():
        param.array[...] = reference['adam/params' + name]
    reference_model.to_device(device)
    samples = generate(reference_model, reference['samples'].shape,
                       int(reference['samples/seed']), method)
    assert isinstance(samples, device.xp.ndarray) and samples.dtype == np.float32
    assert (cuda.to_cpu(samples) == reference['samples']).all()


# Cached equals naive

def check_methods_agree(model, shape, seed=0):
    samples = generate(model, shape, seed)
    assert (samples == generate(model, shape, seed, 'naive')).all()
    # No luck with the draws: the logits, too, are equal, but for rounding
    with chainer.no_backprop_mode():
        expected = cuda.to_cpu(model(samples).array)
    model.to_device('@numpy')
    logits = cached_logits(Cache(model, cuda.to_cpu(samples)), cuda.to_cpu(samples),
                           model.out_dims)
    assert abs(logits - expected).max() <= 1e-5 * max(1, abs(expected).max())


@pytest.mark.parametrize('in_channels', [1, 3])
@pytest.mark.parametrize('out_dims', [1, 2, 5, 256])
@pytest.mark.parametrize('hidden_dims', [12, 13, 14])
def test_cached_equals_naive(random_model, device, in_channels, out_dims, hidden_dims):
    model = random_model(in_channels, hidden_dims, out_hidden_dims=7, out_dims=out_dims)
    model.to_device(device)
    check_methods_agree(model, (5, in_channels, 6, 7))


@pytest.mark.parametrize('in_channels', [1, 3])
@pytest.mark.parametrize('height, width', [(1, 1), (1, 9), (9, 1), (2, 2), (3, 30)])
def test_any_size(random_model, device, in_channels, height, width):
    model = random_model(in_channels)
    model.to_device(device)
    check_methods_agree(model, (4, in_channels, height, width))


@pytest.mark.parametrize('in_channels', [2, 4])
def test_any_number_of_colours(random_model, in_channels):
    check_methods_agree(random_model(in_channels), (3, in_channels, 4, 5))


@pytest.mark.parametrize('sizes', [dict(block_num=0), dict(block_num=9), dict(hidden_dims=2),
                                   dict(hidden_dims=3, out_hidden_dims=1),
                                   dict(hidden_dims=96, out_hidden_dims=16)])
def test_any_architecture(random_model, sizes):
    check_methods_agree(random_model(**sizes), (3, 3, 5, 6))


@pytest.mark.parametrize('batch', [1, 33])
def test_any_batch(random_model, device, batch):
    model = random_model()
    model.to_device(device)
    check_methods_agree(model, (batch, 3, 5, 6))


def test_all_cores_draw_the_same_pictures(random_model, monkeypatch):
    steps = []
    monkeypatch.setattr(sampling, 'IMAGES_OF_A_CORE', 2)
    expected = generated(random_model(), (7, 3, 4, 5), method='naive')
    for workers in (1, 2, 3):
        monkeypatch.setattr(sampling.threads, 'WORKERS', workers)
        samples = generated(random_model(), (7, 3, 4, 5), progress=steps.append)
        assert (samples == expected).all()
    assert sum(steps) == 3 * 20


def test_all_cores_stop_when_one_does(random_model, monkeypatch):
    monkeypatch.setattr(sampling, 'IMAGES_OF_A_CORE', 2)
    monkeypatch.setattr(sampling.threads, 'WORKERS', 2)
    rows = []
    start_row = Cache.start_row
    monkeypatch.setattr(Cache, 'start_row', lambda cache: [rows.append(1), start_row(cache)])

    def stop(pixels):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        generate(random_model(), (4, 3, 2000, 5), 0, progress=stop)
    assert len(rows) < 1000                                  # of 2 × 2000


def test_a_model_freshly_loaded(tmp_path, random_model):
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, random_model())
    model = serialization.load_model(path)
    check_methods_agree(model, (3, 3, 5, 6))
    assert (generated(model, (3, 3, 5, 6)) == generated(random_model(), (3, 3, 5, 6))).all()


def test_a_trained_model(random_model):
    # Probabilities far from equal, as training makes them: all pictures are the same diagonal
    model = models.Classifier(random_model(1, out_dims=2))
    optimizer = chainer.optimizers.Adam(0.01).setup(model)
    t = np.tile(np.eye(6, dtype='i'), (4, 1, 1, 1))
    for _ in range(120):
        optimizer.update(model, t.astype('f'), t)
    check_methods_agree(model.predictor, (50, 1, 6, 6))
    assert (generated(model.predictor, (50, 1, 6, 6)) == t[0]).mean() > 0.95


# What is drawn

@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('out_dims', [1, 2, 5, 256])
def test_values_are_those_of_the_levels(random_model, method, out_dims):
    samples = generated(random_model(out_dims=out_dims), (20, 3, 3, 4), method=method)
    levels = max(out_dims, 2)
    allowed = np.arange(levels).astype('f') / (levels - 1)
    assert set(np.unique(samples)) <= set(allowed) and len(np.unique(samples)) > min(levels, 20) / 2


@pytest.mark.parametrize('out_dims', [1, 2])
def test_pictures_come_as_often_as_the_model_says(random_model, out_dims):
    """All 16 pictures of 2×2 pixels, black or white: chi-square against their probabilities"""
    model = random_model(1, out_dims=out_dims)
    classifier = models.Classifier(model)
    pictures = np.array(list(itertools.product([0, 1], repeat=4)), 'i').reshape(-1, 1, 2, 2)
    p = np.array([math.exp(-float(classifier(t[None].astype('f'), t[None]).array))
                  for t in pictures])
    assert p.sum() == pytest.approx(1, abs=1e-5)
    drawn = 20000
    numbers = generated(model, (drawn, 1, 2, 2)).reshape(drawn, 4) @ [8, 4, 2, 1]
    counts = np.bincount(numbers.astype(int), minlength=16)
    chi_square = ((counts - drawn * p) ** 2 / (drawn * p)).sum()
    assert chi_square < 37.7                                 # 15 degrees of freedom, p = 0.001


@pytest.mark.parametrize('method', METHODS)
def test_seeds(random_model, method):
    def draw(seed):
        return generated(random_model(), (3, 3, 4, 4), seed, method=method).tobytes()
    assert draw(0) == draw(0) != draw(1)
    assert draw(None) != draw(None)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('part', [slice(0, 2), slice(2, 7), slice(1, None, 3), slice(-1, None),
                                  slice(3, 3)])
def test_a_part_is_that_of_the_whole(random_model, device, method, part):
    model = random_model()
    model.to_device(device)
    whole = generated(model, (7, 3, 3, 4), method=method)
    assert (generated(model, (7, 3, 3, 4), method=method, part=part) == whole[part]).all()


def test_the_global_random_state_is_not_touched(random_model):
    model = random_model()
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    generate(model, (2, 3, 2, 2))
    assert np.random.rand() == expected


@pytest.mark.parametrize('out_dims', [1, 2, 5])
def test_probabilities(out_dims):
    logits = np.random.RandomState(0).normal(0, 3, (7, out_dims)).astype('f')
    logits[0] = 500                                          # nothing overflows
    logits[1] = -500
    p = distributions.of_outputs(logits.shape[1]).probabilities(logits)
    assert p.shape == (7, max(out_dims, 2)) and p.dtype == np.float32
    expected = np.exp(logits - logits.max(axis=1, keepdims=True).astype('d'))
    expected /= expected.sum(axis=1, keepdims=True)
    if out_dims == 1:
        expected = 1 / (1 + np.exp(-logits.astype('d')))
        expected = np.concatenate([1 - expected, expected], axis=1)
    np.testing.assert_allclose(p, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


# Completion

@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('dtype', ['f', 'd'])
def test_rows_that_are_given_are_kept(random_model, device, method, dtype):
    model = random_model(out_dims=5)
    model.to_device(device)
    pictures = np.random.RandomState(0).rand(4, 3, 6, 5).astype(dtype)
    before = pictures.copy()
    samples = generated(model, (4, 3, 6, 5), method=method, given=(pictures, 2))
    assert (pictures == before).all()
    assert (samples[:, :, :2] == quantize(pictures[:, :, :2], 5).astype('f') / 4).all()
    assert (samples == generated(model, (4, 3, 6, 5), given=(samples, 2))).all()


def test_rows_change_what_follows_and_methods_agree(random_model):
    model = random_model()
    random = np.random.RandomState(0)
    a, b = random.rand(2, 4, 3, 6, 5)
    of_a = generated(model, (4, 3, 6, 5), given=(a, 3))
    assert (of_a == generated(model, (4, 3, 6, 5), method='naive', given=(a, 3))).all()
    assert (of_a[:, :, 3:] != generated(model, (4, 3, 6, 5), given=(b, 3))[:, :, 3:]).any()
    part = slice(1, 3)
    assert (of_a[part] == generated(model, (4, 3, 6, 5), given=(a, 3), part=part)).all()


@pytest.mark.parametrize('method', METHODS)
def test_draws_for_given_values_are_passed_over(random_model, method):
    model = random_model()
    plain = generated(model, (4, 3, 5, 6), method=method)
    for rows in (0, 2, 5):  # given what would have been drawn, the same is drawn
        given = plain.copy()
        drawn = generated(model, (4, 3, 5, 6), method=method, given=(given, rows))
        assert (drawn == plain).all() and (given == plain).all()


# Progress, and what is refused

@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('rows', [0, 1])
def test_progress_counts_the_pixels(random_model, method, rows):
    steps = []
    generate(random_model(), (1, 3, 3, 4), method=method, given=(np.zeros((1, 3, 3, 4)), rows),
             progress=steps.append)
    assert sum(steps) == 12 and len(steps) >= 3


def test_what_does_not_fit_is_refused(random_model):
    model = random_model()
    with pytest.raises(ValueError, match='3 channels, not 1'):
        generate(model, (1, 1, 4, 4))
    with pytest.raises(ValueError, match='a seed'):
        generate(model, (2, 3, 4, 4), part=slice(0, 1))
    with pytest.raises(ValueError, match="'quick'"):
        generate(model, (1, 3, 4, 4), method='quick')
    with pytest.raises(ValueError, match=r'\(1, 3, 4, 5\)'):
        generate(model, (1, 3, 4, 4), given=(np.zeros((1, 3, 4, 5)), 2))
    with pytest.raises(ValueError, match='rows.*5'):
        generate(model, (1, 3, 4, 4), given=(np.zeros((1, 3, 4, 4)), 5))
    with pytest.raises(ValueError, match='0, 1'):
        generate(model, (1, 3, 4, 4), given=(np.full((1, 3, 4, 4), 255, 'u1'), 0))
    for param in model.params():
        param.array *= 1e20  # finite, but their products are not
    for method in METHODS:
        with np.errstate(all='ignore'), pytest.raises(ValueError, match='logits are not finite'):
            generate(model, (1, 3, 4, 4), method=method)
    model.conv2.b.array[0] = np.nan
    with pytest.raises(ValueError, match='conv2/b is not finite'):
        generate(model, (1, 3, 4, 4))


# Labels

def test_given_labels_that_the_model_does_not_have_are_refused():
    model = models.PixelCNN(1, 4, 1, 4, 300, one_hot=True)
    labels = np.array([[[[0, 299], [150, 7]]]])
    samples = generated(model, (1, 1, 2, 2), given=((labels / 299).astype('f'), 2))
    assert (np.rint(samples * 299) == labels).all()
    for wrong in (300, -1):
        with pytest.raises(ValueError, match='given labels must be from 0 to 299'):
            generate(model, (1, 1, 2, 2), 0, given=(np.full((1, 1, 2, 2), wrong / 299, 'f'), 2))
