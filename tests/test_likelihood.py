"""The likelihood of a data set: of each image, of all, of each pixel, and its error."""
import itertools
import math

import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import evaluate, likelihood, models, sampling, utils
from wavenet.data.images import ImageDataset
from wavenet.data.pixels import INTENSITY


def dataset_of(labels, levels, classes=None):
    """An ImageDataset of labels, (N, C, H, W) from 0 to levels - 1"""
    bins = utils.quantize(INTENSITY, levels)
    bytes_of_labels = np.searchsorted(bins, np.arange(levels)).astype('u1')
    classes = np.zeros(len(labels), 'i') if classes is None else classes
    dataset = ImageDataset(bytes_of_labels[labels], classes, labels.shape[1], levels)
    assert (dataset.batch(range(len(labels)))[1] == labels).all()
    return dataset


def all_images(levels, shape):
    """(levels ** (C · H · W), C, H, W)"""
    return np.array(list(itertools.product(range(levels), repeat=math.prod(shape)))).reshape(
        (-1,) + shape)


# A model, the size of its pictures, and their class
TINY = {
    'post, grayscale, softmax': ('post', dict(in_channels=1, out_dims=3), (1, 3, 2), 0),
    'post, grayscale, sigmoid': ('post', dict(in_channels=1, out_dims=1), (1, 3, 3), 0),
    'post, colour, softmax': ('post', dict(in_channels=3, out_dims=2), (3, 2, 2), 0),
    'post, colour, 3 levels': ('post', dict(in_channels=3, out_dims=3), (3, 1, 2), 0),
    'post, colour, sigmoid': ('post', dict(in_channels=3, out_dims=1), (3, 2, 2), 0)}
TINY.update({
    f'gated, {form}, {channels} channels, {out_dims} logits': (
        'gated', dict(in_channels=channels, out_dims=out_dims, form=form, num_classes=3), shape, 2)
    for form in ('author', 'paper')
    for channels, out_dims, shape in ((1, 3, (1, 3, 2)), (1, 1, (1, 3, 3)), (3, 2, (3, 2, 2)),
                                      (3, 1, (3, 2, 2)))})


@pytest.fixture(params=sorted(TINY))
def tiny(request, random_model, random_gated_model):
    """(model, all images as a data set, shape, class)"""
    kind, sizes, shape, label = TINY[request.param]
    model = (random_model if kind == 'post' else random_gated_model)(**sizes)
    levels = max(model.out_dims, 2)
    labels = all_images(levels, shape)
    everything = dataset_of(labels, levels, np.full(len(labels), label))
    x, _, classes = everything.batch(range(len(labels)))
    spread = model(x, classes).array.std()
    for param in model.conv4.params():
        param.array *= 1.5 / spread  # far from uniform, and from certain
    return model, everything, shape, label


# The likelihood is right

def test_the_probabilities_of_all_images_sum_to_1(tiny, device):
    model, everything, _, _ = tiny
    model.to_device(device)
    everything.to_device(device)
    p = np.exp(-evaluate.image_nats(model, everything))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p.max() > 10 * p.mean()  # and are not all the same


def test_samples_have_the_models_entropy(tiny, device):
    model, everything, shape, label = tiny
    model.to_device(device)
    everything.to_device(device)
    nats = evaluate.image_nats(model, everything)
    entropy = (np.exp(-nats) * nats).sum()
    deviation = ((np.exp(-nats) * nats ** 2).sum() - entropy ** 2) ** 0.5
    count = 4000
    labels = None if not model.num_classes else np.full(count, label)
    samples = sampling.generate(model, (count,) + shape, seed=0, class_ids=labels)
    levels = max(model.out_dims, 2)
    drawn = dataset_of(np.rint(cuda.to_cpu(samples) * (levels - 1)).astype('i'), levels,
                       np.full(count, label))
    drawn.to_device(device)
    result = evaluate.likelihood(model, drawn)
    assert abs(result.nats - entropy) < 4 * result.nats_error
    assert result.nats_error == pytest.approx(deviation / count ** 0.5, rel=0.1)


