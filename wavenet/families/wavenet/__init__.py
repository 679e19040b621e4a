"""WaveNet as a family."""
import numpy as np

from wavenet.families.family import Family, Recipe, build_with
from wavenet.families.wavenet.config import OPTIONS, configure
from wavenet.families.wavenet.loss import SoundClassifier
from wavenet.families.wavenet.model import WaveNet, WaveNetConfig, recognize, shapes
from wavenet.families.wavenet.state import PlainSoundState, QueueState
from wavenet.families.wavenet.state_gpu import KernelState


def cache(model, samples, class_ids, cores):
    """Fast generation, sample by sample on a CPU, many samples in a launch on a GPU."""
    if model.xp is np:
        return QueueState(model, samples, class_ids, cores)
    return KernelState(model, samples, class_ids)


WAVENET = Family(
    name='wavenet', title='WaveNet', config=WaveNetConfig, configure=configure,
    build=build_with(WaveNet), shapes=shapes, options=OPTIONS,
    recipe=Recipe(clip=1.0, weight_decay=0.0001, reduce='mean'), data='sound',
    loss=SoundClassifier, cache=cache, plain=PlainSoundState, recognize=recognize,
    small='--stacks_num 2 --layers_num 8 --learning_rate 0.003 --epoch 10')
