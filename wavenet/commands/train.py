"""Trains the post's PixelCNN, or Gated PixelCNN: data, model, Chainer's Trainer."""
import math
import os
import shlex
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import chainer
import numpy as np
from chainer.training.extensions import ParameterStatistics

from wavenet import cli, models
from wavenet.data.images import batches
from wavenet.data.load import LOADERS
from wavenet.commands import family_options
from wavenet.families import registry
from wavenet.storage import files
from wavenet.training import averaging, data_parallel, extensions, finite, teams
from wavenet.training.snapshots import Snapshots


def make_parser():
    parser = cli.ArgumentParser(check=check, description=__doc__)
    add = parser.add_argument
    count = cli.whole_number(1)
    add('--batchsize', '-b', type=count, metavar='N',
        help='images in a batch, with --communicator of each process (default: '
        f'{family_options.defaults("batchsize")})')
    add('--epoch', '-e', type=count, default=20, metavar='N',
        help='sweeps over the training images (default: %(default)s)')
    add('--iteration', type=count, metavar='N', help='stop after N batches, instead of --epoch')
    add('--minutes', type=cli.positive_number, metavar='X',
        help='stop after X minutes of training, tests and pictures included, if that comes first')
    add('--interval', type=count, metavar='N',
        help='test, log, draw and save after every N batches, too, not only after each epoch')
    cli.add_device_options(parser)
    cli.add_tf32_option(parser)
    teams.add_option(parser)
    add('--resume', '-r', default='', metavar='FILE',
        help='go on from a snapshot, out/snapshot_iter_N, or, with "auto", from the newest in the '
             'folder of --out that is good; the options of the model and of the data must be those '
             'it was made with')
    add('--out', '-o', default='out', metavar='DIR',
        help='folder for all that is written (default: %(default)s)')
    add('--model', choices=tuple(registry.FAMILIES), default='pixelcnn',
        help='; '.join(f'{name}: {family.title}' for name, family in registry.FAMILIES.items())
        + ' (default: %(default)s)')
    family_options.add(parser)
    add('--gradclip', type=cli.positive_number, metavar='X',
        help='clip each element of the gradient to [-X, X] (default: off)')
    add('--clip', type=cli.nonnegative_number, metavar='X',
        help='scale the gradient down to an L2 norm of X (default: '
        f'{family_options.defaults("clip")})')
    add('--weight_decay', type=cli.nonnegative_number, metavar='X',
        help='add X times the weights to the gradient (default: '
        f'{family_options.defaults("weight_decay")})')
    add('--learning_rate', type=cli.positive_number, metavar='X',
        help=f'learning rate (default: {family_options.defaults("learning_rate")})')
    add('--lr_decay', type=cli.decay_factor, metavar='X',
        help='multiply the learning rate by X after each batch, such as 0.999977 '
             f'(default: {family_options.defaults("lr_decay")}; 1 for off)')
    add('--average', type=cli.average_factor, metavar='X',
        help='test, draw and save a moving average of the weights, which keeps X of itself in each '
             f'batch, such as 0.999 (default: {family_options.defaults("average")}; 0 for off)')
    add('--levels', type=cli.whole_number(2, 256), default=2, metavar='N',
        help='values a pixel can take, 2 to 256 (default: %(default)s)')
    add('--dataset', default='mnist', metavar='NAME',
        help='digits, mnist, cifar10 (or cifar), or a path: a folder of images, an .npz '
             '(default: %(default)s)')
    add('--data', metavar='DIR', help='folder that holds the files of mnist or cifar10')
    add('--channels', type=int, choices=(1, 3), default=3,
        help='colours of a picture: 3, or 1 for grayscale (default: %(default)s)')
    add('--binarize', action='store_true',
        help='draw pixels black or white, by their intensity, anew each epoch; needs --levels 2')
    add('--loss', choices=('softmax', 'sigmoid'), default='softmax',
        help="sigmoid: one logit a value, the post's first stage; needs --levels 2 "
             '(default: %(default)s)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), default=0, metavar='N',
        help='of the weights, the order of images and all draws (default: %(default)s)')
    add('--test_limit', type=count, metavar='N', help='test on the first N test images only')
    add('--stats', action='store_true',
        help='log statistics of the weights and gradients of the first and the last layers')
    return parser


