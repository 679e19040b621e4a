"""The kernels that generate on a GPU. A CPU runs their threads here, to test their logic."""
import ctypes
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from wavenet import sampling
from wavenet.sampling import generate

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 64


def compiled(kernel, folder):
    """A kernel, compiled for the CPU: `gpu_state.launch` of it."""
    compiler = shutil.which(os.environ.get('CXX', 'g++'))
    if compiler is None:
        pytest.skip('no C++ compiler here')
    types = [parameter.strip().rsplit(' ', 1)[0] for parameter in re.search(
        rf' {kernel.name}\((.*?)\)', kernel.source, re.DOTALL).group(1).split(',')]
    call = ', '.join(f'*(int*)args[{i}]' if of == 'int' else f'({of})args[{i}]'
                     for i, of in enumerate(types))
    (folder / 'kernel.cu').write_text(kernel.source)
    subprocess.run(
        [compiler, '-O2', '-shared', '-fPIC', f'-DKERNEL_FILE="{folder / "kernel.cu"}"',
         f'-DKERNEL_CALL={kernel.name}({call})', '-o', str(folder / 'kernel.so'),
         os.path.join(HERE, 'cuda_on_cpu.cpp')], check=True)
    function = ctypes.CDLL(str(folder / 'kernel.so')).launch

    def launch(of_kernel, batch, args):
        assert of_kernel == kernel and len(args) == len(types)
        for arg, of in zip(args, types):
            dtype = {'int': 'i4', 'const double*': 'f8', 'const unsigned char*': 'u1'}.get(of, 'f4')
            assert arg.dtype == dtype and np.asarray(arg).flags.c_contiguous
        args = [np.asarray(arg) for arg in args]
        pointers = (ctypes.c_void_p * len(args))(*[arg.ctypes.data for arg in args])
        function(batch, THREADS, pointers)
    return launch


def check_logits_that_are_not_finite(generate_by_kernel, model, shape):
    for param in model.params():
        param.array *= 1e20  # finite, but their products are not
    with np.errstate(all='ignore'), pytest.raises(ValueError, match='logits are not finite'):
        generate_by_kernel(model, shape)


def check_images(generate_by_kernel, model, shape):
    """The kernel generates the images that the CPU generates. Returns: them."""
    samples = generate_by_kernel(model, shape)
    assert (samples == generate(model, shape, seed=0)).all()
    return samples


def generation(launch, make_state, monkeypatch):
    """`wavenet.sampling.generate` with seed 0, by a kernel."""
    def cached(model, samples, class_ids, uniforms, given, progress, how):
        sampling._run(make_state(model, samples, class_ids), how, uniforms, given, progress)

    def call(model, shape, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr('wavenet.families.gpu_state.launch', launch)
            patch.setattr('wavenet.sampling._cached', cached)
            return generate(model, shape, seed=0, **kwargs)
    return call
