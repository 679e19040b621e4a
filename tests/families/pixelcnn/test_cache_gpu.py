"""The kernel that samples on a GPU. A CPU runs its threads here, to test its logic."""
import numpy as np
import pytest

from families import kernel_on_cpu
from wavenet.families.pixelcnn import cache_gpu
from wavenet.sampling import generate


@pytest.fixture(scope='session')
def launch(tmp_path_factory):
    """The kernel, compiled for the CPU."""
    return kernel_on_cpu.compiled(cache_gpu.KERNEL, tmp_path_factory.mktemp('kernel'))


@pytest.fixture
def generate_by_kernel(launch, monkeypatch):
    """`wavenet.sampling.generate` with seed 0, by the kernel."""
    return kernel_on_cpu.generation(
        launch, lambda model, samples, class_ids: cache_gpu.RowCache(model, samples), monkeypatch)


@pytest.mark.parametrize('in_channels, sizes', [
    (channels, sizes) for channels in (1, 2, 3) for sizes in (
        dict(out_dims=1), dict(out_dims=2), dict(hidden_dims=13, out_hidden_dims=7),
        dict(hidden_dims=2, out_hidden_dims=1), dict(block_num=0))] + [
    (1, dict(out_dims=256)), (3, dict(out_dims=256)), (3, dict(hidden_dims=70, block_num=1))] + [
    # More feature maps than warps, in several blocks: the compiled kernel takes seconds on a CPU
    pytest.param(*case, marks=pytest.mark.exhaustive) for case in (
        (2, dict(out_dims=256)), (1, dict(hidden_dims=70)), (2, dict(hidden_dims=70)),
        (3, dict(hidden_dims=70)))])
def test_the_kernel_samples_the_same_as_the_cpu(
        generate_by_kernel, random_model, in_channels, sizes):
    model = random_model(in_channels, **sizes)
    kernel_on_cpu.check_images(generate_by_kernel, model, (2, in_channels, 3, 4))


@pytest.mark.parametrize('height, width', [(1, 1), (1, 9), (9, 1)])
def test_any_size(generate_by_kernel, random_model, height, width):
    kernel_on_cpu.check_images(
        generate_by_kernel, random_model(), (2, 3, height, width))


def test_given_rows_and_a_part(generate_by_kernel, random_model):
    images = np.random.RandomState(1).rand(5, 3, 4, 4)
    kwargs = dict(given=(images, 2), part=slice(1, 4))
    expected = generate(random_model(), (5, 3, 4, 4), seed=0, **kwargs)
    pixels = []
    samples = generate_by_kernel(random_model(), (5, 3, 4, 4), progress=pixels.append, **kwargs)
    assert (samples == expected).all() and sum(pixels) == 16


@pytest.mark.parametrize('out_dims', [1, 4])
def test_logits_that_are_not_finite(generate_by_kernel, random_model, out_dims):
    kernel_on_cpu.check_logits_that_are_not_finite(
        generate_by_kernel, random_model(out_dims=out_dims), (1, 3, 4, 4))


def test_a_temperature_and_a_mask(random_model, generate_by_kernel):
    model = random_model(3, hidden_dims=7, block_num=2)
    images = np.random.RandomState(1).rand(5, 3, 4, 6).astype('f')
    mask = np.random.RandomState(2).rand(4, 6) < 0.5
    for options in (dict(temperature=0.5), dict(given=(images, mask), temperature=2.0),
                    dict(given=(images, 2), temperature=3.0)):
        found = generate_by_kernel(model, (5, 3, 4, 6), **options)
        assert (found == generate(model, (5, 3, 4, 6), seed=0, method='naive', **options)).all()
