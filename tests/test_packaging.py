"""The lists of what running needs agree."""
import pathlib

import pytest

from helpers import ROOT
from wavenet import compat

tomllib = pytest.importorskip('tomllib')  # Python 3.11


def test_requirements_are_those_of_the_package():
    lines = pathlib.Path(ROOT, 'requirements.txt').read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith('#')]
    project = tomllib.loads(pathlib.Path(ROOT, 'pyproject.toml').read_text())['project']
    assert project['dependencies'] == requirements
    names = [requirement.split('=')[0].rstrip('>') for requirement in requirements]
    assert sorted(names) == sorted(compat._NEEDED.values())
