"""The package: what running needs, what a wheel holds, and the commands that it installs."""
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import wavenet
from helpers import ROOT
from wavenet import compat


def test_requirements_are_those_of_the_package():
    tomllib = pytest.importorskip('tomllib')  # Python 3.11
    lines = pathlib.Path(ROOT, 'requirements.txt').read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith('#')]
    project = tomllib.loads(pathlib.Path(ROOT, 'pyproject.toml').read_text())['project']
    assert project['dependencies'] == requirements
    names = [requirement.split('=')[0].rstrip('>') for requirement in requirements]
    # Those of sound are missed where sound is read, so that images do without them
    assert sorted(names) == sorted([*compat._NEEDED.values(), 'soundfile', 'soxr'])


def test_the_first_line_of_the_requirements_says_the_cure():
    first, *others = pathlib.Path(ROOT, 'requirements.txt').read_text().splitlines()
    assert first.startswith('#') and 'pkg_resources' in first
    assert others[0] == "#   pip install 'setuptools<81' wheel"


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The path of a wheel of this package, built from a copy: the build writes into the folder."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    shutil.copytree(os.path.join(ROOT, 'wavenet'), source / 'wavenet',
                    ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'README.md', 'LICENSE', 'train.py', 'generate.py'):
        shutil.copy(os.path.join(ROOT, name), source)
    pip('wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', folder, source)
    return next(folder.glob('*.whl'))


def pip(*args):
    subprocess.run([sys.executable, '-m', 'pip', '--quiet', *args], check=True)


def test_a_wheel_holds_all_that_the_package_needs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    files = {f'wavenet/{path.relative_to(os.path.join(ROOT, "wavenet"))}'
             for path in pathlib.Path(ROOT, 'wavenet').rglob('*')
             if path.is_file() and '__pycache__' not in path.parts}
    assert {name for name in names if name.startswith('wavenet/')} == files
    assert {'wavenet/data/digits.npz', 'wavenet/data/librivox_8khz_mulaw.npz',
            'wavenet/families/pixelcnn/draw_row.cu', 'wavenet/pretrained/mnist.npz'} <= files
    # No module `train` or `generate` beside the package
    assert {name.split('/')[0] for name in names} == {
        'wavenet', f'wavenet_pixelcnn-{wavenet.__version__}.dist-info'}


def test_the_commands_work_where_the_wheel_is_installed(wheel, tmp_path):
    target = tmp_path / 'target'
    pip('install', '--no-deps', '--target', target, wheel)

    def run(name, *args):
        result = subprocess.run([str(target / 'bin' / name), *args], cwd=tmp_path, check=True,
                                env=dict(os.environ, PYTHONPATH=str(target)),
                                stdout=subprocess.PIPE, text=True)
        return result.stdout.splitlines()

    for name in ('wavenet-train', 'wavenet-generate', 'wavenet-evaluate'):
        assert run(name, '--version') == [f'wavenet {wavenet.__version__}']
    *_, last = run('wavenet-train', '--dataset', 'digits', '--channels', '1', '-d', '1', '-n', '1',
                   '--iteration', '1')
    assert last == 'wavenet-generate --model out/model.npz'
    assert run('wavenet-generate', '--model', 'mnist', '--count', '1')[0] == 'samples.png'
    assert run('wavenet-evaluate', '--model', 'out/model.npz', '--dataset', 'digits')


def test_the_pretrained_models_are_small():
    sizes = [path.stat().st_size for path in pathlib.Path(ROOT, 'wavenet/pretrained').iterdir()
             if path.suffix == '.npz']
    assert 0 < sum(sizes) < 400_000
