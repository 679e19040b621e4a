"""What CuPy and CUDA raise becomes one line. No GPU is needed: their classes are made here."""
import sys
import types
import warnings

import chainer
import pytest
from chainer.backends import cuda

from helpers import check_error
from wavenet import cli, compat

LIBRARY = ('CUDA environment is not correctly set up\n'
           '(see https://github.com/chainer/chainer#installation).Failure finding '
           '"libcublasLt.so.13": No such file')


@pytest.mark.parametrize('module', sorted(cli.GPU_ERRORS))
@pytest.mark.parametrize('text, line', [
    ('cudaErrorIllegalAddress: an illegal memory access was encountered',
     'GPU: cudaErrorIllegalAddress: an illegal memory access was encountered'),
    ('NVRTC_ERROR_COMPILATION\n\nkernel.cu(3): warning: x\nkernel.cu(5): error: no half\n  half x;',
     'GPU: NVRTC_ERROR_COMPILATION')])
def test_an_error_of_the_gpu_in_a_training(train, monkeypatch, module, text, line):
    Error = type(cli.GPU_ERRORS[module][0], (RuntimeError,), {})
    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{Error.__name__: Error}))

    def fail(updater):
        raise Error(text)

    result = train('--epoch', 9, at={4: fail})
    assert result.returncode == 1 and result.stderr.count('\n') == 1
    assert result.stderr.startswith(f'train.py: error: {line}; with the same options, --resume '
                                    'out/snapshot_iter_3 goes on')


def test_of_a_compiler_the_first_error_is_said(monkeypatch):
    Error = type('CompileException', (Exception,), {})
    monkeypatch.setitem(sys.modules, 'cupy.cuda.compiler',
                        types.SimpleNamespace(CompileException=Error))
    assert cli.reason(Error('kernel.cu(3): warning: x\nkernel.cu(5): error: no half\n  half x;')) \
        == 'GPU: kernel.cu(5): error: no half'


@pytest.fixture
def broken_gpu(monkeypatch):
    """A machine with one GPU, which raises an error of this text when it is used."""
    def make(text):
        runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, runtimeGetVersion=lambda: 12090)
        monkeypatch.setitem(sys.modules, 'cupy', types.SimpleNamespace(
            cuda=types.SimpleNamespace(runtime=runtime)))

        def get_device(specifier):
            raise RuntimeError(text)
        monkeypatch.setattr(chainer, 'get_device', get_device)
    return make


@pytest.mark.parametrize('gpu, text, words', [
    (0, LIBRARY, ['(Failure finding "libcublasLt.so.13": No such file; CUDA\'s libraries: pip '
                  "install 'cupy-cuda12x[ctk]')"]),
    (0, 'libnvrtc.so.12: cannot open shared object file',
     ['(libnvrtc.so.12: cannot open', "'cupy-cuda12x[ctk]'"]),
    (0, 'cudaErrorInsufficientDriver: too old', ['(cudaErrorInsufficientDriver: too old)']),
    (5, 'cudaErrorInvalidDevice: invalid device ordinal', ['(this machine has 1 CUDA device(s))'])])
def test_why_a_gpu_cannot_be_used(train, broken_gpu, gpu, text, words):
    broken_gpu(text)
    check_error(train('--iteration', 1, '--gpu', gpu), f'--gpu {gpu}: ', *words, '--gpu -1')


def test_warnings_about_libraries_that_are_not_needed_are_ignored():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        compat._ignore_warnings()
        for library in ('cudnn', 'nccl'):
            warnings.warn(f'\n{library} library could not be loaded.\n\nReason: …')
        warnings.warn('another')
    assert [str(warning.message) for warning in caught] == ['another']


def test_the_kernels_of_chainermn_get_half_again(monkeypatch):
    compiled = []
    monkeypatch.setattr(cuda, 'raw', lambda code, name: compiled.append(code))
    monkeypatch.setattr(compat, 'RESTORED', [])
    compat.restore_half()
    compat.restore_half()
    assert len(compat.RESTORED) == 1
    cuda.raw('half x;', 'with')
    cuda.raw('float x;', 'without')
    assert compiled == ['#include <cuda_fp16.h>\nhalf x;', 'float x;']
