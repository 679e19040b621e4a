"""Gated PixelCNN, conditioned on the class, as a family."""
import numpy as np

from wavenet.families.family import Family, Recipe, build_with
from wavenet.families.gated.cache import GatedCache
from wavenet.families.gated.cache_gpu import GatedRowCache
from wavenet.families.gated.config import OPTIONS, configure, recognize, shapes
from wavenet.families.gated.model import GatedConfig, GatedPixelCNN


def cache(model, samples, class_ids, cores):
    """Fast generation, value by value on a CPU, row by row on a GPU."""
    if model.xp is np:
        return GatedCache(model, samples, class_ids, cores)
    return GatedRowCache(model, samples, class_ids)


GATED = Family(
    name='gated', title='Gated PixelCNN', config=GatedConfig, configure=configure,
    build=build_with(GatedPixelCNN), shapes=shapes, options=OPTIONS,
    recipe=Recipe(clip=1.0, weight_decay=0.0001, reduce='mean'), cache=cache,
    recognize=recognize,
    small='--channels 1 --levels 4 --hidden_dim 16 --blocks_num 4 --learning_rate 0.003 --epoch 2')
