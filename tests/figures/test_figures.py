import os
import pathlib
import re

import chainer.functions as F
import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from wavenet.figures import __main__ as figures
from wavenet.models import MaskedConvolution2D, PixelCNN


@pytest.fixture
def draw(command):
    return lambda *args: command('-m', 'wavenet.figures', *args)


# The architecture

@pytest.mark.parametrize('in_channels, block_num', [(3, 2), (1, 1), (3, 0)])
def test_what_is_drawn_computes_the_models_logits(in_channels, block_num, random_model):
    model = random_model(in_channels, 13, block_num, 7, 5)
    params = dict(model.namedparams())
    x = np.random.RandomState(0).rand(2, in_channels, 5, 6).astype('f')
    h = x
    for stage in figures.stages(model, 5, 6):
        before = h
        for convolution in stage.convolutions:
            W, b = [params['/{}/{}'.format(convolution.name, name)] for name in 'Wb']
            h = F.convolution_2d(F.relu(h) if convolution.relu else h, W * convolution.mask, b,
                                 pad=convolution.pad)
            assert h.shape[1:] == convolution.shape
        h = h + before if stage.shortcut else F.reshape(h, (2,) + stage.shape)
        assert h.shape[1:] == stage.shape
    np.testing.assert_allclose(h.array, model(x).array, atol=1e-5)


def test_boxes_have_the_links_names_masks_and_shapes():
    model = PixelCNN(3, 13, 4, 7, 5)
    boxes, block = figures.model_boxes(model, 9, 11, {13: '2h'})

    def text(name, kind, link):
        shape = re.sub(r'\b13\b', '2h', ', '.join(map(str, link.W.shape)))
        return '{}, mask {}\n[{}]'.format(name, kind, shape)
    assert [(box.text, box.shape) for box in boxes] == [
        ('picture', (3, 9, 11)), (text('conv1', 'A', model.conv1), (13, 9, 11)),
        ('4 residual blocks', (13, 9, 11)), ('ReLU', None),
        (text('conv2', 'B', model.conv2), (7, 9, 11)), ('ReLU', None),
        (text('conv4', 'B', model.conv4), (15, 9, 11)), ('reshape', (5, 3, 9, 11))]
    first = model.blocks[0]
    assert [(box.text, box.shape) for box in block] == [
        ('ReLU', None), (text('conv1', 'B', first.conv1), (6, 9, 11)),
        ('ReLU', None), (text('conv2', 'B', first.conv2), (6, 9, 11)),
        ('ReLU', None), (text('conv3', 'B', first.conv3), (13, 9, 11))]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_posts_symbols():
    whole, block = figures.architecture().axes
    assert [text.split('\n')[1] for text in texts(whole) if '\n' in text] == [
        '[2h, 3, 7, 7]', '[d, 2h, 1, 1]', '[3 · 256, d, 1, 1]']
    assert [text.split('\n')[1] for text in texts(block) if '\n' in text] == [
        '[h, 2h, 1, 1]', '[h, h, 3, 3]', '[2h, h, 1, 1]']


# Masks

def test_the_numbers_of_masks_are_the_models():
    axes = figures.masks().axes
    gray = PixelCNN(1, 6, 1, 3, 4)
    for row, (kind, link) in enumerate([('A', gray.conv1), ('B', gray.blocks[0].conv2)]):
        around, center = axes[3 * row:3 * row + 2]
        assert [int(text) for text in texts(around)] == link.mask[0, 0].ravel().tolist()
        expected = MaskedConvolution2D(4, 7, 3, mask=kind).mask[:, :, 1, 1]
        assert [int(text) for text in texts(center)[:28]] == expected.ravel().tolist()
        assert ''.join(texts(center)[28:]) == 'RGBRGBR' + 'RGBR'     # rows, then columns


@pytest.mark.parametrize('kind', ['A', 'B'])
def test_lines_connect_the_maps_that_the_mask_does(kind):
    axes = figures.masks().axes[2 if kind == 'A' else 5]
    ends = {circle.center: n for n, circle in enumerate(axes.patches)}     # 4 inputs, 7 outputs
    drawn = np.zeros((7, 4), int)
    for line in axes.lines:
        start, end = zip(*line.get_data())
        drawn[ends[end] - 4, ends[start]] += 1
    assert drawn.tolist() == MaskedConvolution2D(4, 7, 3, mask=kind).mask[:, :, 1, 1].tolist()


# The command

def test_every_figure_is_written_and_shown(draw, tmp_path):
    result = draw('--output', 'a/b')
    paths = [os.path.join('a', 'b', name + '.png') for name in figures.FIGURES]
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.split() == paths
    for path in paths:
        with Image.open(str(tmp_path / path)) as picture:
            assert picture.format == 'PNG' and 1200 < picture.width < 1800 > picture.height > 400
            pixels = np.asarray(picture.convert('RGBA'))
        assert (pixels[:, :, 3] == 255).all()                   # legible on a dark page, too
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        assert 0.02 < (pixels[:, :, :3] < 250).any(axis=2).mean() < 0.8
        assert os.path.getsize(str(tmp_path / path)) < 100000


def test_the_documents_show_every_figure():
    shown = set()
    for path in pathlib.Path(ROOT, 'docs').glob('*.md'):
        shown.update(re.findall(r'\(\.\./assets/(\w+)\.png\)', path.read_text(encoding='utf-8')))
    assert set(figures.FIGURES) <= shown


def test_assets_are_small():
    assets = os.path.join(ROOT, 'assets')
    assert sum(os.path.getsize(os.path.join(assets, name)) for name in os.listdir(assets)) < 1.5e6


def test_the_same_bytes_whatever_the_users_style(process, tmp_path):
    style = tmp_path / 'style'      # not matplotlibrc, which would be taken for both
    style.write_text('font.family: serif\nfigure.facecolor: black\nbackend: svg\n')
    for folder, env in (('a', {}), ('b', {'MATPLOTLIBRC': str(style)})):
        assert process('-m', 'wavenet.figures', 'two_layers', '-o', folder, **env).returncode == 0
        assert os.listdir(str(tmp_path / folder)) == ['two_layers.png']
    a, b = [(tmp_path / folder / 'two_layers.png').read_bytes() for folder in 'ab']
    assert a == b


@pytest.mark.parametrize('args, named', [
    (['mask'], "'mask', but architecture, masks"), (['masks', '-o', 'file'], 'file: this is not a folder'),
    (['masks', '-o', 'file/folder'], "'file/folder'"),
    (['two_layers', 'masks', '-o', 'full'], 'full/masks.png')])
def test_a_users_mistake(args, named, draw, tmp_path):
    (tmp_path / 'file').write_text('mine')
    (tmp_path / 'full' / 'masks.png').mkdir(parents=True)
    result = draw(*args)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert named in result.stderr and 'error: ' in result.stderr
    assert (tmp_path / 'file').read_text() == 'mine'
    assert sorted(os.listdir(str(tmp_path))) == ['file', 'full']
    assert os.listdir(str(tmp_path / 'full')) == ['masks.png']
