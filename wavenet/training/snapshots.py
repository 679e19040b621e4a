"""Snapshots of a training, from which it goes on to the bit: written, kept, found again.

A snapshot is one .npz, `snapshot_iter_N`, the author's name for it. Which one is the newest, the
times of the files tell, not their numbers: a run may have been started anew in the same folder.
"""
import contextlib
import os
import re
import time

from chainer import serializers
from chainer.training import extension

from wavenet import cli
from wavenet.families import registry
from wavenet.storage import model_file
from wavenet.storage.npz import open_npz
from wavenet.training import finite

NAME = r'snapshot_iter_(\d+)'
SETTINGS = 'settings'  # the name under which `Settings` saves
KEPT = 3
EVERY = 600  # seconds without a snapshot, at most: an epoch may take hours


class Snapshots(extension.Extension):
    """Writes a snapshot where one is due, and removes all but the newest three.

    Its place in an iteration is after all that changes the trainer's state, and before what can be
    done again when the training goes on: the model's file, pictures.

    Args:
        due: called with the trainer, says whether a snapshot is due. One that comes more than
            `EVERY` seconds after the last is due anyway.

    Attributes:
        newest: path of the last one that was written or read, or None.
    """

    priority = -100

    def __init__(self, due):
        self.due = due
        self.newest = None
        self._refused = set()
        self._time = time.monotonic()

    def __call__(self, trainer):
        if self.due(trainer) or time.monotonic() - self._time > EVERY:
            self.save(trainer)

    def save(self, trainer):
        """Writes a snapshot now.

        Raises: OSError where that fails; ValueError for a state that is not finite.
        """
        finite.check_state(trainer)
        path = os.path.join(trainer.out, 'snapshot_iter_{}'.format(trainer.updater.iteration))
        model_file.save_arrays(path, serializers.npz.serialize(trainer))
        self.newest = path
        self._refused.discard(path)
        self._time = time.monotonic()
        for old in [path for path in find(trainer.out) if path not in self._refused][KEPT:]:
            with contextlib.suppress(OSError):
                os.unlink(old)

    def resume(self, which, trainer):
        """Reads a snapshot into the trainer.

        Args:
            which: its path, or 'auto' for the newest good one in the trainer's folder, if there are
                any; a line on standard error says which one that is, and which ones are not good.

        Raises: as `load_trainer`; ValueError where there are some and none is good.
        """
        if which != 'auto':
            load_trainer(which, trainer)
            self.newest = which
            return
        reasons = []
        for path in find(trainer.out):
            try:
                self.resume(path, trainer)
                break
            except (OSError, ValueError) as error:
                self._refused.add(path)
                reasons.append(cli.reason(error))
        if reasons and not self.newest:
            raise ValueError('no snapshot in {} is good; without --resume, a new run takes their '
                             'place ({})'.format(trainer.out, '; '.join(reasons)))
        for reason in reasons:
            cli.say(reason + '; trying the one before it')
        cli.say('going on from {}'.format(self.newest) if self.newest else
                'no snapshot in {}: starting from the beginning'.format(trainer.out))


def load_trainer(path, trainer):
    """Reads a trainer's snapshot into `trainer`, which must train a model of the same sizes, with
    the same settings (`wavenet.training.extensions.Settings`).

    Raises: ValueError for a file that is no such snapshot, OSError for one that cannot be read. The
        trainer is of no use then; no file is touched.
    """
    with open_npz(path) as npz:
        optimizer = trainer.updater.get_optimizer('main')
        model = optimizer.target.predictor
        _check_architecture(npz, model)
        if not npz.sealed or not any(name.endswith('/' + SETTINGS) for name in npz.files):
            raise ValueError('it is no snapshot of this train.py, so training cannot go on from it')
        deserializer = model_file.Deserializer(npz)
        deserializer.load(trainer)
        others = sorted(set(npz.files) - deserializer.names)
        if others:
            raise ValueError('its {} does not belong there'.format(others[0]))
        _check_optimizer(optimizer)
        if trainer.updater.iteration < 1:
            raise ValueError('it is of no iteration')


def _check_optimizer(optimizer):
    """Raises: ValueError for a state that training does not come to."""
    for name, param in optimizer.target.namedparams():
        moments = (param.update_rule.state or {}).values()
        if optimizer.t < 1 or param.update_rule.t < 1 or any(
                (array.shape, array.dtype) != (param.shape, param.dtype) for array in moments):
            raise ValueError("the optimizer's state of {} makes no sense".format(name))


def _check_architecture(npz, model):
    """Raises: ValueError where a snapshot holds another model than this one."""
    shapes = model_file.parameter_shapes(npz, model_file.TRAINER_PREFIX)
    if not shapes and (model_file.CONFIG in npz.files
                       or registry.recognize(model_file.parameter_shapes(npz, ''))):
        raise ValueError('it is a model, and training goes on from a snapshot_iter_N')
    if shapes == registry.get(model.family).shapes(model.config):
        return
    found = registry.recognize(shapes)
    if not found:
        raise ValueError('it holds another model, or none')
    family, config = found
    if family.name != model.family:
        raise ValueError(f'it is of another architecture: {family.name} (here {model.family})')
    ours = model.config.to_json()
    other = [f'{name} {value} (here {ours[name]})' for name, value in config.to_json().items()
             if value != ours[name]]
    raise ValueError('it is of another architecture: ' + ', '.join(other))


def find(folder):
    """Paths of the snapshots in a folder, the newest first; there may be no folder."""
    found = []
    for entry in os.scandir(folder) if os.path.isdir(folder) else []:
        match = re.fullmatch(NAME, entry.name)
        if match:
            modified = entry.stat(follow_symlinks=False).st_mtime_ns
            found.append((modified, int(match.group(1)), entry.path))
    return [path for _, _, path in sorted(found, reverse=True)]
