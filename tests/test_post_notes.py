"""The facts that docs/faithfulness.md states in its notes on the post."""
import chainer.links as L
import numpy as np
import pytest

from wavenet.figures.receptive_field import count_paths
from wavenet.models import MaskedConvolution2D, PixelCNN
from wavenet.utils import quantize


def mask_of_the_post(link, kind, first_column):
    """The post's mask: its lines, which zero the center row from a column on, then its colour
    masks."""
    out_channels, in_channels, height, width = link.mask.shape
    y, x = height // 2, width // 2
    mask = np.ones_like(link.mask)
    mask[:, :, y + 1:] = 0
    mask[:, :, y, x + first_column:] = 0
    out_color, in_color = np.indices((out_channels, in_channels)) % 3
    center = mask[:, :, y, x]
    center[in_color == out_color] = kind == 'B'
    center[in_color > out_color] = 0
    return mask


@pytest.mark.parametrize('kind', ['A', 'B'])
def test_in_colour_the_posts_lines_are_right_and_the_readers_line_is_wrong(kind):
    link = MaskedConvolution2D(4, 7, 7, mask=kind)
    assert (mask_of_the_post(link, kind, first_column=1) == link.mask).all()
    readers = mask_of_the_post(link, kind, first_column=0)
    outputs, inputs, rows, columns = (readers != link.mask).nonzero()
    assert set(rows) == set(columns) == {3}                     # at the center, (output, input):
    assert set(zip(outputs % 3, inputs % 3)) == {(1, 0), (2, 0), (2, 1)}


def test_the_readers_line_is_right_in_grayscale_for_mask_a():
    mask = np.ones((1, 1, 7, 7))
    mask[:, :, 4:] = 0
    mask[:, :, 3, 3:] = 0
    assert (mask == MaskedConvolution2D(1, 1, 7, mask='A', colors=1).mask).all()
    assert (mask != MaskedConvolution2D(1, 1, 7, mask='B', colors=1).mask).sum() == 1


def reached_colors(model):
    """Returns bools [changed][reached]: whether a changed colour moves the logits of another colour
    of its pixel."""
    x = np.zeros((1, 3, 1, 1), 'f')
    before = model(x).array
    return [(model(x + np.eye(3, dtype='f')[k].reshape(1, 3, 1, 1)).array != before).any(
        axis=(0, 1, 3, 4)).tolist() for k in range(3)]


def masked_links(model):
    return [link for link in model.links() if isinstance(link, MaskedConvolution2D)]


@pytest.mark.parametrize('first_column, green_sees_red', [(1, True), (0, False)])
def test_with_the_readers_line_colours_do_not_see_each_other(first_column, green_sees_red,
                                                             random_model):
    model = random_model()
    for link in masked_links(model):
        kind = 'A' if link is model.conv1 else 'B'
        link.mask = mask_of_the_post(link, kind, first_column)
    reached = reached_colors(model)
    assert reached[0] == [False, green_sees_red, green_sees_red]
    assert reached[1] == [False, False, green_sees_red]


def test_a_layer_without_a_mask_shows_a_value_to_itself(random_model):
    model = random_model()
    assert not np.diag(reached_colors(model)).any()
    conv = model.blocks[0].conv2
    conv.mask = np.ones_like(conv.mask)
    assert np.diag(reached_colors(model)).any()


def test_chainers_weights_begin_with_the_outputs():
    assert L.Convolution2D(3, 8, (5, 7)).W.shape == (8, 3, 5, 7)
    assert L.Deconvolution2D(3, 8, (5, 7)).W.shape == (3, 8, 5, 7)    # the reader's order


def test_the_bin_called_8():
    assert quantize(np.array([0.03125, np.nextafter(0.03515625, 0)]), 256).tolist() == [8, 8]
    between = np.linspace(0.00390625, 0.03515625, 1000, endpoint=False)
    assert np.unique(quantize(between, 256)).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_quantizing_moves_values_less_than_a_bin_and_those_of_8_bits_not_at_all():
    values = np.linspace(0, 1, 10001)
    for levels in (2, 4, 8, 256):
        moved = abs(quantize(values, levels) / (levels - 1) - values).max()
        assert 0.9 / levels < moved <= 1 / levels
    pixels = np.arange(256).astype('f') / 255
    assert (quantize(pixels, 256).astype('f') / 255 == pixels).all()


@pytest.mark.parametrize('relu, linear', [(True, False), (False, True)])
def test_the_logits_are_not_linear_in_the_image(relu, linear, random_model, monkeypatch):
    model = random_model()
    if not relu:      # with large biases the ReLUs do nothing, and the model is linear
        for link in masked_links(model):
            link.b.array[...] = 1000
    one, other = np.random.RandomState(0).rand(2, 1, 3, 5, 6).astype('f')
    between = model((one + other) / 2).array
    bend = abs(between - (model(one).array + model(other).array) / 2).max() / abs(between).std()
    assert (bend < 1e-3) == linear


# The receptive field

def test_two_layers_see_what_the_post_draws_except_the_center():
    links = [MaskedConvolution2D(1, 1, 3, pad=1, mask=kind, colors=1) for kind in 'AB']
    # The figure has the opacities 101, 162 and 199 of 255: 1 - (1 - 101 / 255) ** paths
    drawn = np.array([[1, 2, 3, 2, 1], [2, 3, 3, 1, 0], [1, 1, 1, 0, 0], [0] * 5, [0] * 5])
    drawn[2, 2] = 0
    assert count_paths(links, 5, 5, (2, 2)).tolist() == drawn.tolist()


@pytest.mark.parametrize('blocks', [0, 1, 15])
def test_how_far_a_pixel_sees(blocks):
    model = PixelCNN(1, 2, blocks, 1, 2)           # blocks with one feature map inside
    first = MaskedConvolution2D(1, 1, model.conv1.W.shape[2], pad=3, mask='A', colors=1)
    inside = [block.conv2 for block in model.blocks]
    pixel, size = (20, 20), 41
    seen = count_paths([first] + inside, 22, size, pixel) > 0
    reach = 3 + blocks
    expected = np.zeros_like(seen)
    for up in range(reach + 1):    # to the right, one column more with each row, at most `reach`
        right = min(reach, 2 + up) if up else -1
        expected[20 - up, 20 - reach:20 + right + 1] = True
    assert seen.tolist() == expected.tolist()
