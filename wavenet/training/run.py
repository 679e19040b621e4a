"""The parts of a training, and how they are made from the options of train.py."""
import argparse
import math
import shlex
import sys
from dataclasses import dataclass
from typing import NamedTuple, Optional

import chainer
import numpy as np
from chainer.backends import cuda
from chainer.training.extensions import ParameterStatistics

from wavenet import cli
from wavenet.data.batches import batches
from wavenet.data.images import ImageDataset
from wavenet.data.windows import SoundDataset
from wavenet.families import registry
from wavenet.training import data_parallel, finite, memory, teams
from wavenet.training.averaging import WeightAverage
from wavenet.training.best import Best, BestFile
from wavenet.training.dropout import DropoutSeed
from wavenet.training.flat import Clipping, flat_optimizer
from wavenet.training.kinds import KINDS
from wavenet.training.learning_rate import LearningRateDecay
from wavenet.training.outputs import LossPlot, ModelFile
from wavenet.training.progress import SMALL, Lines, Progress, ProgressBar
from wavenet.training.reports import LogReport, PrintReport
from wavenet.training.snapshots import RandomState, Settings, Snapshots
from wavenet.training.triggers import Always, Due, TimeLimit

LOSSES = ('main/nll', 'validation/main/nll')  # names in the log: of training and test images
FIRST_SAMPLES = 100  # samples are written after so many batches, too


class Data(NamedTuple):
    """The images or recordings of a training, on its device."""

    train: 'ImageDataset | SoundDataset'
    test: 'ImageDataset | SoundDataset'      # with --validation, those that were set aside


