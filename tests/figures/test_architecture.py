import re

import chainer.functions as F
import numpy as np
import pytest

from wavenet.figures import architecture
from wavenet.models import PixelCNN


@pytest.mark.parametrize('in_channels, block_num', [(3, 2), (1, 1), (3, 0)])
def test_the_layers_compute_the_models_logits(in_channels, block_num, random_model):
    model = random_model(in_channels, 13, block_num, 7, 5)
    params = dict(model.namedparams())
    x = np.random.RandomState(0).rand(2, in_channels, 5, 6).astype('f')
    h = x
    for layer in architecture.layers(model, 5, 6):
        before = h
        for convolution in layer.convolutions:
            W, b = [params[f'/{convolution.name}/{name}'] for name in 'Wb']
            h = F.convolution_2d(F.relu(h) if convolution.relu else h, W * convolution.mask, b,
                                 pad=convolution.pad)
            assert h.shape[1:] == convolution.shape
        h = h + before if layer.shortcut else F.reshape(h, (2,) + layer.shape)
        assert h.shape[1:] == layer.shape
    np.testing.assert_allclose(h.array, model(x).array, atol=1e-5)


def test_boxes_have_the_links_names_masks_and_shapes():
    model = PixelCNN(3, 13, 4, 7, 5)
    boxes, block = architecture.model_boxes(model, 9, 11, {13: '2h'})

    def text(name, kind, link):
        shape = re.sub(r'\b13\b', '2h', ', '.join(map(str, link.W.shape)))
        return f'{name}, mask {kind}\n[{shape}]'
    assert [(box.text, box.shape) for box in boxes] == [
        ('image', (3, 9, 11)), (text('conv1', 'A', model.conv1), (13, 9, 11)),
        ('4 residual blocks', (13, 9, 11)), ('ReLU', None),
        (text('conv2', 'B', model.conv2), (7, 9, 11)), ('ReLU', None),
        (text('conv4', 'B', model.conv4), (15, 9, 11)), ('reshape', (5, 3, 9, 11))]
    first = model.blocks[0]
    assert [(box.text, box.shape) for box in block] == [
        ('ReLU', None), (text('conv1', 'B', first.conv1), (6, 9, 11)),
        ('ReLU', None), (text('conv2', 'B', first.conv2), (6, 9, 11)),
        ('ReLU', None), (text('conv3', 'B', first.conv3), (13, 9, 11))]


def test_the_figure_uses_the_posts_symbols():
    weights = [[text.get_text().split('\n')[1] for text in axes.texts if '\n' in text.get_text()]
               for axes in architecture.figure().axes]
    assert weights == [['[2h, 3, 7, 7]', '[d, 2h, 1, 1]', '[3 · 256, d, 1, 1]'],
                       ['[h, 2h, 1, 1]', '[h, h, 3, 3]', '[2h, h, 1, 1]']]
