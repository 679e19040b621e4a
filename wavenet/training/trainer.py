"""A training: the options of train.py to data, model, optimizer, and Chainer's Trainer.

`train` does it all, in this order; the functions below it make the parts.
"""
import argparse
import contextlib
import math
import shlex
import sys
from dataclasses import dataclass
from typing import NamedTuple, Optional

import chainer
import numpy as np
from chainer.backends import cuda
from chainer.training.extensions import ParameterStatistics

from wavenet import cli, devices
from wavenet.data.images import ImageDataset, batches
from wavenet.data.load import LOADERS
from wavenet.families import registry
from wavenet.models import Classifier
from wavenet.training import data_parallel, finite, folder, teams
from wavenet.training.averaging import WeightAverage
from wavenet.training.learning_rate import LearningRateDecay
from wavenet.training.outputs import LossPlot, ModelFile
from wavenet.training.progress import Lines, Progress, ProgressBar, announcement, write_line
from wavenet.training.reports import LogReport, PrintReport
from wavenet.training.snapshots import RandomState, Settings, Snapshots
from wavenet.training.triggers import Always, Due, TimeLimit

LOSSES = ('main/nll', 'validation/main/nll')  # names in the log: of training and test images


class Data(NamedTuple):
    """The images of a training, on its device."""

    train: ImageDataset
    test: ImageDataset


@dataclass
class Run:
    """The parts of a training.

    Attributes:
        args: the options of train.py.
        team: the process, or the processes, that train.
        data: the images.
        model: what is trained: a model and its loss.
        average: the moving average of its weights, or None.
        trainer: Chainer's trainer, with all extensions.
        is_due: trigger that says when to test, log, sample and save.
        snapshots: the extension that writes and reads snapshots.
        outputs: the extensions that write other files, the model first.
        steps: number of batches of the whole training, without the limit of --minutes.
    """

    args: argparse.Namespace
    team: 'teams.Team | teams.Alone'
    data: Data
    model: Classifier
    average: Optional[WeightAverage]
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
        count = getattr(self.trainer.updater, limit.unit)
        return End(f'--{limit.unit}', f'{limit.unit} {count}') if count >= limit.period else None


class End(NamedTuple):
    """Where a training ended: the option that sets it, and how far the training is, in words."""

    option: str
    place: str


def train(parser, args, team, sample_grid):
    """Trains a model as the options say: the whole work of train.py.

    Mistakes, failures and signals end the process with one line on standard error, and status 2, 1,
    or 128 + the signal's number.

    Args:
        parser: the `cli.ArgumentParser` of the command, which reports mistakes.
        args: the options of train.py.
        team: from `teams.join`.
        sample_grid: makes the extension that writes samples during the training; called with the
            model, the shape (C, H, W) of an image and a seed.
    """
    np.seterr(over='ignore', invalid='ignore')  # finite.check_loss has a better message
    with folder.OutFolder(args.out) as out:
        with team.reporting():
            team.connect(args)
            device = devices.use_device(args)
            if team.rank == 0:
                out.claim()
                out.check(args.resume, args.overwrite)
        with team.reporting():
            data = load_data(args, team)
            model = make_model(args, data.train.num_classes)
            for part in (model, *data):
                part.to_device(device)
        run = make_run(args, team, data, model, sample_grid)
        with team.reporting():
            if team.rank == 0 and args.resume:
                run.snapshots.resume(args.resume, run.trainer)
        data_parallel.start(team, run.trainer, run.snapshots.newest)
        end = run.end()
        with team.reporting():
            if end:
                report_end(run, end)
            if team.rank == 0:
                out.prepare([output.path(run.trainer) for output in run.outputs], args.overwrite)
            if team.rank == 0 and not end:
                announce(run, device)
        run_trainer(parser, run, end)
    if team.rank == 0:
        model_file = run.outputs[0].path(run.trainer)
        print(cli.command_line('generate'), '--model', shlex.quote(model_file))


def load_data(args, team):
    """Loads the data set of the options.

    Raises: ValueError for a batch that is larger than the data set, and as `wavenet.data.load`.
    """
    family = registry.get(args.model)
    with team.one_first():  # it may have to be downloaded
        data = Data(*LOADERS[family.data](args.dataset, args.channels, args.levels, args.data,
                                          args.binarize, args.seed, args.test_limit,
                                          labels=args.labels))
    count = len(data.train)
    if args.batchsize * team.size > max(count, family.recipe.batchsize):
        of_each = f' of each of {team.size} processes' if team.size > 1 else ''
        raise ValueError(f'--batchsize {args.batchsize}{of_each}: there are only {count} images to '
                         'train on')
    return data


def make_model(args, num_classes):
    """Makes the model of the options, and its loss, with random weights.

    Raises: MemoryError if training it would need more memory than the machine has.
    """
    family = registry.get(args.model)
    config = family.configure(args, num_classes)
    # Weights, masks, gradients, two moments of the gradients, and averages of the weights
    copies = 6 if args.average else 5
    values = sum(math.prod(shape) for shape in family.shapes(config).values())
    devices.check_memory(copies * 4 * values, 'a model of these sizes')
    np.random.seed(args.seed)  # Chainer draws the weights from NumPy's global state
    return Classifier(family.build(config), reduce=family.recipe.reduce)


