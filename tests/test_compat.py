"""What `import wavenet` does, in fresh interpreters."""
import subprocess
import sys

import pytest

import wavenet
from helpers import ROOT
from wavenet import compat

# An interpreter without numpy.sctypes, as with NumPy 2, and one that has it, whatever this one is
LACKING = '''
import numpy as np
if 'sctypes' in vars(np): del np.sctypes
'''
HAVING = '''
import numpy as np
before = np.sctypes = {'int': [np.int32, np.int64], 'float': [np.float32]}
'''
REPORT = '''
import wavenet.compat, chainer
print([line.split()[0] for line in wavenet.compat.RESTORED], chainer.links.Linear(2, 1).W.shape)
'''
WITHOUT_CHAINER = '''
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == 'chainer' else find_spec(name, *a)
'''


def run(*lines):
    return subprocess.run([sys.executable, '-c', ''.join(lines)], cwd=ROOT, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.splitlines()


def test_what_is_missing_is_restored():
    assert run(LACKING, REPORT) == ["['numpy.sctypes', 'chainer._environment_check'] (1, 2)"]


def test_what_is_there_is_not_touched():
    assert run(HAVING, REPORT, 'print(np.sctypes is before)') == [
        "['chainer._environment_check'] (1, 2)", 'True']


def test_chainer_that_was_imported_before_is_not_touched():
    before = 'import numpy, types, sys\n' \
        "check = sys.modules['chainer._environment_check'] = types.ModuleType('check')\n"
    assert run(before, 'import wavenet\n', "print(sys.modules['chainer._environment_check'] is "
               "check, [line for line in wavenet.compat.RESTORED if 'check' in line])") == [
        'True []']


def test_what_is_not_installed_is_named(tmp_path):
    assert run(WITHOUT_CHAINER, '''
try:
    import wavenet
except ImportError as error:
    print(error)
''')[0].startswith('chainer is not installed in this Python: `make demo` ')
    for script in ('train', 'generate'):
        result = subprocess.run(
            [sys.executable, '-c', f'{WITHOUT_CHAINER}\nimport {script}'], cwd=ROOT,
            capture_output=True, text=True)
        assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
        assert result.stderr.startswith(f'{script}.py: error: chainer is not installed')


@pytest.mark.parametrize('dtype', ['mixed16', 'float16', 'float64'])
def test_chainers_variable_for_precision_does_not_leak_in(dtype):
    model = (f"import os; os.environ['CHAINER_DTYPE'] = '{dtype}'\n"
             'import wavenet, numpy as np\n'
             'from wavenet.families import registry\n'
             'from wavenet.families.gated.model import GatedPixelCNN\n'
             'made = [wavenet.models.PixelCNN(1, 2, 1, 2, 2), GatedPixelCNN(1, 2, 1, 2, 2)]\n'
             'made += [registry.get(model.family).build(model.config) for model in made]\n'
             "x, ids = np.zeros((1, 1, 2, 2), 'f'), np.zeros(1, 'i')\n"
             'for model in made:\n'
             '    for link in model.links(): assert all(p.dtype == "f" for p in link.params())\n'
             "    print(model(x, ids).dtype, wavenet.sampling.generate(model, x.shape, 0).dtype)\n")
    assert run(model) == ['float32 float32'] * 4


def test_a_wrong_value_of_that_variable_is_one_line(process):
    result = process('train.py', CHAINER_DTYPE='float8')
    assert result.returncode == 2 and result.stderr == (
        "train.py: error: the environment variable CHAINER_DTYPE is 'float8': unset it, or set it "
        'to one of float16, float32, float64, mixed16\n')


def test_the_import_is_light():
    assert run('import sys, wavenet\n', "print([name for name in ('chainer', 'matplotlib', 'PIL', "
               "'tqdm', 'threadpoolctl') if name in sys.modules])") == ['[]']


def test_public_modules_are_attributes():
    found = run('import wavenet\n',
                'for name in wavenet._MODULES: print(getattr(wavenet, name).__name__)')
    assert found == [f'wavenet.{name}' for name in wavenet._MODULES]
    assert set(wavenet.__all__) <= set(dir(wavenet))


def test_other_attributes_there_are_none():
    with pytest.raises(AttributeError, match="'wavenet' has no attribute 'nothing'"):
        wavenet.nothing  # noqa: B018


def test_it_says_what_it_did(command):
    result = command('-m', 'wavenet')
    commands, (versions, *restored) = (
        part.splitlines() for part in result.stdout.split('\n\n'))
    assert [line.split(',')[0].split('  ')[1] for line in commands[1:-1]] == [
        'python train.py', 'python generate.py'] + [f'python -m wavenet.{name}' for name in (
            'evaluate', 'curve', 'results', 'results.mistakes', 'figures', 'compare')]
    assert commands[-1].endswith(', '.join(wavenet.pretrained()))
    assert versions.startswith(f'wavenet {wavenet.__version__}, Python 3.')
    assert versions.endswith('Chainer 7.8.1')
    assert restored == ['restored ' + line for line in compat.RESTORED]
