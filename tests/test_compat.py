import subprocess
import sys

from helpers import ROOT

# A fresh interpreter that lacks what Chainer needs, as NumPy 2 and Python 3.12 do, and one that has
# all of it; whatever this one is.
LACKING = '''
import importlib.util, numpy as np
if 'sctypes' in vars(np): del np.sctypes
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == 'pkg_resources' else find_spec(name, *a)
'''
HAVING = '''
import importlib.machinery, importlib.util, numpy as np, sys, types
np.sctypes = {'int': [np.int32, np.int64], 'float': [np.float32]}
def there(name, **attributes):
    module = sys.modules[name] = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__dict__.update(attributes)
    return module
numpy_distutils = there('numpy.distutils', __path__=[])
np.distutils = numpy_distutils
numpy_distutils.system_info = there('numpy.distutils.system_info')
class NotFound(Exception): pass
def require(requirement): raise NotFound
there('pkg_resources', DistributionNotFound=NotFound, VersionConflict=NotFound, require=require)
before = np.sctypes
'''
REPORT = '''
import wavenet.compat, chainer
print(len(wavenet.compat.RESTORED), chainer.links.Linear(2, 1).W.shape)
'''


def run(*lines):
    return subprocess.run([sys.executable, '-c', ''.join(lines)], cwd=ROOT, check=True,
                          stdout=subprocess.PIPE, universal_newlines=True).stdout.split('\n')


def test_what_is_missing_is_restored():
    assert run(LACKING, REPORT)[0] == '2 (1, 2)'


def test_what_is_not_installed_is_named():
    without = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == 'chainer' else find_spec(name, *a)
import wavenet
"""
    result = subprocess.run([sys.executable, '-c', without], cwd=ROOT, stderr=subprocess.PIPE,
                            universal_newlines=True)
    assert result.returncode == 2 and result.stderr.count('\n') == 1
    assert result.stderr.startswith('chainer is not installed')


def test_what_is_there_is_not_touched():
    lines = run(HAVING, REPORT, 'print(np.sctypes is before, '
                                'chainer._environment_check.check.__name__)')
    assert lines[:2] == ['0 (1, 2)', 'True check']


def test_it_says_what_it_did():
    out = subprocess.run([sys.executable, '-m', 'wavenet'], cwd=ROOT, check=True,
                         stdout=subprocess.PIPE, universal_newlines=True).stdout
    restored = run('import wavenet.compat; print(len(wavenet.compat.RESTORED))')[0]
    assert 'Chainer 7.8.1' in out and out.count('restored ') == int(restored)
