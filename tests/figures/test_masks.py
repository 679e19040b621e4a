import numpy as np
import pytest

from wavenet.figures import masks
from wavenet.models import MaskedConvolution2D, PixelCNN


@pytest.fixture(scope='module')
def axes():
    return masks.figure().axes


def test_the_numbers_are_the_models(axes):
    gray = PixelCNN(1, 6, 1, 3, 4)
    for row, (kind, link) in enumerate([('A', gray.conv1), ('B', gray.blocks[0].conv2)]):
        around, center = [[text.get_text() for text in plot.texts]
                          for plot in axes[3 * row:3 * row + 2]]
        assert [int(text) for text in around] == link.mask[0, 0].ravel().tolist()
        expected = MaskedConvolution2D(4, 7, 3, mask=kind).mask[:, :, 1, 1]
        assert [int(text) for text in center[:28]] == expected.ravel().tolist()
        assert ''.join(center[28:]) == 'RGBRGBR' + 'RGBR'     # rows, then columns


@pytest.mark.parametrize('kind', ['A', 'B'])
def test_lines_connect_the_feature_maps_that_the_mask_connects(axes, kind):
    plot = axes[2 if kind == 'A' else 5]
    number = {circle.center: n for n, circle in enumerate(plot.patches)}     # 4 inputs, 7 outputs
    connected = np.zeros((7, 4), int)
    for line in plot.lines:
        start, end = zip(*line.get_data())
        connected[number[end] - 4, number[start]] += 1
    expected = MaskedConvolution2D(4, 7, 3, mask=kind).mask[:, :, 1, 1]
    assert connected.tolist() == expected.tolist()
