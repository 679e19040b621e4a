"""PixelCNN++ as a family."""
from wavenet.families.family import Family, Recipe, build_with
from wavenet.families.pixelcnn_pp.adam import RootAdam
from wavenet.families.pixelcnn_pp.cache import PixelCNNPPCache
from wavenet.families.pixelcnn_pp.config import (
    OPTIONS,
    PixelCNNPPConfig,
    configure,
    count_maps,
    recognize,
    shapes,
)
from wavenet.families.pixelcnn_pp.model import PixelCNNPP


def cache(model, samples, class_ids, cores):
    """Fast generation."""
    return PixelCNNPPCache(model, samples, class_ids)


def prepare(model, batch):
    """The data-dependent initialization."""
    model.initialize(batch.x, batch.class_ids)


PIXELCNN_PP = Family(
    name='pixelcnn++', title='PixelCNN++', config=PixelCNNPPConfig, configure=configure,
    build=build_with(PixelCNNPP), shapes=shapes, options=OPTIONS, maps=count_maps, held_maps=3.8,
    recipe=Recipe(RootAdam, lr_decay=0.999995, average=0.9995, dropout=0.5, levels=256),
    recognize=recognize, prepare=prepare, cache=cache,
    small='--channels 1 --nr_resnet 1 --nr_filters 24 --nr_logistic_mix 5 '
          '--dropout 0 --learning_rate 0.003 --average 0.99 --epoch 2')
