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
    return kernel_on_cpu.generation(launch, cache_gpu.RowCache, monkeypatch)


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
    shape = 2, in_channels, 3, 4
    assert (generate_by_kernel(model, shape) == generate(model, shape, seed=0)).all()


@pytest.mark.parametrize('height, width', [(1, 1), (1, 9), (9, 1)])
def test_any_size(generate_by_kernel, random_model, height, width):
    shape = 2, 3, height, width
    expected = generate(random_model(), shape, seed=0)
    assert (generate_by_kernel(random_model(), shape) == expected).all()


def test_given_rows_and_a_part(generate_by_kernel, random_model):
    images = np.random.RandomState(1).rand(5, 3, 4, 4)
    kwargs = dict(given=(images, 2), part=slice(1, 4))
    expected = generate(random_model(), (5, 3, 4, 4), seed=0, **kwargs)
    pixels = []
    samples = generate_by_kernel(random_model(), (5, 3, 4, 4), progress=pixels.append, **kwargs)
    assert (samples == expected).all() and sum(pixels) == 16


@pytest.mark.parametrize('out_dims', [1, 4])
def test_logits_that_are_not_finite(generate_by_kernel, random_model, out_dims):
    model = random_model(out_dims=out_dims)
    for param in model.params():
        param.array *= 1e20  # finite, but their products are not
    with np.errstate(all='ignore'), pytest.raises(ValueError, match='logits are not finite'):
        generate_by_kernel(model, (1, 3, 4, 4))


def test_the_kernel_compiles():
    """CUDA's own compiler needs no GPU."""
    nvrtc = pytest.importorskip('cupy_backends.cuda.libs.nvrtc')
    program = nvrtc.createProgram(cache_gpu.KERNEL.source, 'draw_row.cu', (), ())
    nvrtc.compileProgram(program, ('-arch=compute_80',))
    assert b'.entry draw_row(' in nvrtc.getPTX(program)


def test_a_temperature_and_a_mask(random_model, generate_by_kernel):
    model = random_model(3, hidden_dims=7, block_num=2)
    images = np.random.RandomState(1).rand(5, 3, 4, 6).astype('f')
    mask = np.random.RandomState(2).rand(4, 6) < 0.5
    for options in (dict(temperature=0.5), dict(given=(images, mask), temperature=2.0),
                    dict(given=(images, 2), temperature=3.0)):
        found = generate_by_kernel(model, (5, 3, 4, 6), **options)
        assert (found == generate(model, (5, 3, 4, 6), seed=0, method='naive', **options)).all()
