"""The samples that train.py writes while it trains."""
from wavenet.commands.sample_grid import SampleGrid
from wavenet.commands.sample_sounds import SampleSounds
from wavenet.families import registry


def samples_of(model, count, dataset, seed):
    """Makes the extension that writes `count` samples of a model, images or sounds, as those of the
    data set."""
    make = SampleSounds if registry.get(model.family).data == 'sound' else SampleGrid
    return make(model, count, dataset, seed)
