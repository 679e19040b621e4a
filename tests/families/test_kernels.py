"""The kernels that generate, compiled by CUDA's own compiler, which needs no GPU."""
import pytest

from wavenet.families.gated import cache_gpu as gated
from wavenet.families.pixelcnn import cache_gpu as pixelcnn
from wavenet.families.wavenet import state_gpu as wavenet_


@pytest.mark.parametrize('kernel', [pixelcnn.KERNEL, gated.KERNEL, wavenet_.KERNEL],
                         ids=['pixelcnn', 'gated', 'wavenet'])
def test_the_kernel_compiles(kernel):
    nvrtc = pytest.importorskip('cupy_backends.cuda.libs.nvrtc')
    program = nvrtc.createProgram(kernel.source, f'{kernel.name}.cu', (), ())
    nvrtc.compileProgram(program, ('-arch=compute_80',))
    assert f'.entry {kernel.name}('.encode() in nvrtc.getPTX(program)
