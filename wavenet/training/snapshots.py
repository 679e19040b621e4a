"""Snapshots of a training, from which it goes on to the bit: writing, keeping and finding them.

A snapshot is one .npz file, `snapshot_iter_N`, as the author names it. The newest one is found by
the times of the files, not by their numbers, since a run may have started anew in the same folder.
"""
import contextlib
import json
import os
import re
import time

import numpy as np
from chainer import serializers
from chainer.training import extension

from wavenet import cli
from wavenet.families import registry
from wavenet.storage import model_file
from wavenet.storage.npz import open_npz
from wavenet.training import finite

NAME = r'snapshot_iter_(\d+)'
SETTINGS = 'settings'  # the name under which `Settings` saves
SETTINGS_PATH = model_file.SETTINGS
PROGRESS_BAR = 'extension_triggers/ProgressBar/'  # what earlier versions add in a terminal
KEPT = 3
EVERY = 600  # seconds; an epoch may take hours


class Snapshots(extension.Extension):
    """Writes a snapshot when one is due, and removes all but the newest three.

    In an iteration it runs after everything that changes the trainer's state, and before the files
    that can be written again from the snapshot: the model, samples, plots.

    Args:
        due: says whether a snapshot is due, called with the trainer. `EVERY` seconds after the last
            snapshot another one is due anyway.

    Attributes:
        newest: the path of the last snapshot that was written or read, or None.
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

        Raises: OSError if the file cannot be written; ValueError if the state is not finite.
        """
        finite.check_state(trainer)
        path = os.path.join(trainer.out, f'snapshot_iter_{trainer.updater.iteration}')
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
            which: the path of a snapshot; or 'auto' for the newest good one in the trainer's
                folder, if it has snapshots. Lines on standard error say which one it is, and which
                ones are damaged.

        Raises: as `load_trainer`; ValueError if there are snapshots and none is good.
        """
        if which != 'auto':
            load_trainer(which, trainer)
            trainer.get_extension('Settings').keep_changes(trainer.updater.iteration)
            self.newest = which
            return
        refused = {}  # a reason → the paths of the snapshots, so that each reason is said once
        for path in find(trainer.out):
            try:
                self.resume(path, trainer)
                break
            except (OSError, ValueError) as error:
                self._refused.add(path)
                reason = cli.reason(error)
                for start in (f'{path}: ', f'{path!r}: '):
                    reason = reason[len(start):] if reason.startswith(start) else reason
                refused.setdefault(reason, []).append(path)
        reasons = [f'{", ".join(paths)}: {reason}' for reason, paths in refused.items()]
        if reasons and not self.newest:
            raise ValueError(f'training cannot go on from a snapshot in {trainer.out} '
                             f'({"; ".join(reasons)}): give the options of that training, or '
                             'another --out; --overwrite in place of --resume deletes it')
        for reason in reasons:
            cli.say(f'{reason}; trying the one before it')
        cli.say(f'going on from {self.newest}' if self.newest else
                f'no snapshot in {trainer.out}: starting from the beginning')


class Settings(extension.Extension):
    """Keeps the settings of a run in its snapshots, so that only the same run goes on from them.

    Snapshots of earlier versions hold fewer settings; the others are not compared.

    The recipe may change: a line says what was changed, and the model's file keeps it.

    Args:
        settings: JSON values by their names. `data` is the checksum of the training images.
        is_split: whether this program has held out the test images.
        recipe: values by their names, such as the learning rate.

    Attributes:
        changes: the changes of the recipe, a list of {'iteration': …, name: [former, new]}.
    """

    def __init__(self, settings, is_split=False, recipe=None):
        self.settings = settings
        self.is_split = is_split
        self.recipe = recipe or {}
        self.changes = []
        self._former_recipe = {}

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        ours = dict(self.settings, recipe=self.recipe, changes=self.changes)
        saved = self.check(serializer(SETTINGS, json.dumps(ours, sort_keys=True)))
        self.changes[:] = saved.get('changes', [])
        self._former_recipe = saved.get('recipe', {})

    def check(self, text):
        """The settings in a snapshot, a JSON text, as a dict. Raises: ValueError if they are not
        those of this run."""
        saved = json.loads(text)
        if not (isinstance(saved, dict) and isinstance(saved.get('recipe', {}), dict)
                and isinstance(saved.get('changes', []), list)):
            raise ValueError('its settings are not valid')
        self._check_data(saved)
        other = [f'{name} {value} (here {self.settings.get(name)})'
                 for name, value in saved.items()
                 if name not in ('recipe', 'changes') and value != self.settings.get(name)]
        if other:
            raise ValueError(f'it was trained with {", ".join(other)}')
        return saved

    def keep_changes(self, iteration):
        """Keeps what differs from the recipe of the snapshot that was read, and says it."""
        changed = {name: [self._former_recipe[name], value] for name, value in self.recipe.items()
                   if self._former_recipe.get(name, value) != value}
        for name, (former, new) in changed.items():
            cli.say(f'--{name}: {former} → {new}, from iteration {iteration} on')
        if changed:
            self.changes.append(dict(changed, iteration=iteration))

    def _check_data(self, saved):
        if 'data' not in saved and self.is_split:
            raise ValueError('an earlier version wrote it, which held out every tenth image for '
                             'testing; to go on, put these images into the data as its test images '
                             '(folders train and test, or test_x)')
        if saved.get('data', self.settings.get('data')) != self.settings.get('data'):
            data = 'recordings' if 'windows' in self.settings else 'images'
            raise ValueError(f'it was trained with other {data}')


class RandomState(extension.Extension):
    """Keeps NumPy's global random state in snapshots, since Chainer's functions draw from it."""

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        kind, key, position, has_gauss, gauss = np.random.get_state()
        key = serializer('key', key)
        position = serializer('position', position)
        if not 0 <= position <= len(key):  # NumPy would read beyond the key
            raise ValueError('its random state is not valid')
        np.random.set_state((kind, key, position, serializer('has_gauss', has_gauss),
                             serializer('gauss', gauss)))


def load_trainer(path, trainer):
    """Reads a snapshot into a trainer, whose model and `Settings` must be those of the snapshot.

    Raises: ValueError for a file that is not such a snapshot; OSError if it cannot be read. The
        trainer is then in an undefined state. No file is touched.
    """
    with open_npz(path) as npz:
        optimizer = trainer.updater.get_optimizer('main')
        _check_architecture(npz, optimizer.target.predictor)
        if not npz.sealed or SETTINGS_PATH not in npz.files:
            raise ValueError('this train.py did not write it, so training cannot go on from it')
        # First: other data would otherwise show as an error of something that depends on it
        trainer.get_extension('Settings').check(str(npz[SETTINGS_PATH]))
        deserializer = model_file.Deserializer(npz)
        deserializer.load(trainer)
        unknown = sorted(name for name in set(npz.files) - deserializer.names
                         if not name.startswith(PROGRESS_BAR))
        if unknown:
            raise ValueError(f'its {unknown[0]} does not belong there')
        _check_optimizer(optimizer)
        if trainer.updater.iteration < 1:
            raise ValueError('its iteration is below 1')


def _check_optimizer(optimizer):
    """Raises: ValueError for an optimizer's state that no training can reach."""
    for name, param in optimizer.target.namedparams():
        moments = (param.update_rule.state or {}).values()
        if optimizer.t < 1 or param.update_rule.t < 1 or any(
                (array.shape, array.dtype) != (param.shape, param.dtype) for array in moments):
            raise ValueError(f"the optimizer's state of {name} is not valid")


