"""The public face of the package: wavenet.load, Model, wavenet.train."""
import gc
import math
import os
import signal
import threading

import numpy as np
import pytest

import wavenet
from helpers import parameters
from wavenet import models, sampling, serialization
from wavenet.data.pixels import INTENSITY, bytes_of_levels
from wavenet.families.gated.model import GatedPixelCNN
from wavenet.utils import quantize


@pytest.fixture(params=['gray', 'colour', 'classes', 'sigmoid'])
def model(request, tmp_path, random_model, random_gated_model):
    """Models of random weights, read from their files."""
    network = {'gray': lambda: random_model(1, out_dims=5),
               'colour': lambda: random_model(3, out_dims=4),
               'classes': lambda: random_gated_model(1, num_classes=3),
               'sigmoid': lambda: random_model(1, out_dims=1)}[request.param]()
    path = tmp_path / 'model.npz'
    serialization.save_model(path, network, height=4, width=5, class_names=['a', 'b', 'c'])
    return wavenet.load(path)


def classes_of(model, count):
    return np.arange(count) % 3 if model.num_classes else None


def test_a_sample_is_an_image(model):
    images = model.sample(7, seed=3)
    assert images.dtype == np.uint8
    assert images.shape == (7, 4, 5) + (3,) * (model.config.in_channels == 3)
    assert (images == model.sample(7, seed=3)).all() and (images != model.sample(7, seed=4)).any()
    levels = model.sample(7, seed=3, as_levels=True)
    assert set(np.unique(levels)) == set(range(model.levels))
    assert (images == np.rint(levels / (model.levels - 1) * 255)).all()


def test_samples_are_those_of_generate(model):
    expected = sampling.generate(model.network, (6, model.config.in_channels, 3, 2), 5)
    found = model.sample(6, seed=5, size=(3, 2), as_levels=True)
    found = found[:, None] if found.ndim == 3 else found.transpose(0, 3, 1, 2)
    assert (found == np.rint(expected * (model.levels - 1))).all()
    assert model.sample(2, size=3).shape[1:3] == (3, 3)


def test_log_prob_takes_each_form_of_an_image(model):
    images, ids = model.sample(7, seed=0), classes_of(model, 7)
    levels = model.sample(7, seed=0, as_levels=True)
    expected = model.log_prob(images, ids)
    assert expected.dtype == np.float64 and expected.shape == (7,) and (expected < 0).all()
    assert (model.log_prob(INTENSITY[images], ids) == expected).all()
    for dtype in ('u1', 'i8'):
        assert (model.log_prob(levels.astype(dtype), ids, as_levels=True) == expected).all()
    for batchsize in (1, 3, 1000):
        np.testing.assert_allclose(model.log_prob(images, ids, batchsize=batchsize), expected,
                                   rtol=1e-6)
    assert model.log_prob(images[:0], [] if ids is not None else None).shape == (0,)


def test_probabilities_of_all_images_sum_to_1(random_model):
    model = wavenet.Model(random_model(1, out_dims=3))
    every = np.stack(np.meshgrid(*[np.arange(3)] * 4), -1).reshape(-1, 2, 2)
    total = np.exp(model.log_prob(every, as_levels=True)).sum()
    assert total == pytest.approx(1, abs=1e-6)


def test_log_prob_is_what_the_logits_say(model):
    images, ids = model.sample(3, seed=0, as_levels=True), classes_of(model, 3)
    logits = model.logits(images, ids, as_levels=True).astype('d')
    assert logits.shape[:2] == (3, 1 if model.levels == 2 else model.levels)
    if logits.shape[1] == 1:
        logits = np.concatenate([0 * logits, logits], axis=1)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    levels = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    chosen = np.take_along_axis(log_p, levels[:, None].astype(int), axis=1)
    np.testing.assert_allclose(model.log_prob(images, ids, as_levels=True),
                               chosen.reshape(3, -1).sum(axis=1), rtol=1e-5)


def test_gray_images_fit_a_model_of_colours(random_model):
    model = wavenet.Model(random_model(3))
    gray = np.random.RandomState(0).randint(0, 256, (2, 4, 5)).astype('u1')
    assert (model.log_prob(gray) == model.log_prob(np.stack([gray] * 3, axis=-1))).all()


