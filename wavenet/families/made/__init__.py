"""MADE as a family."""
from functools import partial

from wavenet.families.family import Family, Recipe, build_with
from wavenet.families.made.cache import MadeCache, PlainMadeState
from wavenet.families.made.config import OPTIONS, configure, count_maps, shapes
from wavenet.families.made.loss import MadeClassifier
from wavenet.families.made.model import Made, MadeConfig


def cache(model, samples, class_ids, cores):
    """Fast generation."""
    return MadeCache(model, samples)


def ensemble(model):
    """The model in each of its orders."""
    return [partial(model, order=order) for order in range(model.config.masks)]


MADE = Family(
    name='made', title='MADE', config=MadeConfig, configure=configure, build=build_with(Made),
    shapes=shapes, options=OPTIONS, maps=count_maps, held_maps=3.0, loss=MadeClassifier,
    recipe=Recipe(batchsize=100), cache=cache, plain=PlainMadeState, ensemble=ensemble,
    small='--channels 1 --hidden_dim 128 --epoch 10')
