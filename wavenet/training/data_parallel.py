"""Training by a team of processes: each rank has the whole model and computes its part of a batch.

All parts have the same number of images, because Chainer fills up the last batch of an epoch with
images of the next one. So ChainerMN's mean over the ranks is the mean over the batch, and N ranks
with batches of b images train as one process does with batches of N · b images. Of sound, the parts
have different numbers of samples, and each rank's loss and gradient count by its samples.
"""
import signal

import chainer
from chainer import serializers
from chainer.training import PRIORITY_WRITER, StandardUpdater, extension

from wavenet.storage.npz import open_npz
from wavenet.training.flat import FlatOptimizer
from wavenet.training.interruption import Interruption
from wavenet.training.reports import Evaluator
from wavenet.training.triggers import Always


class Share(chainer.dataset.Iterator):
    """This rank's part of each batch of an iterator.

    The iterator yields the same numbers of images on all ranks. Each rank holds all images, one
    byte per value, because any image can come into any part.

    Args:
        team, batches: the team and the iterator.
        weigh: called with numbers of images; returns how much they count.

    Attributes:
        weight: of the last part, relative to the mean over the ranks: 1.0 where all are the same.
    """

    def __init__(self, team, batches, weigh):
        self._team = team
        self._batches = batches
        self._weigh = weigh
        self.weight = 1.0

    def __next__(self):
        batch = next(self._batches)
        part = batch[self._team.rank::self._team.size]
        self.weight = self._team.size * self._weigh(part) / self._weigh(batch)
        return part

    def __getattr__(self, name):
        return getattr(self._batches, name)

    def serialize(self, serializer):
        self._batches.serialize(serializer)


class MeanOverRanks(extension.Extension):
    """Averages the reported training losses over the ranks, so that they are those of the batch.

    It is our own because ChainerMN's ObservationAggregator needs ChainerX.
    """

    priority = PRIORITY_WRITER  # before other extensions read the losses

    def __init__(self, team):
        self.team = team

    def __call__(self, trainer):
        observation = trainer.observation
        weight = trainer.updater.get_iterator('main').weight
        for name in sorted(name for name in observation if name.startswith('main/')):
            loss = float(getattr(observation[name], 'array', observation[name]))
            observation[name] = self.team.comm.allreduce_obj(loss * weight) / self.team.size


class TeamInterruption(Interruption):
    """An Interruption that ends all ranks after the same iteration.

    SIGUSR1 interrupts, too: mpiexec passes it on and keeps waiting, but after Ctrl-C it may kill
    its processes before they have saved a snapshot.
    """

    name = Interruption.__name__  # in snapshots, which one process can go on from, too
    signals = (*Interruption.signals, signal.SIGUSR1)

    def __init__(self, team, snapshots, model_file):
        super().__init__(snapshots, model_file)
        self.team = team

    def _ask(self, number, frame):
        if not self.asked or self.team.rank == 0:  # only rank 0 ends all ranks at a second signal
            super()._ask(number, frame)

    def __call__(self, trainer):
        self.asked = max(self.team.gather(self.asked or 0))
        if self.asked:
            if self.team.rank == 0:
                self.save(trainer)
            self.team.agreed = self.team.bcast(True)  # waits until the snapshot is written
            raise KeyboardInterrupt(self.asked)


class Communicator:
    """A communicator of ChainerMN that averages gradients of any memory layout.

    ChainerMN's own takes every gradient for contiguous. It silently leaves out the mean of others,
    such as a gradient that is a part of another array. The gradients of a flat optimizer are
    averaged as the one array that it updates the parameters by.

    Args:
        comm: ChainerMN's communicator.
        optimizer: the optimizer.
        share: the `Share` whose weight the gradients of this rank have.
    """

    def __init__(self, comm, optimizer, share):
        self._comm = comm
        self._optimizer = optimizer
        self._share = share

    def multi_node_mean_grad(self, model, zero_fill=False):
        if isinstance(self._optimizer, FlatOptimizer):
            self._optimizer.join_gradients()
            model = self._optimizer.flat
        for param in model.params():
            if param.grad is not None:
                param.grad = param.xp.ascontiguousarray(param.grad)
                if self._share.weight != 1:
                    param.grad *= self._share.weight
        self._comm.multi_node_mean_grad(model, zero_fill)

    def __getattr__(self, name):
        return getattr(self._comm, name)


def updater(team, batches, optimizer, weigh, **options):
    """Makes Chainer's StandardUpdater; in a team, for this rank's part of the batches, which counts
    as `weigh` says, see `Share`."""
    if team.comm is None:
        return StandardUpdater(batches, optimizer, **options)
    from chainermn import create_multi_node_optimizer
    # The optimizer's hooks, such as clipping, run after the mean over the ranks
    share = Share(team, batches, weigh)
    return StandardUpdater(share, create_multi_node_optimizer(
        optimizer, Communicator(team.comm, optimizer, share)), **options)


def evaluator(team, batches, model, weigh, **options):
    """Makes the Evaluator of a model; in a team, each rank tests its own part of the images."""
    if team.comm is None:
        return Evaluator(batches, model, weigh, **options)
    from chainermn import create_multi_node_evaluator, scatter_dataset
    numbers = scatter_dataset(batches.dataset, team.comm, force_equal_length=False)
    own = Evaluator(chainer.iterators.SerialIterator(
        numbers, batches.batch_size, repeat=False, shuffle=False), model, weigh, **options)
    everything = range(len(batches.dataset))
    weight = team.size * weigh([*numbers]) / weigh(everything)
    evaluate = own.evaluate

    def weighted():
        means = evaluate() if len(numbers) else {}
        return {name: float(means.get(name, 0)) * weight for name in team.bcast(list(means))}

    own.evaluate = weighted
    return create_multi_node_evaluator(own, team.comm)


def interruption(team, snapshots, model_file):
    """Makes the Interruption of a training; in a team, the one for all ranks."""
    if team.comm is None:
        return Interruption(snapshots, model_file)
    return TeamInterruption(team, snapshots, model_file)


def start(team, trainer, snapshot):
    """Gives all ranks of a team the same state; a single process needs nothing.

    They go on from the snapshot that rank 0 has read, which need not exist on other machines.
    Without one they start from the parameters of rank 0.
    """
    if team.comm is None:
        return
    state = None
    if snapshot:
        with open_npz(snapshot) as npz:
            state = {name: npz[name] for name in npz.files}
    state = team.bcast(state)
    if state and team.rank:
        serializers.NpzDeserializer(state).load(trainer)
    trainer.extend(MeanOverRanks(team), trigger=Always())
    # The first call of ChainerMN's optimizer copies the parameters and updates nothing
    trainer.updater.get_optimizer('main').update()
