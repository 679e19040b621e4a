"""The folder of --out: one training at a time claims it, and finds what an earlier run left."""
import os
import re
import shlex

from wavenet.storage import files

# What a training writes into its folder, and into `samples` there, as regular expressions
FILES = r'snapshot_iter_\d+|(?:model|best)\.npz|log|loss\.png'
SAMPLES = r'(?:epoch|iteration)_\d+\.png'
WORK = r'snapshot_iter_\d+|(?:model|best)\.npz'  # the files of an earlier run that must not be lost


class OutFolder:
    """The folder for all files of a training.

    It is claimed by `claim` and `prepare`, and released at the end of a `with` block: no other
    process can claim it in the meantime.
    """

    def __init__(self, path):
        self.path = path
        self._lock = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._lock:
            self._lock.close()

    def claim(self):
        """Claims the folder if it exists.

        Raises: BlockingIOError if another process has claimed it.
        """
        self._lock = self._lock or files.lock(self.path)

    def check(self, resume, overwrite):
        """Checks that the training will not silently replace the files of an earlier one.

        Args:
            resume: the path of the snapshot that the training goes on from, 'auto' for the newest
                one in this folder, '' for a new training.
            overwrite: whether a new training may replace an earlier one.

        Raises: ValueError that says what to do instead.
        """
        found = self._find(WORK)
        goes_on = any(name.startswith('snapshot') for name in found) if resume == 'auto' else \
            resume and os.path.realpath(os.path.dirname(resume)) == os.path.realpath(self.path)
        if not found or overwrite or goes_on:
            return
        name = 'model.npz' if 'model.npz' in found else found[0]
        file = shlex.quote(os.path.join(self.path, name))
        if resume:
            raise ValueError(f'{file} is of another run, which --resume {resume} would replace: '
                             'give another --out')
        raise ValueError(f'{file} is of an earlier run: give --resume auto to go on with it, '
                         '--overwrite to replace it, or another --out')

    def prepare(self, outputs, overwrite=False):
        """Makes the folder, claims it, and removes temporary files that killed runs left in it.

        Args:
            outputs: the paths of files that the training will write, besides its log and snapshots.
            overwrite: remove all files of an earlier training, so that a mixture of its files and
                those of this one is never left.

        Raises: as `claim`; OSError if one of the files cannot be written.
        """
        samples = os.path.join(self.path, 'samples')
        for needed in (self.path, samples):
            files.make_folder(needed)
        self.claim()
        for path in [os.path.join(self.path, 'log'), *outputs]:
            files.check_target(path)
        files.remove_leftovers(self.path, FILES)
        files.remove_leftovers(samples, SAMPLES)
        if overwrite:
            for name in self._find(FILES):
                os.unlink(os.path.join(self.path, name))
            for name in _matching(samples, SAMPLES):
                os.unlink(os.path.join(samples, name))

    def _find(self, names):
        return _matching(self.path, names)


def _matching(folder, names):
    """The names in a folder that match a regular expression, sorted; none if it is missing."""
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if re.fullmatch(names, name))


def write_outdated(outputs, trainer, snapshot):
    """Writes the files that are older than a snapshot, since a run may end before it writes them.

    Args:
        outputs: the extensions that write them, see `wavenet.training.outputs`.
        trainer: in the state of the snapshot.
        snapshot: the path of the snapshot.
    """
    for output in outputs:
        if files.is_older(output.path(trainer), snapshot):
            output(trainer)