@pytest.mark.parametrize('levels', range(2, 257))
def test_a_byte_that_shows_a_level_is_read_as_that_level(levels):
    found = bytes_of_levels(levels)
    assert (quantize(INTENSITY, levels)[found] == np.arange(levels)).all()
    assert np.abs(found - np.arange(levels) * 255 / (levels - 1)).max() < 1.5


def test_given_rows_are_kept(model):
    given = model.sample(3, seed=0)
    completed = model.sample(3, seed=1, given=given, mask=2)
    assert (completed[:, :2] == given[:, :2]).all() and (completed[:, 2:] != given[:, 2:]).any()
    mask = np.arange(20).reshape(4, 5) % 3 == 0
    completed = model.sample(3, seed=1, given=given, mask=mask)
    assert (completed[:, mask] == given[:, mask]).all()
    cold = [model.sample(20, seed=1, temperature=t, as_levels=True) for t in (1.0, 0.01)]
    assert cold[1].std(axis=0).mean() < cold[0].std(axis=0).mean()
    of_one = model.sample(3, seed=1, given=given[:1], mask=2)
    assert (of_one[:, :2] == given[:1, :2]).all()


def test_classes_have_numbers_and_names(random_gated_model, tmp_path):
    serialization.save_model(tmp_path / 'm', random_gated_model(1, num_classes=3), height=4,
                             width=5, class_names=['a', 'b', 'c'])
    model = wavenet.load(tmp_path / 'm')
    assert model.class_names == ('a', 'b', 'c') and model.num_classes == 3
    expected = model.sample(4, seed=0, class_ids=[1] * 4)
    for one in (1, 'b', ['b'] * 4):
        assert (model.sample(4, seed=0, class_ids=one) == expected).all()
    for wrong in ('d', 3, -1, [0, 1], [0.5] * 4):
        with pytest.raises(ValueError, match='class'):
            model.sample(4, class_ids=wrong)
        with pytest.raises(ValueError, match='class'):
            model.log_prob(expected, wrong)
    with pytest.raises(ValueError, match='conditioned on the class: give class_ids'):
        model.log_prob(expected)


def test_an_unconditional_model_takes_no_classes(random_model):
    model = wavenet.Model(random_model(1))
    for call in (lambda: model.sample(1, size=2, class_ids=0),
                 lambda: model.log_prob(np.zeros((1, 2, 2)), 0)):
        with pytest.raises(ValueError, match='the model is unconditional'):
            call()


@pytest.mark.parametrize('images, message', [
    (np.zeros((2, 4, 5), 'i'), 'for levels give as_levels=True'),
    (np.zeros((2, 4, 5), bool), 'for levels give as_levels=True'),
    (np.zeros((4, 5)), r'must have the shape \(N, H, W\)'),
    (np.zeros((2, 3, 4, 5)), r'must have the shape \(N, H, W\)'),
    (np.zeros((2, 4, 5, 3)), r'must have the shape \(N, H, W\)'),
    (np.full((2, 4, 5), 255.0), r'values in \[0, 1\], got 255'),
    (np.full((2, 4, 5), np.nan), r'values in \[0, 1\], got nan'),
])
def test_wrong_images_are_one_clear_error(random_model, images, message):
    model = wavenet.Model(random_model(1))
    for call in (model.log_prob, model.logits):
        with pytest.raises(ValueError, match=message):
            call(images)


@pytest.mark.parametrize('levels', [
    np.full((1, 2, 2), 4), np.full((1, 2, 2), -1), np.zeros((1, 2, 2))])
def test_wrong_levels_are_one_clear_error(random_model, levels):
    with pytest.raises(ValueError, match='levels are whole numbers from 0 to 3'):
        wavenet.Model(random_model(1)).log_prob(levels, as_levels=True)


@pytest.mark.parametrize('arguments, message', [
    (dict(), 'give size'), (dict(size=2, mask=1), 'given and mask go together'),
    (dict(given=np.zeros((3, 4, 5)), mask=1), 'given must be 2 images'),
    (dict(given=np.zeros((2, 4, 5)), mask=1, size=3), 'of the size asked for')])
def test_wrong_arguments_are_one_clear_error(random_model, arguments, message):
    with pytest.raises(ValueError, match=message):
        wavenet.Model(random_model(1)).sample(2, **arguments)


def test_weights_that_are_too_large_are_said(random_model):
    model = wavenet.Model(random_model(1))
    model.network.conv4.W.array[...] = np.inf
    with pytest.raises(ValueError, match='not finite'):
        model.log_prob(np.ones((1, 4, 5)))