def make_model(args, num_classes):
    """The model that the options name, and its loss.

    Raises: MemoryError where a training of it would not fit the machine's memory.
    """
    family = registry.get(args.model)
    config = family.configure(args, num_classes)
    # Weights, masks, gradients, two moments of these, and averages
    count = sum(math.prod(shape) for shape in family.shapes(config).values())
    cli.check_memory((6 if args.average else 5) * 4 * count, 'a model of these sizes')
    return models.Classifier(family.build(config), reduce=family.recipe.reduce)


def make_optimizer(args, model):
    """Adam, with what is asked for of clipping and weight decay"""
    optimizer = registry.get(args.model).recipe.optimizer(args.learning_rate).setup(model)
    if args.gradclip:
        optimizer.add_hook(chainer.optimizer_hooks.GradientHardClipping(
            -args.gradclip, args.gradclip))
    if args.clip:
        optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(args.clip))
    if args.weight_decay:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(args.weight_decay))
    return optimizer


def check(parser, args):
    """Checks what options mean only together, and fills in the defaults of the family."""
    family_options.fill_in(parser, args)
    if args.loss == 'sigmoid' and args.levels != 2:
        parser.error(f'--loss sigmoid is for --levels 2, not {args.levels}')
    if args.binarize and args.levels != 2:
        parser.error(f'--binarize makes 2 levels: give --levels 2, not {args.levels}')
    if not args.out:
        parser.error('--out: give the name of a folder')


def prepare_folder(folder, paths, lock):
    """Makes the folder for all that is written, as far as need be, and claims it.

    Args:
        folder: where.
        paths: of files that will be written.
        lock: that of the folder, if it was there before.

    Returns: the lock.

    Raises: OSError where something cannot be written.
    """
    for needed in (folder, os.path.join(folder, 'samples')):
        files.make_folder(needed)
    lock = lock or files.lock(folder)
    for path in [os.path.join(folder, 'log')] + paths:
        files.check_target(path)
    files.remove_leftovers(folder, r'snapshot_iter_\d+|model\.npz|log|loss\.png')
    files.remove_leftovers(os.path.join(folder, 'samples'), r'epoch_\d+\.png')
    return lock


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    return train(parser, *teams.join(parser))


