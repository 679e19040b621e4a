"""WaveNet as a family."""
import dataclasses

from wavenet.families.family import Family, Recipe
from wavenet.families.wavenet.model import WaveNet, WaveNetConfig, recognize, shapes
from wavenet.families.wavenet.state import PlainSoundState, QueueState


def build(config):
    return WaveNet(**dataclasses.asdict(config))


WAVENET = Family(
    name='wavenet', title='WaveNet', config=WaveNetConfig, configure=None, build=build,
    shapes=shapes, recipe=Recipe(clip=1.0, weight_decay=0.0001, reduce='mean'), data='sound',
    cache=QueueState, plain=PlainSoundState, recognize=recognize)