def test_progress_counts_pixels_and_images(random_model):
    model, counts = wavenet.Model(random_model(1)), []
    model.sample(2, size=(4, 5), progress=counts.append)
    assert sum(counts) == 20
    counts.clear()
    model.log_prob(np.zeros((7, 4, 5)), batchsize=3, progress=counts.append)
    assert counts == [3, 3, 1]


def test_what_a_model_says_of_itself(model, tmp_path):
    text = repr(model)
    count = sum(param.size for param in model.network.params())
    assert f'{count:,} parameters, {model.levels} levels' in text and 'PixelCNN' in text
    for name, value in model.config.to_json().items():
        assert f'{name}={value}' in text
    assert model.image_size == (4, 5)
    model.save(tmp_path / 'again')
    again = wavenet.load(tmp_path / 'again')
    assert repr(again) == text and again.about == model.about
    assert (again.sample(2, seed=0) == model.sample(2, seed=0)).all()


def test_the_names_of_the_package():
    assert {'load', 'train', 'Model', 'pretrained'} <= set(dir(wavenet))
    assert isinstance(wavenet.__version__, str)


# Training

# helpers.SMALL, and 4 levels
OPTIONS = dict(channels=1, hidden_dim=2, blocks_num=1, out_hidden_dim=4, batchsize=16, levels=4)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_is_what_train_py_does(folder, train, images):
    assert train('--levels', 4, '--iteration', 5).returncode == 0
    command = parameters('out/model.npz')
    model = wavenet.train(images, **OPTIONS, iteration=5, out='again')
    assert isinstance(model, wavenet.Model) and model.about['iteration'] == 5
    for name, array in parameters('again/model.npz').items():
        assert (array == command[name]).all()
    assert isinstance(model.network, models.PixelCNN) and model.levels == 4


def test_options_of_every_kind(folder):
    model = wavenet.train('digits', model='gated', channels=1, hidden_dim=2, blocks_num=1,
                          binarize=True, stats=False, clip=None, learning_rate=0.01, iteration=1)
    assert isinstance(model.network, GatedPixelCNN) and model.about['binarize'] is True
    assert model.about['clip'] == 1 and model.about['learning_rate'] == 0.01


@pytest.mark.parametrize('dataset, options, message', [
    ('digits', dict(levls=3), 'levls'),
    ('digits', dict(levels=1), 'levels: must be from 2 to 256, got 1'),
    ('digits', dict(loss='sigmoid', levels=3), '--loss sigmoid needs --levels 2'),
    ('nothing', dict(), 'unknown dataset'),
    ('digits', dict(gpu=99), 'cannot use the device'),
])
def test_mistakes_are_exceptions(folder, dataset, options, message):
    with pytest.raises(ValueError, match=message):
        wavenet.train(dataset, **options)
    assert os.listdir(folder) == []


def test_runs_in_one_process_do_not_disturb_each_other(folder):
    gc.disable()
    try:
        for iteration in (1, 2):
            wavenet.train('digits', **OPTIONS, iteration=iteration, resume='auto')
            with pytest.raises(ValueError):
                wavenet.train('digits', **dict(OPTIONS, levels=5), iteration=3, resume='auto')
    finally:
        gc.enable()
    assert wavenet.load('out/model.npz').about['iteration'] == 2


def test_an_interrupted_training_can_go_on(train, folder, images):
    def interrupt(updater):
        os.kill(os.getpid(), signal.SIGINT)

    train('--epoch', 1, at={2: interrupt})       # `train` patches the updater for later runs, too
    with pytest.raises(KeyboardInterrupt):
        wavenet.train(images, **OPTIONS, out='mine')
    assert os.path.exists('mine/snapshot_iter_2')


def test_a_training_may_run_in_any_thread(folder):
    result = []
    thread = threading.Thread(
        target=lambda: result.append(wavenet.train('digits', **OPTIONS, iteration=1)))
    thread.start()
    thread.join()
    assert math.isfinite(result[0].log_prob(np.zeros((1, 8, 8)))[0])


def test_a_mistake_shows_one_traceback(tmp_path):
    """Not a second one of the library's error that it comes from."""
    with pytest.raises(ValueError) as caught:
        wavenet.train(str(tmp_path / 'nothing'), out=str(tmp_path / 'out'))
    assert caught.value.__suppress_context__ and caught.value.__cause__ is None