def make_optimizer(args, model):
    """Makes the optimizer of the family's recipe, with clipping and weight decay as hooks."""
    optimizer = registry.get(args.model).recipe.optimizer(args.learning_rate).setup(model)
    if args.gradclip:
        optimizer.add_hook(chainer.optimizer_hooks.GradientHardClipping(
            -args.gradclip, args.gradclip))
    if args.clip:
        optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(args.clip))
    if args.weight_decay:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(args.weight_decay))
    return optimizer


def make_run(args, team, data, model, sample_grid):
    """Makes the trainer of a model, with its extensions: a `Run`."""
    family = registry.get(args.model)
    device = data.train.device
    batchsize = args.batchsize * team.size
    if family.prepare:  # a run that is resumed reads its parameters from the snapshot later
        first = next(batches(data.train, batchsize, shuffle_seed=args.seed))
        family.prepare(model.predictor, data.train.batch(first))
    average = WeightAverage(model, args.average) if args.average else None
    optimizer = make_optimizer(args, model)
    updater = data_parallel.updater(
        team, batches(data.train, batchsize, shuffle_seed=args.seed), optimizer,
        converter=data.train.converter, device=device)
    period = (args.iteration, 'iteration') if args.iteration else (args.epoch, 'epoch')
    limit = TimeLimit(*period, minutes=args.minutes, decide=team.decide)
    is_due = Due(limit, args.iteration, args.interval)
    trainer = chainer.training.Trainer(updater, limit, out=args.out)
    tested = average.model if average else model
    outputs = make_outputs(args, data, tested.predictor, batchsize)
    if family.cache:  # without one, sampling can take longer than the training
        outputs.append(sample_grid(tested.predictor, data.train.shape, args.seed))
    run = Run(args, team, data, model, average, trainer, is_due, Snapshots(is_due), outputs)
    add_training_extensions(run, optimizer, tested, device)
    add_writing_extensions(run)
    trainer.extend(data_parallel.interruption(team, run.snapshots))
    return run


def settings_of(args, data):
    """The options and sizes that a training must keep when it is resumed, JSON values by name."""
    _, height, width = data.train.shape
    labels = dict(labels=True) if args.labels else {}
    return dict(data=data.train.origin.checksum, channels=args.channels, height=height, width=width,
                images=len(data.train), levels=args.levels, loss=args.loss, binarize=args.binarize,
                seed=args.seed, average=args.average, **labels)


def recipe_of(args):
    """The options that a training may change when it is resumed."""
    return {name: getattr(args, name) for name in (
        'learning_rate', 'lr_decay', 'gradclip', 'clip', 'weight_decay')}


def make_outputs(args, data, model, batchsize):
    """Makes the extensions that write files which can be written again from a snapshot."""
    classes = dict(class_names=data.train.class_names,
                   trained_classes=np.unique(cuda.to_cpu(data.train.class_ids)).tolist())
    return [ModelFile(model, dataset=args.dataset, batchsize=batchsize, **recipe_of(args),
                      **classes, split=data.train.origin.split, **settings_of(args, data)),
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
    if run.average:
        extend(run.average)
    test = run.data.test
    extend(data_parallel.evaluator(run.team, batches(test, args.batchsize), tested,
                                   converter=test.converter, device=device), trigger=run.is_due)


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
    for output in run.outputs:
        extend(output, trigger=is_due)
    always = Always()
    extend(Progress(run.steps, args.minutes, each_minute=not cli.shows_progress(sys.stdout),
                    on_cpu=run.data.train.device.xp is np), trigger=always)
    if cli.shows_progress(sys.stderr):
        extend(ProgressBar(run.steps), trigger=always)


def announce(run, device):
    """Prints what the training will do. A closed standard output does not stop it."""
    name = devices.describe(device)
    if run.team.size > 1:
        name = f'{run.team.size} processes, the first of them on {name}'
    with contextlib.suppress(OSError):
        for line in announcement(run, name):
            write_line(line)


def report_end(run, end):
    """Says that a training has ended before; this is an error unless --resume is 'auto'.

    Raises: ValueError.
    """
    already = f'{run.snapshots.newest} is at {end.place} already: give a larger {end.option}'
    if run.args.resume != 'auto':
        raise ValueError(already)
    if run.team.rank == 0:
        cli.say(already)


def run_trainer(parser, run, end):
    """Writes what an earlier run could not write any more, and runs the trainer unless it is at its
    `end`. A failure or a signal ends the process with one line that says how to go on."""
    team = run.team
    try:
        with parser.reporting(status=1, advice=run.advice):
            if run.args.resume and team.rank == 0 and run.is_due(run.trainer):
                folder.write_outdated(run.outputs, run.trainer, run.snapshots.newest)
            if not end:
                run.trainer.run(show_loop_exception_msg=False)
    except KeyboardInterrupt as interruption:
        if team.rank == 0:
            iteration = run.trainer.updater.iteration
            cli.say(f'interrupted at iteration {iteration}{run.advice()}')
        team.leave(cli.interruption_status(interruption))
