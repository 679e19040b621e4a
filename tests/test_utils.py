import chainer
import numpy as np
import pytest

from wavenet import utils

VALUES = [0.82021865, 0.40114005, 0.70115555, 0.48837238, 0.358867,
          0.15298734, 0.54490917, 0.32857768, 0.28460412, 0.7673152]


# quantize

def test_the_posts_256_levels():
    values = [0.63088284, 0.38492999, 0.24928341, 0.38114789, 0.22476074,
              0.05843769, 0.93718617, 0.50012818, 0.06850125, 0.04906324]
    targets = utils.quantize(np.array(values), 256)
    assert targets.tolist() == [161, 98, 63, 97, 57, 14, 239, 128, 17, 12]
    assert targets.dtype == np.int32


def test_the_posts_4_levels():
    assert utils.quantize(np.array(VALUES), 4).tolist() == [3, 1, 2, 1, 1, 0, 2, 1, 1, 3]


def test_quantize_gives_the_authors_targets(reference):
    targets = utils.quantize(reference['images'], int(reference['config/out_dims']))
    assert (targets == reference['labels']).all()
    assert (targets.astype('f') / (int(reference['config/out_dims']) - 1) == reference['x']).all()


@pytest.mark.parametrize('levels', [2, 3, 5, 8, 255, 256])
def test_ends_and_edges_of_bins(levels):
    edges = np.arange(levels) / levels
    assert utils.quantize(edges, levels).tolist() == list(range(levels))
    assert utils.quantize(np.nextafter(edges[1:], 0), levels).tolist() == list(range(levels - 1))
    assert utils.quantize(np.array([1.0]), levels).tolist() == [levels - 1]


def test_quantize_keeps_shape_and_device(device):
    images = device.send(np.random.RandomState(0).rand(2, 3, 4, 5).astype('f'))
    targets = utils.quantize(images, 8)
    assert isinstance(targets, device.xp.ndarray) and targets.shape == images.shape
    expected = np.floor(chainer.backends.cuda.to_cpu(images) * 8)
    assert (chainer.backends.cuda.to_cpu(targets) == expected).all()


def test_the_authors_spelling():
    assert utils.quantisize is utils.quantize


@pytest.mark.parametrize('value', [-0.25, 1.5, float('nan'), float('inf')])
def test_values_outside_0_1_are_named(value):
    images = np.array([0.5, value, 0.25])
    with pytest.raises(ValueError, match=str(value).replace('.', r'\.')):
        utils.quantize(images, 4)
    with pytest.raises(ValueError, match=str(value).replace('.', r'\.')):
        utils.binarize(images)


@pytest.mark.parametrize('levels', [1, 0, -3, 257, 2.5, float('nan'), float('inf')])
def test_levels_out_of_range_are_named(levels):
    with pytest.raises(ValueError, match=str(levels).replace('.', r'\.')):
        utils.quantize(np.zeros(3), levels)


# binarize

def test_binarize_draws_what_the_authors_does(reference):
    np.random.seed(int(reference['binarize/seed']))
    expected = reference['binarize/out']
    assert (utils.binarize(reference['images'][:len(expected)]) == expected).all()
    random = np.random.RandomState(int(reference['binarize/seed']))
    drawn = utils.binarize(reference['images'][:len(expected)], random=random)
    assert (drawn == expected).all() and drawn.dtype == np.int32


def test_binarize_draws_the_same_on_every_device(device):
    images = np.random.RandomState(0).rand(5, 1, 6, 7).astype('f')
    drawn = utils.binarize(device.send(images), random=np.random.RandomState(1))
    assert isinstance(drawn, device.xp.ndarray)
    expected = utils.binarize(images, random=np.random.RandomState(1))
    assert (chainer.backends.cuda.to_cpu(drawn) == expected).all()


def test_binarize_keeps_black_and_white():
    images = np.array([0.0, 1.0] * 500)
    assert (utils.binarize(images) == images).all()


def test_binarize_draws_with_the_values_as_probabilities():
    drawn = utils.binarize(np.full(40000, 0.3), random=np.random.RandomState(0))
    assert abs(drawn.mean() - 0.3) < 4 * (0.3 * 0.7 / 40000) ** 0.5


# convert_to_rgb

def test_convert_to_rgb_copies_the_channel(device):
    images = device.send(np.random.RandomState(0).rand(4, 1, 2, 3).astype('f'))
    rgb = utils.convert_to_rgb(images)
    assert rgb.shape == (4, 3, 2, 3) and rgb.dtype == np.float32
    assert all((rgb[:, k] == images[:, 0]).all() for k in range(3))


def test_convert_to_rgb_refuses_colours():
    with pytest.raises(ValueError, match=r'\(4, 3, 2, 2\)'):
        utils.convert_to_rgb(np.zeros((4, 3, 2, 2)))


# sample_from

def authors_loop(distribution, random):
    return np.array([random.choice(distribution.shape[1], p=row) for row in distribution])


@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('bins', [2, 3, 8, 256])
def test_draws_of_numpys_choice(dtype, bins, device):
    distribution = np.random.RandomState(bins).dirichlet(np.full(bins, 0.2), 500).astype(dtype)
    ours, his = np.random.RandomState(7), np.random.RandomState(7)
    for _ in range(3):  # repeated, to check the random state after each call too
        drawn = utils.sample_from(device.send(distribution), ours)
        assert isinstance(drawn, device.xp.ndarray)
        assert (chainer.backends.cuda.to_cpu(drawn) == authors_loop(distribution, his)).all()


def test_draws_from_numpys_global_state_by_default():
    distribution = np.full((50, 4), 0.25)
    np.random.seed(3)
    expected = authors_loop(distribution, np.random)
    np.random.seed(3)
    assert (utils.sample_from(distribution) == expected).all()


def test_never_draws_what_has_no_probability():
    distribution = np.tile([0.0, 0.5, 0.0, 0.5, 0.0], (2000, 1))
    drawn = utils.sample_from(distribution, np.random.RandomState(0))
    assert set(drawn.tolist()) == {1, 3}


@pytest.mark.parametrize('row, named', [
    ([0.5, 0.6], '1.1'), ([0.25, 0.25], '0.5'), ([1.5, -0.5], '-0.5'),
    ([float('nan'), 1.0], 'nan'), ([0.5, 0.5 + 1e-6], '1.000001')])
def test_rows_that_are_no_distribution_are_named(row, named):
    with pytest.raises(ValueError, match=named.replace('.', r'\.')):
        utils.sample_from(np.array([[0.5, 0.5], row]))


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_tolerance_is_numpys(dtype):
    tolerance = np.sqrt(np.finfo(dtype).eps)
    for off, fine in ((0.5 * tolerance, True), (4 * tolerance, False)):
        row = np.array([[0.5, 0.5 + off]], dtype)
        for draw in (utils.sample_from, lambda rows: np.random.choice(2, p=rows[0])):
            if fine:
                draw(row)
            else:
                with pytest.raises(ValueError):
                    draw(row)


def test_whole_numbers_are_probabilities_too():
    assert utils.sample_from(np.eye(4, dtype='i')).tolist() == [0, 1, 2, 3]


def test_sample_from_takes_rows_only():
    with pytest.raises(ValueError, match=r'\(4,\)'):
        utils.sample_from(np.full(4, 0.25))


def test_a_number_on_a_boundary_draws_the_next_category():
    p = np.array([[0.5, 0.5], [0.0, 1.0], [0.25, 0.75]])
    assert utils.draw(p, np.array([0.5, 0.0, 0.2])).tolist() == [1, 1, 0]  # as numpy.random.choice
