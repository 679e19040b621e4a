import os

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda

from helpers import DATA, check_adam, check_loss_and_gradients, clipping_and_decay
from wavenet import models, sampling
from wavenet.families.gated.model import GatedPixelCNN


@pytest.fixture(scope='module')
def reference():
    """What the author's newest code computes: see tests/data/README.md."""
    with np.load(os.path.join(DATA, 'pixelcnn_gated.npz')) as npz:
        return {name: npz[name] for name in npz.files}


@pytest.fixture
def reference_model(reference):
    """A model of the author's form with his parameters, those of the start."""
    model = GatedPixelCNN(form='author', **{name: int(reference['config/' + name]) for name in (
        'in_channels', 'hidden_dims', 'block_num', 'out_hidden_dims', 'out_dims')})
    set_parameters(model, reference, 'params')
    return model


def set_parameters(model, reference, prefix):
    for name, param in model.namedparams():
        param.array[...] = reference[prefix + name]


def batch_of(reference, step, device):
    size = len(reference['logits'])
    at = slice(step % 4 * size, step % 4 * size + size)
    return [device.send(reference[name][at]) for name in ('x', 'labels', 'classes')]


# The author's numbers

def test_masks_are_the_authors(reference, reference_model):
    links = dict(reference_model.namedlinks())
    names = [name for name in reference if name.startswith('masks/')]
    assert len(names) == 3 + 3 * 2 + 2
    for name in names:
        assert (links[name[len('masks'):]].mask == reference[name]).all()


def test_parameters_have_the_authors_names(reference, reference_model):
    assert {'params' + name for name, _ in reference_model.namedparams()} == \
        {name for name in reference if name.startswith('params/')}


def test_logits_are_the_authors(reference, reference_model, device):
    reference_model.to_device(device)
    x, _, classes = batch_of(reference, 0, device)
    logits = cuda.to_cpu(reference_model(x, classes).array)
    np.testing.assert_allclose(logits, reference['logits'], rtol=0, atol=1e-5)


def test_loss_and_gradients_are_the_authors(reference, reference_model, device):
    model = models.Classifier(reference_model, reduce='mean')
    model.to_device(device)
    check_loss_and_gradients(reference, reference_model, model(*batch_of(reference, 0, device)))


def test_eight_steps_of_adam_are_the_authors(reference, reference_model, device):
    model = models.Classifier(reference_model, reduce='mean')
    model.to_device(device)
    check_adam(reference, reference_model, lambda step: model(*batch_of(reference, step, device)),
               clipping_and_decay())


@pytest.mark.parametrize('method', ['naive', 'cached'])
def test_samples_are_the_authors(reference, reference_model, device, method):
    set_parameters(reference_model, reference, 'adam/params')
    reference_model.to_device(device)
    expected = reference['samples']
    samples = sampling.generate(reference_model, expected.shape, int(reference['samples/seed']),
                                method=method, class_ids=reference['classes'][:len(expected)])
    assert (cuda.to_cpu(samples) == expected).all()


# Sizes

@pytest.mark.parametrize('sizes', [
    {}, dict(hidden_dims=1), dict(hidden_dims=14), dict(block_num=0),
    dict(in_channels=1, out_dims=1), dict(num_classes=1), dict(num_classes=47)])
@pytest.mark.parametrize('form', ['paper', 'author'])
def test_any_size(form, sizes, random_gated_model):
    model = random_gated_model(form=form, **sizes)
    channels, out_dims = model.in_channels, model.out_dims
    label = np.array([0, model.num_classes - 1], 'i')
    logits = model(np.zeros((2, channels, 4, 5), 'f'), label)
    assert logits.shape == (2, out_dims, channels, 4, 5)
    # Every parameter counts: none is without a gradient, which clipping would stumble over
    model.cleargrads()
    chainer.functions.sum(logits ** 2).backward()
    assert all(param.grad is not None for param in model.params())


@pytest.mark.parametrize('name, value', [
    ('hidden_dims', 0), ('out_dims', 0), ('in_channels', 0), ('out_hidden_dims', 0),
    ('block_num', -1), ('num_classes', 0), ('form', 'other')])
def test_what_makes_no_model_is_named(name, value):
    sizes = dict(in_channels=3, hidden_dims=12, block_num=2, out_hidden_dims=8, out_dims=4)
    with pytest.raises(ValueError, match=name):
        GatedPixelCNN(**dict(sizes, **{name: value}))


