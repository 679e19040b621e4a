"""Training by a team: each rank has the whole model, and takes its part of each batch.

The parts are of one size, since Chainer fills the last batch of an epoch with images of the next
epoch. So the mean over the ranks, which is ChainerMN's, is the mean over the batch, and N ranks
with batches of b images train as one process does with batches of N · b.
"""
import signal

import chainer
from chainer import serializers
from chainer.training import PRIORITY_WRITER, StandardUpdater, extension

from wavenet.training import extensions
from wavenet.storage.npz import open_npz


class Share(chainer.dataset.Iterator):
    """This rank's part of each batch of an iterator, which all ranks have alike.

    It deals in numbers of images. Each rank has all images, one byte a value: any of them may be in
    a batch of one process, and so it must be with N.
    """

    def __init__(self, team, batches):
        self._team = team
        self._batches = batches

    def __next__(self):
        return next(self._batches)[self._team.rank::self._team.size]

    def __getattr__(self, name):
        return getattr(self._batches, name)

    def serialize(self, serializer):
        self._batches.serialize(serializer)


class Mean(extension.Extension):
    """Makes the losses of a rank's part those of the batch.

    ChainerMN's ObservationAggregator asks for ChainerX."""

    priority = PRIORITY_WRITER  # before they are looked at

    def __init__(self, team):
        self.team = team

    def __call__(self, trainer):
        seen = trainer.observation
        for name in sorted(name for name in seen if name.startswith('main/')):
            loss = float(getattr(seen[name], 'array', seen[name]))
            seen[name] = self.team.comm.allreduce_obj(loss) / self.team.size


class Interruption(extensions.Interruption):
    """The same by all ranks, after the same iteration. SIGUSR1 is one more signal that asks for it:
    mpiexec passes it on and goes on waiting, while after Ctrl-C it may kill its processes soon."""

    signals = extensions.Interruption.signals + (signal.SIGUSR1,)

    def __init__(self, team, snapshots):
        super().__init__(snapshots)
        self.team = team

    def _ask(self, number, frame):
        if not self.asked or self.team.rank == 0:  # who ends all where it is the second time
            super()._ask(number, frame)

    def __call__(self, trainer):
        self.asked = max(self.team.gather(self.asked or 0))
        if self.asked:
            if self.team.rank == 0:
                self.snapshots.save(trainer)
            self.team.agreed = self.team.bcast(True)  # when it is written
            raise KeyboardInterrupt(self.asked)


class Communicator:
    """ChainerMN's, for gradients in any order of their memory. It takes them to be contiguous, and
    leaves others, such as a gradient that is a part of another array, without the mean, silently."""

    def __init__(self, comm):
        self._comm = comm

    def multi_node_mean_grad(self, model, zero_fill=False):
        for param in model.params():
            if param.grad is not None:
                param.grad = param.xp.ascontiguousarray(param.grad)
        self._comm.multi_node_mean_grad(model, zero_fill)

    def __getattr__(self, name):
        return getattr(self._comm, name)


def updater(team, batches, optimizer, **options):
    """Chainer's StandardUpdater; in a team, of this rank's part of the batches."""
    if team.comm is None:
        return StandardUpdater(batches, optimizer, **options)
    from chainermn import create_multi_node_optimizer
    # Hooks of the optimizer, such as clipping, come after the mean over the ranks
    return StandardUpdater(Share(team, batches), create_multi_node_optimizer(
        optimizer, Communicator(team.comm)), **options)


def evaluator(team, batches, model, **options):
    """The Evaluator of a model; in a team, each rank tests on its own images."""
    if team.comm is None:
        return extensions.Evaluator(batches, model, **options)
    from chainermn import create_multi_node_evaluator, scatter_dataset
    numbers = scatter_dataset(batches.dataset, team.comm, force_equal_length=False)
    own = extensions.Evaluator(chainer.iterators.SerialIterator(
        numbers, batches.batch_size, repeat=False, shuffle=False), model, **options)
    weight = team.size * len(numbers) / len(batches.dataset)
    evaluate = own.evaluate

    def weighted():
        means = evaluate() if len(numbers) else {}
        return {name: float(means.get(name, 0)) * weight for name in team.bcast(list(means))}

    own.evaluate = weighted
    return create_multi_node_evaluator(own, team.comm)


def interruption(team, snapshots):
    """The Interruption of a training, or of a team's."""
    return extensions.Interruption(snapshots) if team.comm is None else \
        Interruption(team, snapshots)


def start(team, trainer, snapshot):
    """Makes the ranks those of one training, which goes on from a snapshot that rank 0 has read, or
    starts from rank 0's parameters. Other machines need not have its file."""
    if team.comm is None:
        return
    state = None
    if snapshot:
        with open_npz(snapshot) as npz:
            state = {name: npz[name] for name in npz.files}
    state = team.bcast(state)
    if state and team.rank:
        serializers.NpzDeserializer(state).load(trainer)
    trainer.extend(Mean(team), trigger=lambda trainer: True)
    # The first call of ChainerMN's optimizer copies the parameters, and updates nothing
    trainer.updater.get_optimizer('main').update()
