import itertools
import math

import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from helpers import check_adam, check_loss_and_gradients
from wavenet import models
from wavenet.models import MaskedConvolution2D, PixelCNN

# Masks: the post's examples

def test_the_posts_7x7_mask():
    mask = MaskedConvolution2D(1, 1, 7, pad=3, mask='A', colors=1).mask[0, 0]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 1, 1],
                             [1, 1, 1, 1, 1, 1, 1],
                             [1, 1, 1, 1, 1, 1, 1],
                             [1, 1, 1, 0, 0, 0, 0],
                             [0, 0, 0, 0, 0, 0, 0],
                             [0, 0, 0, 0, 0, 0, 0],
                             [0, 0, 0, 0, 0, 0, 0]]


def test_the_posts_center_for_4_inputs_and_7_outputs():
    # rows are output maps, columns input maps
    a = MaskedConvolution2D(4, 7, 7, pad=3, mask='A').mask[:, :, 3, 3]
    assert a.tolist() == [[0, 0, 0, 0],
                          [1, 0, 0, 1],
                          [1, 1, 0, 1],
                          [0, 0, 0, 0],
                          [1, 0, 0, 1],
                          [1, 1, 0, 1],
                          [0, 0, 0, 0]]
    b = MaskedConvolution2D(4, 7, 7, pad=3, mask='B').mask[:, :, 3, 3]
    assert b.tolist() == [[1, 0, 0, 1],
                          [1, 1, 0, 1],
                          [1, 1, 1, 1],
                          [1, 0, 0, 1],
                          [1, 1, 0, 1],
                          [1, 1, 1, 1],
                          [1, 0, 0, 1]]


def test_grayscale_has_no_colour_groups():
    for mask, center in (('A', 0), ('B', 1)):
        convolution = MaskedConvolution2D(5, 7, 3, mask=mask, colors=1)
        assert (convolution.mask[:, :, 1, 1] == center).all()


def test_masks_are_a_or_b():
    with pytest.raises(ValueError, match="'C'"):
        MaskedConvolution2D(3, 3, 3, mask='C')


@pytest.mark.parametrize('args, kwargs', [
    ((None, 3, 3), {}), ((0, 3, 3), {}), ((3, 0, 3), {}), ((3, 3, 3, 2), {}),
    ((3, 3, 3), dict(stride=2))])
def test_what_makes_no_masked_convolution_is_refused(args, kwargs):
    with pytest.raises(ValueError, match='masked convolution'):
        MaskedConvolution2D(*args, **kwargs)


def test_arguments_come_in_chainers_order():
    assert MaskedConvolution2D(3, 4, 3, 1, 1)(np.zeros((1, 3, 5, 5), 'f')).shape == (1, 4, 5, 5)


# The mask as part of a link

def test_the_mask_is_not_serialized():
    names = chainer.serializers.npz.serialize(MaskedConvolution2D(3, 3, 3)).keys()
    assert set(names) == {'W', 'b'}


def test_the_mask_goes_with_the_parameters(device):
    link = MaskedConvolution2D(3, 6, 3, pad=1)
    x = np.random.RandomState(0).rand(2, 3, 5, 5).astype('f')
    expected = link(x).array
    link.to_device(device)
    assert isinstance(link.mask, device.xp.ndarray)
    np.testing.assert_allclose(cuda.to_cpu(link(device.send(x)).array), expected, atol=1e-6)


def test_masked_weights_do_not_count_and_do_not_learn():
    link = MaskedConvolution2D(4, 7, 3, pad=1, mask='A')
    x = np.random.RandomState(0).rand(2, 4, 5, 5).astype('f')
    before = link(x).array
    link.W.array[link.mask == 0] = 1e6
    link.cleargrads()
    loss = chainer.functions.sum(link(x) ** 2)
    assert (link(x).array == before).all()
    loss.backward()
    assert (link.W.grad[link.mask == 0] == 0).all() and (link.W.grad[link.mask == 1] != 0).any()


# The order: the property that the whole model is right by

def positions(in_channels, height, width):
    """All values of a picture in the order in which they are generated: pixels, then colours."""
    return [(k, i, j) for i in range(height) for j in range(width) for k in range(in_channels)]


@pytest.mark.parametrize('in_channels', [1, 3])
@pytest.mark.parametrize('hidden_dims', [12, 13, 14])
def test_no_logit_depends_on_a_value_at_or_after_it(in_channels, hidden_dims, random_model):
    height, width = 5, 6
    # Several models and pictures, as ReLUs that are off in one can hide a connection
    several = [random_model(in_channels, hidden_dims, block_num=3, out_hidden_dims=7, seed=seed)
               for seed in range(4)]
    x = np.random.RandomState(0).randint(0, 4, (4, in_channels, height, width)).astype('f') / 3
    order = positions(in_channels, height, width)

    def logits(x):
        with chainer.no_backprop_mode():
            return np.concatenate([model(x).array for model in several])

    before = logits(x)                                          # (16, levels, C, H, W)
    for n, (k, i, j) in enumerate(order):
        changed = x.copy()
        changed[:, k, i, j] = (changed[:, k, i, j] + 0.5) % 1
        differs = (logits(changed) != before).any(axis=(0, 1))  # (C, H, W)
        assert not any(differs[at] for at in order[:n + 1]), (k, i, j)
        assert any(differs[at] for at in order[n + 1:]) or n == len(order) - 1, (k, i, j)


def test_within_a_pixel_green_sees_red_and_blue_sees_both(random_model):
    model = random_model(3, 12)
    x = np.zeros((1, 3, 1, 1), 'f')
    reached = np.zeros((3, 3), bool)                       # [changed colour, reached colour]
    for k in range(3):
        changed = x.copy()
        changed[0, k] = 1
        reached[k] = (model(changed).array != model(x).array).any(axis=(0, 1, 3, 4))
    assert reached.tolist() == [[False, True, True], [False, False, True], [False, False, False]]