@pytest.mark.parametrize('levels', [2, 3, 4, 8, 100, 256])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('kind', ['post', 'gated'])
def test_a_uniform_model_has_log2_levels_bits(random_model, random_gated_model, levels, channels,
                                              kind):
    make = random_model if kind == 'post' else random_gated_model
    images = np.random.RandomState(0).randint(0, levels, (10, channels, 7, 5))
    for out_dims in [1, 2] if levels == 2 else [levels]:
        model = make(channels, out_dims=out_dims)
        model.conv4.W.array[...] = 0
        model.conv4.b.array[...] = 0 if out_dims == 1 else 0.1
        result = evaluate.likelihood(model, dataset_of(images, levels))
        assert result.bits_per_dim == pytest.approx(math.log2(levels), abs=1e-6)
        assert result.nats == pytest.approx(channels * 35 * math.log(levels), rel=1e-6)
        assert result.nats_error < 1e-9 and result.bits_per_dim_error < 1e-9


@pytest.mark.parametrize('out_dims', [1, 2, 4])
def test_it_is_the_loss_of_training(random_model, random_gated_model, out_dims):
    random = np.random.RandomState(0)
    levels = max(out_dims, 2)
    dataset = dataset_of(random.randint(0, levels, (23, 3, 4, 5)), levels, np.arange(23) % 10)
    for make in (random_model, random_gated_model):
        model = make(out_dims=out_dims)
        expected = float(models.Classifier(model)(*dataset.batch(range(23))).array)
        for batchsize in (1, 10, 23, 100):
            result = evaluate.likelihood(model, dataset, batchsize)
            assert result.images == 23
            assert result.nats == pytest.approx(expected, rel=1e-5)
            assert result.bits_per_dim == pytest.approx(expected / (60 * math.log(2)), rel=1e-5)


def test_large_logits_are_no_trouble(random_model):
    model = random_model(1, out_dims=1)
    dataset = dataset_of(np.ones((2, 1, 2, 2), 'i'), 2)
    model.conv4.W.array[...] = 0
    for bias, nats in ((1000, 0), (-1000, 4000)):
        model.conv4.b.array[...] = bias
        assert evaluate.likelihood(model, dataset).nats == pytest.approx(nats)
    model.conv4.b.array[...] = np.inf
    with np.errstate(invalid='ignore'), pytest.raises(ValueError, match='not finite'):
        evaluate.likelihood(model, dataset)


# Draws and errors

def binarized(count=6, size=4):
    intensities = np.random.RandomState(0).randint(0, 256, (count, 1, size, size)).astype('u1')
    return ImageDataset(intensities, np.zeros(count), 1, 2, binarize=True)


def test_each_draw_is_another_and_an_image_counts_once(random_model):
    model = random_model(1, out_dims=2)
    dataset = binarized()
    nats = np.array([evaluate.image_nats(model, dataset, number=n) for n in range(4)])  # (4, 6)
    assert len(np.unique(nats)) == nats.size
    static = evaluate.likelihood(model, dataset)
    assert static.nats == pytest.approx(nats[0].mean())
    assert static.nats_error == pytest.approx(nats[0].std(ddof=1) / 6 ** 0.5)
    dynamic = evaluate.likelihood(model, dataset, draws=3)
    means = nats[1:].mean(axis=0)
    assert dynamic.images == 6
    assert dynamic.nats == pytest.approx(means.mean())
    assert dynamic.nats_error == pytest.approx(means.std(ddof=1) / 6 ** 0.5)
    for result in (static, dynamic):
        assert result.bits_per_dim_error / result.bits_per_dim == pytest.approx(
            result.nats_error / result.nats)


