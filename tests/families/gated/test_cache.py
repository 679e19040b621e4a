import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from helpers import cached_logits
from wavenet import sampling
from wavenet.families.gated.cache import GatedCache, VerticalStack
from wavenet.sampling import generate


def check_methods_agree(model, shape, seed=0):
    class_ids = (np.arange(shape[0]) * 3 % model.num_classes).astype('i')
    samples = generate(model, shape, seed, class_ids=class_ids)
    assert (samples == generate(model, shape, seed, 'naive', class_ids=class_ids)).all()
    # Equal samples could be luck, so the logits must be equal, too, except for rounding.
    class_ids = model.xp.asarray(class_ids)
    with chainer.no_backprop_mode():
        expected = model(samples, class_ids).array
    cache = GatedCache(model, samples, class_ids)
    logits = cached_logits(cache, samples, model.out_dims)
    assert abs(logits - expected).max() <= 1e-5 * max(1, abs(expected).max())


@pytest.fixture(params=['paper', 'author'])
def form(request):
    return request.param


@pytest.mark.parametrize('in_channels', [1, 3])
@pytest.mark.parametrize('out_dims, hidden_dims', [(1, 12), (5, 13), (256, 14)])
def test_cached_equals_naive(random_gated_model, device, form, in_channels, out_dims, hidden_dims):
    model = random_gated_model(
        in_channels, hidden_dims, out_hidden_dims=7, out_dims=out_dims, form=form)
    model.to_device(device)
    check_methods_agree(model, (5, in_channels, 6, 7))


@pytest.mark.parametrize('in_channels', [1, 3])
@pytest.mark.parametrize('height, width', [(1, 1), (1, 9), (9, 1), (2, 2), (3, 20)])
def test_any_size(random_gated_model, form, in_channels, height, width):
    check_methods_agree(random_gated_model(in_channels, form=form), (4, in_channels, height, width))


@pytest.mark.parametrize('sizes', [
    dict(block_num=0), dict(block_num=9), dict(hidden_dims=1), dict(hidden_dims=2),
    dict(hidden_dims=3, out_hidden_dims=1), dict(hidden_dims=48, out_hidden_dims=16),
    dict(num_classes=1), dict(in_channels=2)])
def test_any_architecture(random_gated_model, form, sizes):
    model = random_gated_model(form=form, **sizes)
    check_methods_agree(model, (3, model.in_channels, 5, 6))


@pytest.mark.parametrize('batch', [1, 33])
def test_any_batch(random_gated_model, device, batch):
    model = random_gated_model()
    model.to_device(device)
    check_methods_agree(model, (batch, 3, 5, 6))


def test_any_number_of_cores_samples_the_same_images(random_gated_model, monkeypatch):
    model = random_gated_model()
    monkeypatch.setattr(sampling, 'IMAGES_OF_A_CORE', 2)
    expected = generate(model, (7, 3, 4, 5), 0, 'naive')
    for workers in (1, 2, 3):
        monkeypatch.setattr(sampling.threads, 'WORKERS', workers)
        assert (generate(model, (7, 3, 4, 5), 0) == expected).all()


@pytest.mark.parametrize('method', ['cached', 'naive'])
def test_a_part_is_that_of_the_whole(random_gated_model, device, method):
    model = random_gated_model()
    model.to_device(device)
    whole = generate(model, (7, 3, 3, 4), 0, method)
    part = slice(1, None, 3)
    assert (generate(model, (7, 3, 3, 4), 0, method, part=part) == whole[part]).all()


@pytest.mark.parametrize('method', ['cached', 'naive'])
def test_given_rows_are_kept(random_gated_model, method):
    model = random_gated_model()
    whole = generate(model, (4, 3, 6, 5), 0)
    # The other rows use the same random numbers, so they are the same again.
    assert (generate(model, (4, 3, 6, 5), 0, method, given=(whole, 3)) == whole).all()


@pytest.mark.parametrize('method', ['cached', 'naive'])
def test_class_ids(random_gated_model, device, method):
    model = random_gated_model(num_classes=3)
    model.to_device(device)

    def sample(class_ids):
        return cuda.to_cpu(generate(model, (4, 3, 4, 4), 0, method, class_ids=class_ids))
    default = sample(None)
    assert (default == sample([0, 1, 2, 0])).all()           # all classes in turn
    ones = sample([1, 1, 1, 1])
    assert (ones[1] == default[1]).all() and (ones != default).any()
    assert (sample(model.xp.array([1, 1, 1, 1])) == ones).all()


def test_class_ids_that_do_not_fit_are_refused(random_gated_model, random_model):
    for class_ids in ([0, 1], [0, 1, 2, 3], [0, 0, 0, -1], 0, [0.5, 0, 0, 0]):
        with pytest.raises(ValueError, match='class_ids'):
            generate(random_gated_model(num_classes=3), (4, 3, 2, 2), class_ids=class_ids)
    with pytest.raises(ValueError, match='unconditional'):
        generate(random_model(), (4, 3, 2, 2), class_ids=[0, 0, 0, 0])


def test_each_stack_is_computed_once(random_gated_model, monkeypatch):
    """The vertical stack once for each row, the horizontal one for each pixel and colour."""
    monkeypatch.setattr(sampling.threads, 'WORKERS', 1)      # each core has a vertical stack
    calls = []

    def counted(kind, name):
        method = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *args: calls.append(name) or method(*args))

    counted(VerticalStack, 'next_row')
    counted(GatedCache, 'logits')
    generate(random_gated_model(), (3, 3, 5, 6), 0)
    assert (calls.count('next_row'), calls.count('logits')) == (5, 5 * 6 * 3)
