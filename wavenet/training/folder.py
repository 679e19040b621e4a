"""The folder of --out: one training at a time claims it, and finds what an earlier run left."""
import os

from wavenet.storage import files


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

    def prepare(self, outputs):
        """Makes the folder, claims it, and removes temporary files that killed runs left in it.

        Args:
            outputs: the paths of files that the training will write, besides its log and snapshots.

        Raises: as `claim`; OSError if one of the files cannot be written.
        """
        samples = os.path.join(self.path, 'samples')
        for needed in (self.path, samples):
            files.make_folder(needed)
        self.claim()
        for path in [os.path.join(self.path, 'log'), *outputs]:
            files.check_target(path)
        files.remove_leftovers(self.path, r'snapshot_iter_\d+|model\.npz|log|loss\.png')
        files.remove_leftovers(samples, r'epoch_\d+\.png')


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
