"""The kernel that samples on a GPU. A CPU runs its threads here, to test its logic."""
import numpy as np
import pytest

from families import kernel_on_cpu
from wavenet.families.gated import cache_gpu
from wavenet.sampling import generate


@pytest.fixture(scope='session')
def launch(tmp_path_factory):
    """The kernel, compiled for the CPU."""
    return kernel_on_cpu.compiled(cache_gpu.KERNEL, tmp_path_factory.mktemp('kernel'))


@pytest.fixture
def generate_by_kernel(launch, monkeypatch):
    """`wavenet.sampling.generate` with seed 0, by the kernel."""
    return kernel_on_cpu.generation(launch, cache_gpu.GatedRowCache, monkeypatch)


@pytest.mark.parametrize('sizes', [
    dict(in_channels=1, out_dims=1), dict(in_channels=2, hidden_dims=5), dict(hidden_dims=7),
    dict(hidden_dims=2, out_hidden_dims=1), dict(block_num=0), dict(in_channels=1, out_dims=100),
    dict(one_hot=True), dict(in_channels=1, one_hot=True), dict(num_classes=1)])
@pytest.mark.parametrize('form', ['paper', 'author'])
def test_the_kernel_samples_the_same_as_the_cpu(
        generate_by_kernel, random_gated_model, form, sizes):
    model = random_gated_model(**{'hidden_dims': 6, 'form': form, **sizes})
    samples = kernel_on_cpu.check_images(generate_by_kernel, model, (2, model.in_channels, 4, 3))
    assert len(np.unique(samples)) > 1


@pytest.mark.parametrize('height, width', [(1, 1), (1, 9), (9, 1)])
def test_any_size(generate_by_kernel, random_gated_model, height, width):
    kernel_on_cpu.check_images(
        generate_by_kernel, random_gated_model(hidden_dims=5), (2, 3, height, width))


def test_classes_given_rows_a_part_and_a_temperature(generate_by_kernel, random_gated_model):
    model = random_gated_model(hidden_dims=5)
    images = np.random.RandomState(1).rand(5, 3, 4, 4)
    kwargs = dict(given=(images, 2), part=slice(1, 4), class_ids=[3, 1, 4, 1, 5], temperature=0.5)
    expected = generate(model, (5, 3, 4, 4), seed=0, **kwargs)
    pixels = []
    samples = generate_by_kernel(model, (5, 3, 4, 4), progress=pixels.append, **kwargs)
    assert (samples == expected).all() and pixels == [4] * 4
    kwargs['given'] = images, np.random.RandomState(2).rand(4, 4) < 0.5
    expected = generate(model, (5, 3, 4, 4), seed=0, **kwargs)
    assert (generate_by_kernel(model, (5, 3, 4, 4), **kwargs) == expected).all()


@pytest.mark.parametrize('out_dims', [1, 4])
def test_logits_that_are_not_finite(generate_by_kernel, random_gated_model, out_dims):
    kernel_on_cpu.check_logits_that_are_not_finite(
        generate_by_kernel, random_gated_model(out_dims=out_dims), (1, 3, 4, 4))