def test_the_error_is_what_the_means_of_test_sets_scatter(random_model):
    model = random_model(1, hidden_dims=4, block_num=1, out_dims=2)
    random = np.random.RandomState(0)
    results = []
    for _ in range(100):
        images = random.randint(0, 256, (50, 1, 3, 3)).astype('u1')
        dataset = ImageDataset(images, np.zeros(50, 'i'), 1, 2, binarize=True,
                                        seed=(random.randint(2 ** 31),))
        results.append(evaluate.likelihood(model, dataset, draws=2))
    scatter = np.std([result.nats for result in results])
    assert np.mean([result.nats_error for result in results]) == pytest.approx(scatter, rel=0.2)


def test_one_image_has_no_error(random_model):
    result = evaluate.likelihood(random_model(1, out_dims=2), binarized(1), draws=3)
    assert result.images == 1 and result.nats > 0
    assert math.isnan(result.nats_error) and math.isnan(result.bits_per_dim_error)


@pytest.mark.parametrize('sizes', [dict(in_channels=3), dict(out_dims=3), dict(out_dims=1)])
def test_a_data_set_that_does_not_fit(random_model, sizes):
    dataset = dataset_of(np.zeros((2, 1, 3, 3), 'i'), 4)
    with pytest.raises(ValueError, match='4 and 1'):
        evaluate.likelihood(random_model(**dict(dict(in_channels=1, out_dims=4), **sizes)), dataset)


def test_classes_that_the_model_does_not_have(random_gated_model):
    dataset = dataset_of(np.zeros((2, 1, 3, 3), 'i'), 4, np.array([0, 5]))
    with pytest.raises(ValueError, match='classes 0 to 4, the images 0 to 5'):
        evaluate.likelihood(random_gated_model(1, num_classes=5), dataset)


# Parts of the likelihood

def test_the_mean_over_the_classes(random_gated_model, device):
    """Probabilities are averaged, not logits, and so they still sum to 1."""
    model = random_gated_model(1, out_dims=3, num_classes=3)
    model.to_device(device)
    dataset = dataset_of(all_images(3, (1, 2, 2)), 3)
    dataset.to_device(device)
    of_class = []
    for k in (0, 2):
        dataset.class_ids[...] = k
        of_class.append(np.exp(-likelihood.image_nats(model, dataset, batchsize=7)))
    nats = likelihood.image_nats(model, dataset, batchsize=20, classes=[0, 2])
    np.testing.assert_allclose(np.exp(-nats), np.mean(of_class, axis=0), rtol=1e-5)
    assert math.fsum(np.exp(-nats)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize('classes', [None, [0, 2]])
def test_the_nats_of_the_pixels_sum_to_those_of_the_image(random_gated_model, device, classes):
    model = random_gated_model(3, out_dims=4, num_classes=3)
    model.to_device(device)
    labels = np.random.RandomState(0).randint(0, 4, (5, 3, 4, 5))
    dataset = dataset_of(labels, 4, np.arange(5) % 3)
    dataset.to_device(device)
    nats = likelihood.pixel_nats(model, dataset, np.arange(5), classes)
    assert nats.shape == (5, 4, 5)
    np.testing.assert_allclose(nats.sum(axis=(1, 2)), likelihood.image_nats(
        model, dataset, classes=classes), rtol=1e-6)


def test_the_nats_of_a_pixel_are_those_of_its_values(random_model):
    model = random_model(1, out_dims=4)
    labels = np.random.RandomState(0).randint(0, 4, (1, 1, 3, 2))
    nats = likelihood.pixel_nats(model, dataset_of(labels, 4), [0])
    logits = model(labels.astype('f') / 3).array[0, :, 0].astype('d')   # (levels, H, W)
    log_p = logits - np.log(np.exp(logits).sum(axis=0))
    for (i, j), level in np.ndenumerate(labels[0, 0]):
        assert nats[0, i, j] == pytest.approx(-log_p[level, i, j], rel=1e-5)
