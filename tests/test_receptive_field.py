import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from wavenet.receptive_field import blind_spot, receptive_field

PIXEL = 4, 6


@pytest.fixture
def seeds():
    return iter(range(100))


@pytest.mark.parametrize('channels', [1, 3])
def test_the_papers_form_has_no_blind_spot(random_gated_model, seeds, channels):
    field = receptive_field(lambda: random_gated_model(channels, block_num=0, seed=next(seeds)),
                            channels, 6, 13, PIXEL)
    expected = np.zeros(field.shape, bool)
    expected[:, 0:4, 3:10] = expected[:, 4, 3:6] = True      # four rows above, and three pixels
    assert (field > 0).tolist() == expected.tolist() and field.max() == 1
    assert not blind_spot(field, PIXEL).any()


def test_blue_sees_more_of_its_pixel_than_red(random_gated_model, seeds):
    for color, before in ((0, []), (1, [0]), (2, [0, 1])):
        field = receptive_field(lambda: random_gated_model(3, block_num=0, seed=next(seeds)),
                                3, 6, 13, PIXEL, color)
        assert np.flatnonzero(field[:, 4, 6]).tolist() == before


@pytest.mark.parametrize('form, blind', [
    ('author', [[0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0, 0]]),
    ('post', [[0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0]])])
def test_the_others_have_one(random_gated_model, random_model, seeds, form, blind):
    def make_model():
        if form == 'post':
            return random_model(1, block_num=1, seed=next(seeds))
        return random_gated_model(1, block_num=1, form=form, seed=next(seeds))
    spot = blind_spot(receptive_field(make_model, 1, 6, 13, PIXEL), PIXEL)
    assert spot[0, 2:5, 2:11].astype(int).tolist() == blind
    assert spot.sum() == np.sum(blind)


def run(*args):
    return subprocess.run([sys.executable, '-m', 'wavenet.receptive_field'] + list(args), cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def test_the_picture(tmp_path):
    path = str(tmp_path / 'a.png')
    result = run('--output', path)
    assert (result.returncode, result.stdout, result.stderr) == (0, path + '\n', '')
    with Image.open(path) as picture:
        assert picture.format == 'PNG' and picture.size[0] > picture.size[1] > 300
        assert len(np.unique(np.asarray(picture.convert('L')))) > 50


@pytest.mark.parametrize('path, named', [('a.txt', '.png'), ('nowhere/a.png', 'nowhere')])
def test_a_users_mistake(path, named):
    result = run('-o', path)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert named in result.stderr and 'error: ' in result.stderr
