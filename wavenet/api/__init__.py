"""The public face of the package: `wavenet.load`, `wavenet.train` and the `Model` they return.

    import wavenet
    model = wavenet.load('mnist')
    images = model.sample(16, seed=0)          # uint8 (16, 28, 28)
    model.log_prob(images)                     # float64 (16,), in nats

A `Model` keeps images as they are kept everywhere else: uint8 (N, H, W), or (N, H, W, 3) in colour.
Of a model of sound, `load` returns a `SoundModel` (`wavenet/api/sounds.py`).
"""
import numpy as np

from wavenet import cli, serialization
from wavenet.api.images import Model
from wavenet.api.sounds import SoundModel
from wavenet.commands import train as train_command
from wavenet.commands.samples import samples_of
from wavenet.families import registry
from wavenet.training import teams, trainer

__all__ = ['Model', 'SoundModel', 'load', 'train']


def load(path_or_name):
    """Loads a trained model.

    Args:
        path_or_name: the path of `model.npz`, of a snapshot, or of a file of the author's; or the
            name of a model that comes with this package, see `wavenet.pretrained()`.

    Returns: a `Model`, or a `wavenet.api.sounds.SoundModel`, on the CPU.

    Raises: FileNotFoundError that lists the names if there is no such file; OSError or ValueError
        for a file that holds no model.
    """
    network = serialization.load_model(path_or_name)
    kind = SoundModel if registry.get(network.family).data == 'sound' else Model
    return kind(network)


class _Parser(cli.ArgumentParser):
    """The parser of train.py, but mistakes are exceptions."""

    def error(self, message, status=2):
        line = ' '.join(str(message).split())
        raise (ValueError if status == 2 else RuntimeError)(line) from None


class _Caller(teams.Alone):
    """The process that calls `train`: it is not ended when the training is interrupted."""

    def leave(self, status):
        raise KeyboardInterrupt


def train(dataset, **options):
    """Trains a model, as train.py does, and writes the same files.

    Args:
        dataset: name or path of a data set, as of train.py's `--dataset`.
        options: the options of train.py by their names, such as hidden_dim=16, binarize=True or
            out='out/mine'; docs/usage.md and `python train.py --help` list them.

    Returns: the trained `Model` or `SoundModel`, from `model.npz` in the folder of `out`.

    Raises: ValueError for what train.py ends with status 2, a mistake in the options or the data;
        RuntimeError where the training fails later; KeyboardInterrupt if it was interrupted: it
        then has saved a snapshot, and resume='auto' goes on from it.
    """
    parser = train_command.make_parser(_Parser)
    args = parser.parse_args(['--dataset', str(dataset), *_words(options)])
    with np.errstate(over='ignore', invalid='ignore'), cli.named('wavenet.train'):
        trainer.train(parser, args, _Caller(parser), samples_of, serialization.load_model)
    return load(f'{args.out}/model.npz')


def _words(options):
    """Options by their names as the words of a command line."""
    for name, value in options.items():
        if value is True:
            yield f'--{name}'
        elif value is not None and value is not False:
            yield f'--{name}'
            yield from map(str, value if isinstance(value, (list, tuple)) else [value])