def _check_architecture(npz, model):
    """Raises: ValueError if a snapshot holds another model than this one."""
    shapes = model_file.parameter_shapes(npz, model_file.TRAINER_PREFIX)
    if not shapes and (model_file.CONFIG in npz.files
                       or registry.recognize(model_file.parameter_shapes(npz, ''))):
        raise ValueError('it is a model; training goes on from a snapshot_iter_N')
    if shapes == registry.get(model.family).shapes(model.config):
        return
    name, sizes = _recorded_model(npz, shapes)
    if name not in (None, model.family):
        raise ValueError(f'it is of another architecture: {name} (here {model.family})')
    ours = model.config.to_json()
    takes_labels = registry.get(model.family).takes_labels
    if takes_labels and bool(sizes.get('one_hot')) != model.config.one_hot:
        raise ValueError(f'it was trained with{"out" * model.config.one_hot} --labels')
    other = [f'{size} {sizes[size]} (here {value})' for size, value in ours.items()
             if size in sizes and sizes[size] != value]
    if not other:
        raise ValueError('it holds another model, or none')
    raise ValueError(f'it is of another architecture: {", ".join(other)}')


def _recorded_model(npz, shapes):
    """The name of the model in a snapshot, or None, and its sizes, a dict.

    The shapes of the parameters tell them if a family recognizes them, otherwise the settings. The
    shapes do not tell labels.
    """
    settings = json.loads(str(npz[SETTINGS_PATH])) if SETTINGS_PATH in npz.files else {}
    found = registry.recognize(shapes)
    if found and not settings.get('one_hot'):
        family, config = found
        return family.name, config.to_json()
    return settings.get('model'), settings


def find(folder):
    """The paths of the snapshots in a folder, the newest first; none if the folder is missing."""
    found = []
    for entry in os.scandir(folder) if os.path.isdir(folder) else []:
        match = re.fullmatch(NAME, entry.name)
        if match:
            modified = entry.stat(follow_symlinks=False).st_mtime_ns
            found.append((modified, int(match.group(1)), entry.path))
    return [path for _, _, path in sorted(found, reverse=True)]