@dataclass
class Run:
    """The parts of a training.

    Attributes:
        args: the options of train.py.
        team: the process, or the processes, that train.
        data: the images.
        model: what is trained: a model and its loss.
        average: the moving average of its weights, or None.
        best: the extension that keeps the best model.
        trainer: Chainer's trainer, with all extensions.
        is_due: trigger that says when to test, log, sample and save.
        snapshots: the extension that writes and reads snapshots.
        outputs: the extensions that write other files, the model first.
        steps: number of batches of the whole training, without the limit of --minutes.
    """

    args: argparse.Namespace
    team: 'teams.Team | teams.Alone'
    data: Data
    model: chainer.Chain
    average: Optional[WeightAverage]
    best: Best
    trainer: chainer.training.Trainer
    is_due: Due
    snapshots: Snapshots
    outputs: list

    @property
    def steps(self):
        args = self.args
        batchsize = args.batchsize * self.team.size
        return args.iteration or -(-args.epoch * len(self.data.train) // batchsize)

    def advice(self):
        """The end of an error message: how to go on after it."""
        if self.team.rank:
            return '; with the same options, --resume auto goes on from the last snapshot'
        if self.snapshots.newest is None:
            return '; there is no snapshot yet'
        newest = shlex.quote(self.snapshots.newest)
        return f'; with the same options, --resume {newest} goes on from the last snapshot'

    def end(self):
        """The `End` that the training has reached, or None. In a team, all ranks must call it."""
        limit = self.is_due.limit
        if limit.is_over(self.trainer):
            return End('--minutes', f'{self.args.minutes} minutes')
        if limit.enough():
            return End('--patience', f'{self.best.tests} tests without a better one')
        count = getattr(self.trainer.updater, limit.unit)
        return End(f'--{limit.unit}', f'{limit.unit} {count}') if count >= limit.period else None


class End(NamedTuple):
    """Where a training ended: the option that sets it, and how far the training is, in words."""

    option: str
    place: str


def load_data(args, team):
    """Loads the data set of the options.

    Raises: ValueError for a batch that is larger than the data set, and as `wavenet.data.load`.
    """
    family = registry.get(args.model)
    # It may have to be downloaded
    with team.one_first(), cli.naming('--dataset', args.dataset):
        data = Data(*KINDS[family.data].load(args, family))
    if args.unconditional:
        for part in data:
            part.forget_classes()
    count = len(data.train)
    if args.batchsize * team.size > max(count, family.recipe.batchsize):
        of_each = f' of each of {team.size} processes' if team.size > 1 else ''
        raise ValueError(f'--batchsize {args.batchsize}{of_each}: there are only {count} '
                         f'{data.train.unit} to train on')
    return data


def make_model(args, num_classes, shape, device, load_model):
    """Makes the model of the options, and its loss, with random weights or those of --init.

    Raises: MemoryError if training it would need more memory than the machine has; ValueError if
        the model of --init is another one; as `load_model`.
    """
    family = registry.get(args.model)
    config = family.fit(family.configure(args, num_classes), shape)
    memory.check(family, config, shape, args, device)
    np.random.seed(args.seed)  # Chainer draws the weights from NumPy's global state
    model = family.loss(family.build(config), reduce=family.recipe.reduce)
    model.predictor.dropout = args.dropout
    if args.init:
        with cli.naming('--init', args.init):
            copy_weights(load_model(args.init), model.predictor)
    return model


def copy_weights(source, model):
    """Copies the weights of the model of --init. Raises: ValueError for another model."""
    theirs, ours = source.config.to_json(), model.config.to_json()
    other = [f'{size} {theirs.get(size, False)} (here {ours.get(size, False)})'
             for size in {**theirs, **ours} if theirs.get(size) != ours.get(size)]
    if source.family != model.family:
        other = [f'{registry.get(source.family).title} (here {registry.get(model.family).title})']
    if other:
        raise ValueError(f'it is another model: {", ".join(other)}')
    model.copyparams(source)


def make_optimizer(args, model):
    """Makes the optimizer of the family's recipe, with clipping and weight decay as hooks."""
    optimizer = registry.get(args.model).recipe.optimizer(args.learning_rate)
    clipping = chainer.optimizer_hooks.GradientClipping
    if model.xp is not np:
        optimizer, clipping = flat_optimizer(optimizer), Clipping
    optimizer.setup(model)
    if args.gradclip:
        optimizer.add_hook(chainer.optimizer_hooks.GradientHardClipping(
            -args.gradclip, args.gradclip))
    if args.clip:
        optimizer.add_hook(clipping(args.clip))
    if args.weight_decay:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(args.weight_decay))
    return optimizer


def make_run(args, team, data, model, sample_grid):
    """Makes the trainer of a model, with its extensions: a `Run`."""
    family = registry.get(args.model)
    device = data.train.device
    batchsize = args.batchsize * team.size
    if family.prepare and not args.init:
        # A run that is resumed reads its parameters from the snapshot later
        first = next(batches(data.train, batchsize, shuffle_seed=args.seed))
        family.prepare(model.predictor, data.train.batch(first))
    optimizer = make_optimizer(args, model)
    average = WeightAverage(model, args.average, getattr(optimizer, 'flat', None)) \
        if args.average else None
    updater = data_parallel.updater(
        team, batches(data.train, batchsize, shuffle_seed=args.seed), optimizer, data.train.weigh,
        converter=data.train.converter, device=device)
    tested = average.model if average else model
    best = Best(tested.predictor, LOSSES[1])
    period = (args.iteration, 'iteration') if args.iteration else (args.epoch, 'epoch')
    limit = TimeLimit(*period, minutes=args.minutes, decide=team.decide,
                      enough=lambda: best.tests >= (args.patience or math.inf))
    is_due = Due(limit, args.iteration, args.interval)
    trainer = chainer.training.Trainer(updater, limit, out=args.out)
    outputs = make_outputs(args, data, tested.predictor, best, batchsize)
    if family.cache and args.samples:  # without a cache, sampling can take longer than the training
        outputs.append(sample_grid(tested.predictor, args.samples, data.train, args.seed))
    run = Run(args, team, data, model, average, best, trainer, is_due, Snapshots(is_due), outputs)
    add_training_extensions(run, optimizer, tested, device)
    add_writing_extensions(run)
    trainer.extend(data_parallel.interruption(team, run.snapshots, outputs[0]))
    return run