def train(parser, args, team):
    """Trains with the options in `args`, as one of the processes of a `wavenet.teams.Team`, or alone.
    Returns: the exit status, None for 0."""
    family = registry.get(args.model)
    np.seterr(over='ignore', invalid='ignore')  # wavenet.finite says it better
    with team.reporting():
        team.connect(args)
        device = cli.use_device(args)
    with team.reporting():
        with team.one_first():  # it may be a download
            train, test = LOADERS[family.data](args.dataset, args.channels, args.levels, args.data,
                                        args.binarize, args.seed, args.test_limit)
        batchsize = args.batchsize * team.size
        if batchsize > max(len(train), family.recipe.batchsize):
            raise ValueError('--batchsize {}: there are only {} images to train on'.format(
                batchsize if team.size == 1 else '{} of each of {} processes'.format(
                    args.batchsize, team.size), len(train)))
        np.random.seed(args.seed)  # Chainer draws the weights from here
        model = make_model(args, train.num_classes)
        for part in (model, train, test):
            part.to_device(device)
    if family.prepare:  # a run that goes on takes its parameters from the snapshot afterwards
        first = next(batches(train, batchsize, shuffle_seed=args.seed))
        family.prepare(model.predictor, train.batch(first))
    average = averaging.WeightAverage(model, args.average) if args.average else None
    tested = average.model if average else model
    optimizer = make_optimizer(args, model)
    updater = data_parallel.updater(
        team, batches(train, batchsize, shuffle_seed=args.seed), optimizer,
        converter=train.converter, device=device)
    stop = (args.iteration, 'iteration') if args.iteration else (args.epoch, 'epoch')
    limit = extensions.TimeLimit(*stop, minutes=args.minutes, decide=team.decide)
    trainer = chainer.training.Trainer(updater, limit, out=args.out)

    def is_due(trainer):  # to test, log, draw and save: an epoch ends, an interval, or the run
        return (limit.is_over(trainer) or updater.is_new_epoch or updater.iteration == args.iteration
                or bool(args.interval) and updater.iteration % args.interval == 0)

    settings = dict(
        channels=args.channels, height=train.shape[1], width=train.shape[2],
        images=len(train), levels=args.levels, loss=args.loss, binarize=args.binarize,
        seed=args.seed, average=args.average)
    columns = ['iteration' if args.interval else 'epoch',
               'main/nll', 'validation/main/nll', 'validation/main/bits/dim']
    terminal = cli.shows_progress(sys.stdout)
    snapshots = Snapshots(is_due)
    training = {name: getattr(args, name) for name in (
        'learning_rate', 'lr_decay', 'gradclip', 'clip', 'weight_decay')}
    outputs = [extensions.ModelFile(tested.predictor, dataset=args.dataset, batchsize=batchsize,
                                    **settings, **training),
               extensions.LossPlot(columns[1:3], columns[0])]
    if family.cache:  # without one, generation can take longer than the training
        outputs.append(extensions.SampleGrid(tested.predictor, train.shape, args.seed))

    # In the order of an iteration. What does not change the training is for one rank.
    extend_one = trainer.extend if team.rank == 0 else lambda *_, **__: None
    trainer.extend(extensions.Settings(**settings))
    trainer.extend(extensions.RandomState())
    trainer.extend(extensions.LearningRateDecay(optimizer, args.lr_decay))
    if average:
        trainer.extend(average)
    trainer.extend(data_parallel.evaluator(
        team, batches(test, args.batchsize), tested, converter=test.converter,
        device=device), trigger=is_due)
    if args.stats:
        extend_one(ParameterStatistics(
            [link for link in model.predictor.children()
             if not isinstance(link, chainer.ChainList)], trigger=is_due), trigger=is_due)
    extend_one(finite.check_loss, priority=chainer.training.PRIORITY_WRITER - 1)
    extend_one(extensions.LogReport(trigger=is_due))
    extend_one(extensions.PrintReport(
        columns, out=sys.stdout if terminal else extensions.PlainOutput()), trigger=is_due)
    extend_one(snapshots)
    for output in outputs:
        extend_one(output, trigger=is_due)
    if terminal:
        extend_one(extensions.ProgressBar(update_interval=1))
    trainer.extend(data_parallel.interruption(team, snapshots))

    with team.reporting():
        lock = team.rank == 0 and files.lock(args.out)
        if team.rank == 0 and args.resume:
            snapshots.resume(args.resume, trainer)
    data_parallel.start(team, trainer, snapshots.newest)
    unit, reached = stop[1], getattr(updater, stop[1])
    done, at = reached >= stop[0], '{} {}'.format(unit, reached)
    if limit.is_over(trainer):
        done, unit, at = True, 'minutes', '{} minutes'.format(args.minutes)
    with team.reporting():
        if done:
            already = '{} is at {} already: give a larger --{}'.format(snapshots.newest, at, unit)
            if args.resume != 'auto':
                raise ValueError(already)
            if team.rank == 0:
                cli.say(already)
        if team.rank == 0:  # the lock is held until the end
            lock = prepare_folder(  # noqa: F841
                args.out, [output.path(trainer) for output in outputs], lock)

    def advice():
        if team.rank:
            return '; with the same options, --resume auto goes on from the last snapshot'
        return '; with the same options, --resume {} goes on from the last snapshot'.format(
            shlex.quote(snapshots.newest)) if snapshots.newest else '; there is no snapshot yet'

    try:
        with parser.reporting(status=1, advice=advice):
            # The run may have ended before it wrote these
            if args.resume and team.rank == 0 and is_due(trainer):
                for output in outputs:
                    if files.is_older(output.path(trainer), snapshots.newest):
                        output(trainer)
            if not done:
                trainer.run(show_loop_exception_msg=False)
    except KeyboardInterrupt as interruption:
        if team.rank == 0:
            cli.say('interrupted at iteration {}'.format(updater.iteration) + advice())
        team.leave(cli.interruption_status(interruption))
    if team.rank == 0:
        print('python generate.py --model', shlex.quote(outputs[0].path(trainer)))


if __name__ == '__main__':
    sys.exit(main())
