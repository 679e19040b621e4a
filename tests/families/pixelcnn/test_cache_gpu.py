"""The kernel that samples on a GPU. A CPU runs its threads here, to test its logic."""
import ctypes
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from wavenet.families.pixelcnn import cache_gpu
from wavenet.sampling import generate

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = os.path.join(os.path.dirname(cache_gpu.__file__), 'draw_row.cu')
THREADS = 64


@pytest.fixture(scope='session')
def launch(tmp_path_factory):
    """The kernel, compiled for the CPU: launch(blocks, args)."""
    compiler = shutil.which(os.environ.get('CXX', 'g++'))
    if compiler is None:
        pytest.skip('no C++ compiler here')
    types = [parameter.strip().rsplit(' ', 1)[0] for parameter in re.search(
        r' draw_row\((.*?)\)', cache_gpu.SOURCE, re.DOTALL).group(1).split(',')]
    call = ', '.join(f'*(int*)args[{i}]' if of == 'int' else f'({of})args[{i}]'
                     for i, of in enumerate(types))
    library = str(tmp_path_factory.mktemp('kernel') / 'draw_row.so')
    subprocess.run(
        [compiler, '-O2', '-shared', '-fPIC', f'-DKERNEL_FILE="{KERNEL}"',
         f'-DKERNEL_CALL=draw_row({call})', '-o', library, os.path.join(HERE, 'cuda_on_cpu.cpp')],
        check=True)
    function = ctypes.CDLL(library).launch

    def launch(blocks, args):
        assert len(args) == len(types)
        for arg, of in zip(args, types):
            dtype = {'int': 'i4', 'const double*': 'f8'}.get(of, 'f4')
            assert arg.dtype == dtype and np.asarray(arg).flags.c_contiguous
        args = [np.asarray(arg) for arg in args]
        pointers = (ctypes.c_void_p * len(args))(*[arg.ctypes.data for arg in args])
        function(blocks, THREADS, pointers)
    return launch


@pytest.fixture
def generate_by_kernel(launch, monkeypatch):
    """`wavenet.sampling.generate` with seed 0, by the kernel."""
    def cached(model, samples, class_ids, uniforms, given, progress, temperature):
        state = cache_gpu.RowCache(model, samples)
        state.temperature = temperature
        state.run(uniforms, given, progress)

    def call(model, shape, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr(cache_gpu, '_draw_row', launch)
            patch.setattr('wavenet.sampling._cached', cached)
            return generate(model, shape, seed=0, **kwargs)
    return call


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
    program = nvrtc.createProgram(cache_gpu.SOURCE, 'draw_row.cu', (), ())
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
