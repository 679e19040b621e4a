import numpy as np
import pytest

from wavenet.families.pixelcnn_pp.model import PixelCNNPP
from wavenet.figures.receptive_field import blind_spot, count_paths, receptive_field
from wavenet.models import MaskedConvolution2D

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


@pytest.mark.parametrize('channels', [1, 3])
def test_pixelcnn_pp_sees_all_pixels_before(channels):
    field = receptive_field(lambda: PixelCNNPP(channels, 2, 6, 2), channels, 6, 8, (4, 5))
    before = np.arange(6 * 8).reshape(6, 8) < 4 * 8 + 5
    assert (field > 0).tolist() == [before.tolist()] * channels and field.max() == 1
    assert not blind_spot(field, (4, 5)).any()


def test_blue_sees_more_of_its_pixel_than_red(random_gated_model, seeds):
    for color, before in ((0, []), (1, [0]), (2, [0, 1])):
        field = receptive_field(lambda: random_gated_model(3, block_num=0, seed=next(seeds)),
                                3, 6, 13, PIXEL, color)
        assert np.flatnonzero(field[:, 4, 6]).tolist() == before


@pytest.mark.parametrize('form, blind', [
    ('author', ['000000000', '111111111', '111100000']),
    ('post', ['000000000', '000000001', '000000000'])])
def test_the_others_have_one(random_gated_model, random_model, seeds, form, blind):
    def make_model():
        if form == 'post':
            return random_model(1, block_num=1, seed=next(seeds))
        return random_gated_model(1, block_num=1, form=form, seed=next(seeds))
    spot = blind_spot(receptive_field(make_model, 1, 6, 13, PIXEL), PIXEL)
    assert [''.join(map(str, row)) for row in spot[0, 2:5, 2:11].astype(int)] == blind
    assert spot.sum() == ''.join(blind).count('1')


@pytest.mark.parametrize('masks', ['AB', 'BB', 'AA', 'ABB'])
def test_paths_are_counted(masks):
    links = [MaskedConvolution2D(1, 1, 3, pad=1, mask=mask, colors=1) for mask in masks]

    def count(pixel, layers):   # backwards, from layer to layer
        if not layers:
            ways[pixel] += 1
            return
        for i, j in np.argwhere(layers[-1].mask[0, 0]):
            count((pixel[0] + i - 1, pixel[1] + j - 1), layers[:-1])
    ways = np.zeros((6, 13), int)
    count(PIXEL, links)
    assert count_paths(links, 6, 13, PIXEL).tolist() == ways.tolist()


def test_paths_lead_where_a_changed_pixel_shows():
    links = [MaskedConvolution2D(1, 1, 3, pad=1, mask=mask, colors=1) for mask in 'AB']
    x = np.zeros((30, 1, 5, 6), 'f')
    x.reshape(30, 30)[:] = np.eye(30)      # one image for each pixel: only that pixel is set
    h = x
    for link in links:
        h = link(h)
    changed = (h.array[:, 0, 2, 2] != 0).reshape(5, 6)
    assert changed.tolist() == (count_paths(links, 5, 6, (2, 2)) > 0).tolist()
    assert changed.sum() == 11
