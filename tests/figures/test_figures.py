"""The command `python -m wavenet.figures`."""
import os
import pathlib
import re

import matplotlib
import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from wavenet.figures import __main__ as figures

PROJECT = pathlib.Path(ROOT)
ASSETS = PROJECT / 'assets'


@pytest.fixture
def draw(command):
    return lambda *args: command('-m', 'wavenet.figures', *args)


def test_every_figure_is_written(draw, tmp_path):
    result = draw('--output', 'a/b')
    paths = [os.path.join('a', 'b', name + '.png') for name in figures.FIGURES]
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.split() == paths
    for path in paths:
        with Image.open(tmp_path / path) as image:
            assert image.format == 'PNG' and 1200 < image.width < 1800 > image.height > 400
            pixels = np.asarray(image.convert('RGBA'))
        assert (pixels[:, :, 3] == 255).all()                   # legible on a dark page, too
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        assert 0.02 < (pixels[:, :, :3] < 250).any(axis=2).mean() < 0.8
        assert (tmp_path / path).stat().st_size < 100000


def test_every_figure_is_shown_by_a_page():
    shown = set()
    for page in (PROJECT / 'README.md', *(PROJECT / 'docs').glob('*.md')):
        for path in re.findall(r'!\[[^]]*\]\(([^)]*assets/[^)]*)\)', page.read_text('utf-8')):
            assert (page.parent / path).is_file(), f'{page.name} shows {path}'
            shown.add(os.path.basename(path))
    assert {name + '.png' for name in figures.FIGURES} <= shown


def test_assets_are_small():
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) < 1.5e6


def test_the_same_bytes_whatever_the_users_style(draw, tmp_path):
    assert draw('two_layers', '-o', 'a').returncode == 0
    with matplotlib.rc_context({'font.family': 'serif', 'figure.facecolor': 'black'}):
        assert draw('two_layers', '-o', 'b').returncode == 0
    a, b = [(tmp_path / folder / 'two_layers.png').read_bytes() for folder in 'ab']
    assert a == b


@pytest.mark.parametrize('args, named', [
    (['mask'], "'mask'; choose from architecture, masks"),
    (['masks', '-o', 'file'], 'file: this is not a folder'),
    (['masks', '-o', 'file/folder'], "'file/folder'"),
    (['two_layers', 'masks', '-o', 'full'], 'full/masks.png')])
def test_a_users_mistake(args, named, draw, tmp_path):
    (tmp_path / 'file').write_text('mine')
    (tmp_path / 'full' / 'masks.png').mkdir(parents=True)
    result = draw(*args)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert named in result.stderr and 'error: ' in result.stderr
    assert (tmp_path / 'file').read_text() == 'mine'
    assert sorted(os.listdir(tmp_path)) == ['file', 'full']
    assert os.listdir(tmp_path / 'full') == ['masks.png']