@pytest.mark.parametrize('form, scale, label', [('author', 1, 1), ('paper', 2, 0)])
def test_how_weights_start(form, scale, label):
    # The author's: Chainer 1.21's defaults, normal, of variance 1 / fan-in, and 1 for labels
    for name, param in GatedPixelCNN(3, 64, 1, 16, 8, form=form).namedparams():
        if name.endswith('/b'):
            assert (param.array == 0).all()
        elif 'label' in name:
            assert param.array.std() == pytest.approx(label, rel=0.15), name
        elif param.size > 4000:
            expected = np.prod(param.shape[1:]) ** -0.5
            if 'vertical_conv' in name or 'horizontal_conv' in name:
                expected *= scale
            assert param.array.std() == pytest.approx(expected, rel=0.1), name


@pytest.mark.parametrize('form', ['paper', 'author'])
def test_each_class_has_pictures_of_its_own(form, random_gated_model, device):
    model = random_gated_model(form=form)
    model.to_device(device)
    x = device.xp.zeros((10, 3, 3, 3), 'f')
    logits = model(x, device.xp.arange(10).astype('i')).array
    assert len({logits[n, :, :, 0, 0].tobytes() for n in range(10)}) == 10


# The paper's form, step by step

def plain_block(block, v, h, label, first=False):
    """A block as figure 2 and equation 4 of the paper have it, in Chainer's own functions"""
    _, _, rows, ksize = block.vertical_conv_t.W.shape
    height = v.shape[2]
    own_row = 0 if first else 1                              # whether the row itself is seen

    def vertical(link):
        y = F.convolution_2d(v, link.W, link.b, pad=(rows, ksize // 2))
        return y[:, :, own_row:own_row + height]             # row i sees i - rows + own_row, …

    def horizontal(link, x):
        return F.convolution_2d(x, link.W * link.mask, link.b, pad=(0, link.W.shape[3] // 2))

    def of_class(link):
        return F.broadcast_to(F.reshape(link(label), (len(label), -1, 1, 1)), shape)

    v_t, v_s = vertical(block.vertical_conv_t), vertical(block.vertical_conv_s)
    shape = v_t.shape
    h_t = horizontal(block.horizontal_conv_t, h) + block.v_to_h_conv_t(v_t)
    h_s = horizontal(block.horizontal_conv_s, h) + block.v_to_h_conv_s(v_s)
    h = F.tanh(h_t + of_class(block.label_horizontal_t)) * \
        F.sigmoid(h_s + of_class(block.label_horizontal_s))
    v = None if block.last else F.tanh(v_t + of_class(block.label_vertical_t)) * \
        F.sigmoid(v_s + of_class(block.label_vertical_s))
    return v, horizontal(block.horizontal_output, h)


@pytest.mark.parametrize('in_channels', [1, 3])
def test_the_papers_form_is_what_the_paper_says(in_channels, random_gated_model):
    model = random_gated_model(in_channels)
    random = np.random.RandomState(0)
    x = random.rand(3, in_channels, 6, 5).astype('f')
    label = np.array([7, 0, 2], 'i')
    v, h = plain_block(model.conv1, x, x, label, first=True)
    for block in model.blocks:
        v, more = plain_block(block, v, h, label)
        h += more
    for link in (model.conv2, model.conv4):
        h = F.convolution_2d(F.relu(h), link.W * link.mask, link.b)
    np.testing.assert_allclose(model(x, label).array, h.array.reshape(3, -1, in_channels, 6, 5),
                               rtol=0, atol=1e-5)


# Order and blind spot: which logits move when one value changes

def reached(several, x):
    """bool (values, values), both in the order of generation: whether changing the first, in any of
    the pictures x (B, C, H, W), moves the second's logits by a bit, in any of several models."""
    labels = np.arange(len(x)).astype('i')

    def logits(x):
        with chainer.no_backprop_mode():
            return np.concatenate([model(x, labels).array for model in several])

    before = logits(x)                                           # (…, levels, C, H, W)
    rows = []
    for i, j, k in np.ndindex(*x.shape[2:], x.shape[1]):
        changed = x.copy()
        changed[:, k, i, j] = (changed[:, k, i, j] + 0.5) % 1
        differs = (logits(changed) != before).any(axis=(0, 1))   # (C, H, W)
        rows.append(differs.transpose(1, 2, 0).ravel())
    return np.array(rows)


def check(model_of_seed, x, expected):
    """Compares what reaches what with `expected(colour, dy, dx, colour)`, of the value that is
    changed and of the one that is reached, dy rows below and dx columns to the right of it."""
    several = [model_of_seed(seed) for seed in range(4)]
    _, channels, height, width = x.shape
    values = list(np.ndindex(height, width, channels))
    actual = reached(several, x)
    for n, (i, j, k) in enumerate(values):
        for m, (i2, j2, k2) in enumerate(values):
            assert actual[n, m] == expected(k, i2 - i, j2 - j, k2), ((k, i, j), (k2, i2, j2))


@pytest.fixture(params=[1, 3])
def pictures(request):
    return np.random.RandomState(0).randint(0, 4, (4, request.param, 7, 13)).astype('f') / 3


@pytest.mark.parametrize('form', ['paper', 'author'])
@pytest.mark.parametrize('hidden_dims', [12, 13])
def test_no_logit_depends_on_a_value_at_or_after_it(
        form, hidden_dims, pictures, random_gated_model):
    x = pictures[:, :, :5, :6]
    several = [random_gated_model(x.shape[1], hidden_dims, 3, 7, form=form, seed=seed)
               for seed in range(2)]
    actual = reached(several, x)
    assert not np.tril(actual).any() and actual.any()


def in_order(k, dy, dx, k2):
    """Whether a value comes before another, dy rows below and dx columns to the right of it."""
    return (dy, dx, k2) > (0, 0, k)


def test_in_the_papers_form_all_before_a_value_reaches_it(pictures, random_gated_model):
    blocks = 1

    def expected(k, dy, dx, k2):
        return in_order(k, dy, dx, k2) and dy <= 4 + blocks and abs(dx) <= 3 + blocks

    check(lambda seed: random_gated_model(pictures.shape[1], block_num=blocks, seed=seed), pictures,
          expected)


@pytest.mark.parametrize('blocks', [0, 2])
def test_the_receptive_field_grows_with_the_blocks(blocks, random_gated_model):
    x = np.random.RandomState(0).rand(4, 1, 8, 13).astype('f')

    def expected(k, dy, dx, k2):
        return in_order(k, dy, dx, k2) and dy <= 4 + blocks and abs(dx) <= 3 + blocks

    check(lambda seed: random_gated_model(1, block_num=blocks, seed=seed), x, expected)


def drawn(several, channels):
    """What reaches the sixth pixel of the last row: for each of its colours a line for each row of
    pixels, in it a word for each pixel."""
    x = np.random.RandomState(0).rand(4, channels, 8, 11).astype('f')
    actual = reached(several, x).reshape(8, 11, channels, 8, 11, channels)[..., -1, 5, :]
    return [[' '.join(''.join('RGB'[k] if reaches else '.' for k, reaches in enumerate(pixel))
                      for pixel in row) for row in field] for field in np.moveaxis(actual, -1, 0)]


def test_in_the_authors_form_a_blind_spot_remains_in_grayscale(random_gated_model):
    several = [random_gated_model(1, block_num=1, form='author', seed=seed) for seed in range(4)]
    # Of the pixel's own row and the row above nothing is seen; of five more, all columns.
    assert drawn(several, 1) == [[
        '. . . . . . . . . . .',
        '. R R R R R R R R R .',
        '. R R R R R R R R R .',
        '. R R R R R R R R R .',
        '. R R R R R R R R R .',
        '. R R R R R R R R R .',
        '. . . . . . . . . . .',
        '. . . . . . . . . . .']]


def test_in_the_authors_form_a_blind_spot_remains_in_colour(random_gated_model):
    red, green, blue = drawn(
        [random_gated_model(3, block_num=1, form='author', seed=seed) for seed in range(4)], 3)
    above = ['... RGB RGB RGB RGB RGB RGB RGB RGB RGB ...'] * 5
    assert red[1:] == above + ['... RGB RGB RGB RGB RGB RGB RGB ... ... ...',
                               '... RGB RGB RGB R.. ... ... ... ... ... ...']
    assert green[1:] == above + ['... RGB RGB RGB RGB RGB RGB RGB RGB ... ...',
                                 '... RGB RGB RGB RGB ... ... ... ... ... ...']
    assert blue[1:] == above + ['... RGB RGB RGB RGB RGB RGB RGB RGB ... ...',
                                '... RGB RGB RGB RGB R.. ... ... ... ... ...']


def test_the_posts_model_has_a_blind_spot(random_model):
    several = [random_model(1, block_num=1, seed=seed) for seed in range(8)]
    assert drawn(several, 1) == [[
        '. . . . . . . . . . .',
        '. . . . . . . . . . .',
        '. . . . . . . . . . .',
        '. R R R R R R R R R .',
        '. R R R R R R R R R .',
        '. R R R R R R R R R .',
        '. R R R R R R R R . .',
        '. R R R R . . . . . .']]