def settings_of(args, data):
    """The options and sizes that a training must keep when it is resumed, JSON values by name."""
    of_kind = KINDS[registry.get(args.model).data].settings(args, data.train)
    return dict(of_kind, data=data.train.origin.checksum, levels=args.levels, seed=args.seed,
                average=args.average, validation=args.validation)


def recipe_of(args):
    """The options that a training may change when it is resumed."""
    return {name: getattr(args, name) for name in (
        'learning_rate', 'lr_decay', 'gradclip', 'clip', 'weight_decay', 'dropout', 'flip')}


def make_outputs(args, data, model, best, batchsize):
    """Makes the extensions that write files which can be written again from a snapshot."""
    classes = dict(class_names=data.train.class_names,
                   trained_classes=np.unique(cuda.to_cpu(data.train.class_ids)).tolist())
    model_file = ModelFile(
        model, dataset=args.dataset, size=args.size, batchsize=batchsize, init=args.init,
        chosen_on=None, split=data.train.origin.split, **recipe_of(args), **classes,
        **settings_of(args, data))
    return [model_file,
            BestFile(best, model_file.about, 'validation' if args.validation else 'test'),
            LossPlot(LOSSES, 'iteration' if args.interval else 'epoch')]


def add_training_extensions(run, optimizer, tested, device):
    """Adds the extensions that belong to the trainer's state, and the test, on all ranks.

    Extensions of the same priority run in the order in which they are added.
    """
    args, extend = run.args, run.trainer.extend
    predictor = run.model.predictor
    settings = Settings({**settings_of(args, run.data), **predictor.config.to_json(),
                         'model': predictor.family}, bool(run.data.train.origin.split),
                        dict(recipe_of(args), batchsize=args.batchsize * run.team.size))
    extend(settings)
    run.outputs[0].about['changes'] = settings.changes
    extend(RandomState())
    extend(LearningRateDecay(optimizer, args.lr_decay))
    if args.dropout:
        extend(DropoutSeed(device.xp, args.seed, run.team.rank), trigger=Always())
    if run.average:
        extend(run.average)
    test = run.data.test
    extend(data_parallel.evaluator(run.team, batches(test, args.batchsize), tested, test.weigh,
                                   converter=test.converter, device=device), trigger=run.is_due)
    extend(run.best, trigger=run.is_due)


def add_writing_extensions(run):
    """Adds the extensions that report and write, on rank 0."""
    if run.team.rank:
        return
    args, extend, is_due = run.args, run.trainer.extend, run.is_due
    if args.stats:
        extend(ParameterStatistics(
            [link for link in run.model.predictor.children()
             if not isinstance(link, chainer.ChainList)], trigger=is_due), trigger=is_due)
    extend(finite.check_loss, priority=chainer.training.PRIORITY_WRITER - 1)
    extend(LogReport(trigger=is_due))
    columns = ['iteration' if args.interval else 'epoch', *LOSSES, 'validation/main/bits/dim']
    extend(PrintReport(columns, out=Lines()), trigger=is_due)
    extend(run.snapshots)
    for output in run.outputs[:3]:
        extend(output, trigger=is_due)
    for samples in run.outputs[3:]:
        extend(samples, trigger=lambda trainer: is_due(trainer)
               or trainer.updater.iteration == FIRST_SAMPLES)
    always = Always()
    bar = cli.shows_progress(sys.stderr)
    on_cpu = run.data.train.device.xp is np
    extend(Progress(run.steps, args.minutes, is_large=on_cpu and run.model.count_params() > SMALL,
                    each_minute=not (bar and cli.shows_progress(sys.stdout))), trigger=always)
    if bar:
        extend(ProgressBar(run.steps), trigger=always)
