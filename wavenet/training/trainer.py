"""A training: the options of train.py to data, model, optimizer, and Chainer's Trainer.

`train` does it all, in this order; `wavenet.training.run` makes the parts.
"""
import contextlib
import shlex

import numpy as np

from wavenet import cli, devices
from wavenet.training import data_parallel, folder
from wavenet.training.progress import announcement, write_line
from wavenet.training.run import load_data, make_model, make_run


def train(parser, args, team, sample_grid, load_model):
    """Trains a model as the options say: the whole work of train.py.

    Mistakes, failures and signals end the process with one line on standard error, and status 2, 1,
    or 128 + the signal's number.

    Args:
        parser: the `cli.ArgumentParser` of the command, which reports mistakes.
        args: the options of train.py.
        team: from `teams.join`.
        sample_grid: makes the extension that writes samples during the training; called with the
            model, the number of samples, the training data, and a seed.
        load_model: reads the model of --init; called with its path or name.
    """
    np.seterr(over='ignore', invalid='ignore')  # finite.check_loss has a better message
    with folder.OutFolder(args.out) as out:
        with team.reporting():
            team.connect(args)
            device = devices.use_device(args)
            if team.rank == 0:
                with cli.naming('--out', args.out):
                    out.claim()
                out.check(args.resume, args.overwrite)
        with team.reporting():
            data = load_data(args, team)
            model = make_model(args, data.train.num_classes, data.train.shape, device, load_model)
            for part in (model, *data):
                part.to_device(device)
        run = make_run(args, team, data, model, sample_grid)
        with team.reporting():
            if team.rank == 0 and args.resume:
                with cli.naming('--resume', args.resume):
                    run.snapshots.resume(args.resume, run.trainer)
        data_parallel.start(team, run.trainer, run.snapshots.newest)
        end = run.end()
        with team.reporting():
            if end:
                report_end(run, end)
            if team.rank == 0:
                with cli.naming('--out', args.out):
                    out.prepare([output.path(run.trainer) for output in run.outputs],
                                args.overwrite)
            if team.rank == 0 and not end:
                announce(run, device)
        run_trainer(parser, run, end)
    if team.rank == 0:
        report_best(run)
        model_file = run.outputs[0].path(run.trainer)
        print(cli.command_line('generate'), '--model', shlex.quote(model_file))


def announce(run, device):
    """Prints what the training will do. A closed standard output does not stop it."""
    name = devices.describe(device)
    if run.team.size > 1:
        name = f'{run.team.size} processes, the first of them on {name}'
    with contextlib.suppress(OSError):
        for line in announcement(run, name):
            write_line(line)


def report_best(run):
    """Prints which model of the training is the best one."""
    best, args = run.best, run.args
    if not best.iteration:
        return
    if run.is_due.limit.enough():
        print(f'--patience {args.patience}: {best.tests} tests without a better loss')
    print(f'least loss of the {"validation" if args.validation else "test"} '
          f'{run.data.test.examples}: '
          f'{best.loss:.5g} nats at iteration {best.iteration:,}, epoch {best.epoch}: '
          f'{run.outputs[1].path(run.trainer)}')


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
            model_file = run.outputs[0].path(run.trainer)
            so_far = f'; {model_file} is the model so far' if run.trainer.updater.epoch < 1 else ''
            cli.say(f'interrupted at iteration {iteration}{so_far}{run.advice()}')
        team.leave(cli.interruption_status(interruption))
