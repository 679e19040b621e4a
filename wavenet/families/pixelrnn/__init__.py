"""PixelRNN as two families: of Row LSTM, and of Diagonal BiLSTM layers."""
from functools import partial

import chainer

from wavenet.families.family import Family, Recipe, build_with
from wavenet.families.pixelrnn.cache import PixelRNNCache
from wavenet.families.pixelrnn.config import OPTIONS, configure, shapes
from wavenet.families.pixelrnn.model import DiagonalBiLSTMNet, PixelRNNConfig, RowLSTMNet

# The paper's optimizer and batch; its learning rates were "manually set" and are not told.
RECIPE = Recipe(chainer.optimizers.RMSprop, learning_rate=0.001)
SMALL = ('--channels 1 --levels 2 --hidden_dim 8 --layers_num 2 --out_hidden_dim 16 '
         '--learning_rate 0.003 --epoch 2')


def cache(model, samples, class_ids, cores):
    """Fast generation, value by value."""
    return PixelRNNCache(model, samples)


ROW_LSTM = Family(
    name='rowlstm', title='PixelRNN, Row LSTM', config=PixelRNNConfig, configure=configure,
    build=build_with(RowLSTMNet), shapes=partial(shapes, kernel=(1, 3), directions=1),
    options=OPTIONS, held_maps=1.4, recipe=RECIPE, cache=cache, small=SMALL)

DIAGONAL_BILSTM = Family(
    name='diagonal_bilstm', title='PixelRNN, Diagonal BiLSTM', config=PixelRNNConfig,
    configure=configure, build=build_with(DiagonalBiLSTMNet),
    shapes=partial(shapes, kernel=(2, 1), directions=2), options=OPTIONS, held_maps=1.9,
    recipe=RECIPE, cache=cache, small=SMALL)