# The author's numbers

def test_masks_are_the_authors(reference, reference_model):
    links = dict(reference_model.namedlinks())
    names = [name for name in reference if name.startswith('masks/')]
    assert len(names) == 3 + 3 * 2
    for name in names:
        assert (links[name[len('masks'):]].mask == reference[name]).all()


def test_parameters_have_the_authors_names(reference, reference_model):
    assert {'params' + name for name, _ in reference_model.namedparams()} == \
        {name for name in reference if name.startswith('params/')}


def test_logits_are_the_authors(reference, reference_model, device):
    reference_model.to_device(device)
    x = device.send(reference['x'][:len(reference['logits'])])
    logits = cuda.to_cpu(reference_model(x).array)
    np.testing.assert_allclose(logits, reference['logits'], rtol=0, atol=1e-5)


def batch_of(reference, step, device):
    size = len(reference['logits'])
    at = slice(step % 4 * size, step % 4 * size + size)
    return [device.send(reference[name][at]) for name in ('x', 'labels')]


def test_loss_and_gradients_are_the_authors(reference, reference_model, device):
    model = models.Classifier(reference_model)
    model.to_device(device)
    check_loss_and_gradients(reference, reference_model, model(*batch_of(reference, 0, device)))


def test_eight_steps_of_adam_are_the_authors(reference, reference_model, device):
    model = models.Classifier(reference_model)
    model.to_device(device)
    check_adam(reference, reference_model, lambda step: model(*batch_of(reference, step, device)),
               loss_tolerance=1e-3, tolerance=1e-4)


# Classifier

@pytest.mark.parametrize('in_channels, out_dims', [(1, 1), (3, 1), (1, 2), (3, 2), (3, 5)])
def test_loss_is_minus_the_log_likelihood(in_channels, out_dims, random_model):
    predictor = random_model(in_channels, out_dims=out_dims)
    model = models.Classifier(predictor)
    levels = max(out_dims, 2)
    random = np.random.RandomState(0)
    t = random.randint(0, levels, (3, in_channels, 4, 5)).astype('i')
    x = t.astype('f') / (levels - 1)
    reporter = chainer.Reporter()
    reporter.add_observer('main', model)
    with reporter:
        loss = float(model(x, t, np.zeros(3, 'i')).array)

    logits = predictor(x).array.astype('d')
    if out_dims == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    nats = -sum(log_p[b, t[b, k, i, j], k, i, j]
                for b, k, i, j in itertools.product(*map(range, t.shape)))
    assert loss == pytest.approx(nats / 3, rel=1e-5)
    assert float(reporter.observation['main/nll'].array) == loss
    assert float(reporter.observation['main/bits/dim']) == pytest.approx(
        loss / (in_channels * 4 * 5 * math.log(2)))


def test_the_loss_may_be_the_mean_over_values(random_model):
    t = np.random.RandomState(0).randint(0, 4, (3, 3, 4, 5)).astype('i')
    results = []
    for reduce in ('sum', 'mean'):
        model = models.Classifier(random_model(), reduce)
        reporter = chainer.Reporter()
        reporter.add_observer('main', model)
        with reporter:
            loss = model(t.astype('f') / 3, t)
        loss.backward()
        results.append((float(loss.array), model.predictor.conv4.b.grad, reporter.observation))
    (total, total_gradient, reported), (mean, mean_gradient, also_reported) = results
    assert mean == pytest.approx(total / 60)
    np.testing.assert_allclose(mean_gradient, total_gradient / 60, rtol=1e-5)
    assert float(reported['main/nll'].array) == float(also_reported['main/nll'].array) == total
    assert reported['main/bits/dim'] == also_reported['main/bits/dim']


@pytest.mark.parametrize('in_channels, out_dims, pixels', [(1, 2, 4), (1, 1, 4), (3, 2, 1)])
def test_probabilities_of_all_pictures_sum_to_1(in_channels, out_dims, pixels, random_model):
    model = models.Classifier(random_model(in_channels, out_dims=out_dims))
    total = 0.0
    for values in itertools.product([0, 1], repeat=in_channels * pixels):
        t = np.array(values, 'i').reshape(1, in_channels, -1, min(pixels, 2))
        total += math.exp(-float(model(t.astype('f'), t).array))
    assert total == pytest.approx(1, abs=1e-5)


# Sizes

@pytest.mark.parametrize('hidden_dims', [2, 3, 12, 13, 14])
def test_any_number_of_maps(hidden_dims):
    model = PixelCNN(3, hidden_dims, 1, 2, 3)
    assert model(np.zeros((2, 3, 4, 5), 'f')).shape == (2, 3, 3, 4, 5)


@pytest.mark.parametrize('name, value', [('hidden_dims', 1), ('out_dims', 0), ('in_channels', 0),
                                         ('out_hidden_dims', 0), ('block_num', -1)])
def test_sizes_that_make_no_model_are_named(name, value):
    sizes = dict(in_channels=3, hidden_dims=12, block_num=2, out_hidden_dims=8, out_dims=4)
    with pytest.raises(ValueError, match=name):
        PixelCNN(**dict(sizes, **{name: value}))


def test_weights_start_as_the_authors_do():
    # Chainer 1.21's default: normal, variance 1 / fan-in; biases 0
    model = PixelCNN(3, 128, 1, 16, 8)
    for name, param in model.namedparams():
        if name.endswith('/b'):
            assert (param.array == 0).all()
        elif param.size > 4000:
            fan_in = math.prod(param.shape[1:])
            assert param.array.std() == pytest.approx(fan_in ** -0.5, rel=0.1), name
