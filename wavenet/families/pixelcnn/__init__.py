"""The post's PixelCNN as a family. The network itself is `wavenet.models.PixelCNN`."""
import numpy as np

from wavenet.families.family import Family, build_with
from wavenet.families.pixelcnn.cache import Cache
from wavenet.families.pixelcnn.cache_gpu import RowCache
from wavenet.families.pixelcnn.config import OPTIONS, configure, recognize, shapes
from wavenet.models import PixelCNN, PixelCNNConfig


def cache(model, samples, class_ids, cores):
    """Fast generation, value by value on a CPU, row by row on a GPU."""
    return (Cache if model.xp is np else RowCache)(model, samples)


PIXELCNN = Family(
    name='pixelcnn', title='PixelCNN', config=PixelCNNConfig, configure=configure,
    build=build_with(PixelCNN), shapes=shapes, options=OPTIONS, held_maps=1.1, cache=cache,
    recognize=recognize,
    small='--channels 1 --levels 4 --hidden_dim 16 --blocks_num 6 --learning_rate 0.003 --epoch 2')
