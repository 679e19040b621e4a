"""Gated PixelCNN, conditioned on the class, as a family."""
import dataclasses

from wavenet.families.family import Family, Recipe
from wavenet.families.gated.cache import GatedCache
from wavenet.families.gated.config import OPTIONS, configure, recognize, shapes
from wavenet.families.gated.model import GatedConfig, GatedPixelCNN


def build(config):
    return GatedPixelCNN(**dataclasses.asdict(config))


GATED = Family(
    name='gated', title='Gated PixelCNN', config=GatedConfig, configure=configure, build=build,
    shapes=shapes, options=OPTIONS, recipe=Recipe(clip=1.0, weight_decay=0.0001, reduce='mean'),
    cache=GatedCache, recognize=recognize,
    small='--channels 1 --levels 4 --hidden_dim 16 --blocks_num 4 --learning_rate 0.003 --epoch 2')
