"""MADE's orders, and what it does with several of them."""
import itertools

import chainer
import numpy as np
import pytest

from wavenet import sampling
from wavenet.families.made import ensemble
from wavenet.families.made.loss import MadeClassifier
from wavenet.families.made.model import Made, natural_degrees
from wavenet.likelihood import mean_nats

ORDERS = 3


def made(channels=1, height=2, width=3, hidden_dims=(40, 30), out_dims=1, direct=False):
    """A model of ORDERS orders with random weights."""
    np.random.seed(0)
    model = Made(channels, height, width, hidden_dims, out_dims, ORDERS, direct)
    for param in model.params():
        param.array[...] = np.random.normal(0, 1, param.shape)
    return model


def images(model, batch):
    shape = batch, model.in_channels, model.config.height, model.config.width
    return np.random.RandomState(1).rand(*shape).astype('f')


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('direct', [False, True])
@pytest.mark.parametrize('order', range(ORDERS))
def test_an_output_sees_all_earlier_values_and_no_other(channels, direct, order):
    """Bit for bit. With enough units, it sees each of them."""
    model = made(channels, hidden_dims=[2000], out_dims=2, direct=direct)
    degrees = model.degrees(order)[0]
    x = images(model, 1)
    before = model(x, order=order).array.reshape(2, -1)
    for value, degree in enumerate(degrees):
        changed = x.copy()
        changed.flat[value] += 1
        differs = (model(changed, order=order).array.reshape(2, -1) != before).any(axis=0)
        assert (differs == (degrees > degree)).all()


def test_order_0_is_that_of_the_other_models():
    degrees = natural_degrees(made(3).config).reshape(3, 2, 3)
    assert (degrees[:, 0, 0] == [0, 1, 2]).all()              # R, G, B
    assert (degrees[0] == [[0, 3, 6], [9, 12, 15]]).all()


def test_orders_differ_and_are_the_same_each_time():
    degrees = [np.concatenate(made().degrees(order)).tolist() for order in range(ORDERS)]
    assert len({*map(tuple, degrees)}) == ORDERS
    assert degrees == [np.concatenate(made().degrees(order)).tolist() for order in range(ORDERS)]
    for order in (-1, ORDERS):
        with pytest.raises(ValueError, match='orders 0 to 2'):
            made().degrees(order)


@pytest.mark.parametrize('out_dims, direct', [(1, False), (1, True), (2, True), (3, False)])
def test_the_probabilities_of_each_order_and_of_the_ensemble_sum_to_1(out_dims, direct):
    model = made(out_dims=out_dims, direct=direct)
    for param in model.params():
        param.array = param.array.astype('d')
    levels = model.distribution.levels
    targets = np.array([*itertools.product(range(levels), repeat=6)], 'i').reshape(-1, 1, 2, 3)
    x = (targets / (levels - 1)).astype('f')
    with chainer.no_backprop_mode():
        each = [np.exp(-model.distribution.nll(form(x).array.astype('d'), targets).array)
                for form in ensemble(model)]
        mean = np.exp(-mean_nats(model, x, targets, [None]))
    assert np.sum(each, axis=1) == pytest.approx(np.ones(ORDERS), abs=1e-12)
    assert mean.sum() == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(np.mean(each, axis=0), rel=1e-12)
    assert abs(each[0] - each[1]).max() > 1e-4


def test_each_batch_is_trained_in_the_next_order():
    model = made()
    loss = MadeClassifier(model)
    x = images(model, 4)
    targets = (x > 0.5).astype('i')
    of_orders = [float(model.distribution.nll(form(x), targets).array.mean())
                 for form in ensemble(model)]
    losses = [float(loss(x, targets).array) for _ in range(5)]
    assert losses == pytest.approx([of_orders[n] for n in (0, 1, 2, 0, 1)], rel=1e-5)
    with chainer.using_config('train', False):
        assert float(loss(x, targets).array) == pytest.approx(of_orders[0], rel=1e-5)
    assert loss.order == 2


def test_a_model_of_one_value():
    model = made(height=1, width=1)
    x = np.array([0, 1], 'f').reshape(2, 1, 1, 1)
    assert model(x).array[0] == model(x).array[1]           # it sees nothing


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match='6 values'):
        made()(np.zeros((1, 1, 3, 3), 'f'))
    with pytest.raises(ValueError, match='images of 3×2 only, not 3×3'):
        sampling.generate(made(), (1, 1, 3, 3))


@pytest.mark.parametrize('hidden_dims', [(), (0,), (3, -1)])
def test_hidden_layers_have_units(hidden_dims):
    with pytest.raises(ValueError, match='hidden_dims'):
        Made(1, 2, 2, hidden_dims, 1)
