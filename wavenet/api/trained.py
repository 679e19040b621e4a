"""What the models of `wavenet.api` have in common, whatever data they are of."""
import contextlib
import sys

import numpy as np
import tqdm

from wavenet import serialization
from wavenet.families import registry


class TrainedModel:
    """A trained model. See `wavenet.api.Model` and `wavenet.api.sounds.SoundModel`.

    Args:
        network: a Chainer model of one of the families.

    Attributes:
        network: the Chainer model.
        config: its sizes, a frozen dataclass.
        about: what its file records, a dict: the data set, the options of the training.
        levels: number of values that a pixel's channel, or a sample of sound, can take.
        num_classes: number of classes; 0 where the model is unconditional.
        class_names: their names, a tuple; None where the file has none.
    """

    def __init__(self, network):
        self.network = network
        self.config = network.config
        self.about = getattr(network, 'about', {})
        self.levels = network.distribution.levels
        self.num_classes = network.num_classes if network.num_classes > 1 else 0
        names = self.about.get('class_names')
        self.class_names = tuple(names) if names else None

    def __repr__(self):
        title = registry.get(self.network.family).title
        sizes = ', '.join(f'{name}={value}' for name, value in self.config.to_json().items())
        parameters = sum(param.size for param in self.network.params())
        return f'<{title}: {sizes}; {parameters:,} parameters, {self.levels} levels>'

    def to_device(self, device):
        """Moves the model to a device, such as '@cupy:0' or '@numpy'. Returns: the model."""
        self.network.to_device(device)
        return self

    def save(self, path):
        """Writes the model to one .npz, which `load` and generate.py read."""
        sizes = self.config.to_json()
        about = {name: value for name, value in self.about.items()
                 if name not in sizes and name != 'model'}
        serialization.save_model(path, self.network, **about)

    def class_ids_of_all(self, class_ids, n):
        """The classes of n samples, int32 (n,), or None."""
        if class_ids is None:
            return None
        if not self.num_classes:
            raise ValueError('the model is unconditional: it takes no class_ids')
        if isinstance(class_ids, str) or np.ndim(class_ids) == 0:
            class_ids = [class_ids] * n
        if any(isinstance(one, str) for one in class_ids):
            class_ids = [self._class_id(one) for one in class_ids]
        class_ids = np.asarray(class_ids, None if n else 'i')
        if class_ids.dtype.kind not in 'iu' or class_ids.shape != (n,) \
                or not ((0 <= class_ids) & (class_ids < self.num_classes)).all():
            raise ValueError(f'class_ids must be {n} classes from 0 to {self.num_classes - 1}, got '
                             f'{class_ids}')
        return class_ids.astype('i')

    def _class_id(self, name):
        if not self.class_names or name not in self.class_names:
            known = ', '.join(self.class_names or ()) or 'no names'
            raise ValueError(f'the model has no class {name!r}; it has {known}')
        return self.class_names.index(name)

    def class_ids_of_given(self, class_ids, n):
        """As `class_ids_of_all`, for data that are there: a conditional model needs classes."""
        if class_ids is None and self.num_classes:
            raise ValueError('the model is conditioned on the class: give class_ids')
        return self.class_ids_of_all(class_ids, n)


@contextlib.contextmanager
def progress_of(progress, total, unit):
    """What counts progress, a function or None, for the argument of that name."""
    if progress is not True:
        yield progress or None
        return
    with tqdm.tqdm(total=total, unit=unit, file=sys.stderr) as bar:
        yield bar.update
