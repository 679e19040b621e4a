"""The post's pictures, one after the other: trains the models of `wavenet/presets.py`, draws from
each, measures it.

    python -m wavenet.results [NAME…] [--gpu N] [--budget MINUTES]

A stage has a folder in `out/results`: `samples.png`, all that train.py writes (`model.npz`, `log`),
and `result.json`. `out/results/index.md` shows all stages. Run again, it goes on where it stopped;
what is done is left alone, unless its preset has changed.
"""
import ctypes
import json
import math
import os
import shlex
import signal
import subprocess
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import numpy as np
import tqdm

from wavenet import cli, evaluate, pictures, sampling, serialization
from wavenet.data import downloads
from wavenet.data.load import load_dataset
from wavenet.results import mistakes, page, real_inputs
from wavenet.storage import files
from wavenet.commands import train
from wavenet.training import snapshots
from wavenet.results.presets import IMAGES, STAGES

COUNT, NAIVE_COUNT = 10, 4  # rows and columns of pictures; of those by the post's loop
SEED = 0  # of the draws
PRESET = 'preset.json'  # the options of the training that a stage's folder is for

# By which of its files a folder of a data set is known
FILES = {'mnist': [name + ending for name in downloads.MNIST_FILES for ending in ('', '.gz')],
         'cifar10': [downloads.CIFAR_ARCHIVE] + downloads.CIFAR_TEST}

LIBC = ctypes.CDLL(None)


class TrainingFailed(Exception):
    """What train.py said last."""


def run_stage(name, args, device):
    """Trains, draws and measures, as far as that is not done.

    Raises: TrainingFailed, or one of `cli.ERRORS`, where that fails; KeyboardInterrupt.
    """
    stage, folder = STAGES[name], os.path.join(args.out, name)
    options = preset_options(stage, args)
    preset = options + [stage.mistake] * bool(stage.mistake)
    parser = train.make_parser()
    parser.prog += ': ' + name
    try:
        chosen = parser.parse_args(options)
    except SystemExit:
        raise TrainingFailed('its preset is not one of train.py')
    result = page.read_result(folder)
    is_of_preset = page.read(folder, PRESET) == preset
    if result and is_of_preset and result.get('preset') == preset \
            and os.path.exists(os.path.join(folder, 'samples.png')) \
            and (result['complete'] or args.budget and result['minutes'] >= args.budget):
        print('{}: done before'.format(name), flush=True)
        return
    files.make_folder(folder)
    goes_on = False
    if is_of_preset:
        # Those that are older are of another preset
        goes_on = any(not files.is_older(snapshot, os.path.join(folder, PRESET))
                      for snapshot in snapshots.find(folder))
    else:
        _save(folder, PRESET, preset)

    chosen.data = find_data(chosen.dataset, args.data or [])
    minutes = min(filter(None, (chosen.minutes, args.budget)), default=None)
    further = ['--out', folder] + ['--resume', 'auto'] * goes_on
    for option, value in (('--data', chosen.data), ('--minutes', minutes),
                          ('--gpu', args.gpu if args.gpu >= 0 else None)):
        further += [] if value is None else [option, str(value)]
    run_training(name, stage.mistake, options + further)

    result = dict(measure(name, chosen, folder, device), options=options, preset=preset)
    result['complete'] = (
        result['iteration'] >= chosen.iteration if chosen.iteration else
        result['epoch'] >= chosen.epoch) or result['minutes'] >= (chosen.minutes or math.inf)
    _save(folder, 'result.json', result)


def preset_options(stage, args):
    """The options of train.py on which the result depends."""
    options = shlex.split(stage.options) + shlex.split(
        stage.on_cpu if args.gpu < 0 else stage.on_gpu)
    return [args.images if option == IMAGES else option for option in options]


def find_data(dataset, folders):
    """The first of the folders that has files of the data set, or None."""
    return next((folder for folder in folders for name in FILES.get(dataset, [])
                 if os.path.exists(os.path.join(folder, name))), None)


def run_training(name, mistake, options):
    """Runs train.py in a process of its own, to which it passes signals on. What train.py says on
    standard error is said with the name of the stage.

    Raises: TrainingFailed where it fails; KeyboardInterrupt where a signal
        ended it.
    """
    command = ['-m', 'wavenet.results.mistakes', '--mistake', mistake] if mistake else \
        ['-m', 'wavenet.commands.train']
    command += options
    print('{}: python {}'.format(name, shlex.join(command)), flush=True)
    processes, signals = [], []

    def pass_on(number, _):
        signals.append(number)
        for process in processes:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on)
              for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
              if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        # In a session of its own, it does not get a terminal's Ctrl-C besides
        process = subprocess.Popen([sys.executable] + command, stderr=subprocess.PIPE,
                                   universal_newlines=True, start_new_session=True,
                                   preexec_fn=end_with_parent)
        processes.append(process)
        for number in list(signals):
            process.send_signal(number)
        line = 'the training was killed'
        for line in process.stderr:
            if not signals:
                cli.say('{}: {}'.format(name, line))
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signals:
        raise KeyboardInterrupt(signals[0])
    if status:
        raise TrainingFailed(line.strip())


def end_with_parent():
    """Has Linux send this process SIGTERM when its parent is killed."""
    PR_SET_PDEATHSIG = 1
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def measure(name, chosen, folder, device):
    """Draws pictures from the model in a folder into `samples.png`, and measures it.

    Args:
        name: of the stage.
        chosen: the options that train.py had.
        folder: of the stage.
        device: Chainer's, to compute on.

    Returns: a dict of JSON values.
    """
    mistake = STAGES[name].mistake
    naive = mistake in mistakes.OF_THE_MODEL
    count = NAIVE_COUNT if naive else COUNT
    with mistakes.made(mistake):
        model = serialization.load_model(os.path.join(folder, 'model.npz'))
        _, test = load_dataset(chosen.dataset, chosen.channels, chosen.levels, chosen.data,
                                chosen.binarize, chosen.seed, chosen.test_limit)
        for part in (model, test):
            part.to_device(device)
        channels, height, width = test.shape
        with tqdm.tqdm(total=height * width, unit='pixel', desc='drawing', leave=False,
                       disable=not sys.stderr.isatty()) as bar:
            samples = sampling.generate(model, (count ** 2,) + test.shape, SEED,
                                        'naive' if naive else 'cached', progress=bar.update)
        pictures.save(os.path.join(folder, 'samples.png'), pictures.square(samples), scale=2)
        likelihood = evaluate.likelihood(model, test, chosen.batchsize)
    log = page.read(folder, 'log')
    result = dict(likelihood._asdict(), dataset=chosen.dataset, values=channels * height * width,
                  levels=chosen.levels, batchsize=chosen.batchsize, parameters=model.count_params(),
                  gpu=device.xp is not np,
                  curve=[[entry['iteration'], entry['validation/main/nll']] for entry in log],
                  **{key: log[-1][key] for key in ('iteration', 'epoch')})
    result['minutes'] = log[-1]['elapsed_time'] / 60
    if name in real_inputs.STAGES:
        result['inputs'] = real_inputs.measure(model, chosen, samples)
    if device.xp is not np:
        device.xp.get_default_memory_pool().free_all_blocks()  # for the next training
    return result


def _save(folder, name, value):
    with files.atomic_write(os.path.join(folder, name)) as file:
        file.write(json.dumps(value, indent=1).encode())


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.results',
                                description="Reproduces the post's pictures, measures the models.")
    add = parser.add_argument
    add('names', nargs='*', metavar='NAME', help='stages, of {} (default: all)'.format(
        ', '.join(STAGES)))
    add('--gpu', '-g', type=int, default=-1, metavar='N',
        help="number of the GPU, for models of the post's size; negative for the CPU, and small ones "
             '(default: %(default)s)')
    parser.set_defaults(device=None)
    add('--budget', type=cli.positive_number, metavar='MINUTES',
        help='stop the training of each stage after MINUTES, if it is not done before; a larger '
             'budget goes on (default: as long as the preset says)')
    add('--data', action='append', metavar='DIR',
        help='folder with the files of mnist or cifar10; can be given twice; what is in none is '
             'downloaded')
    add('--images', metavar='PATH',
        help='your own images, a folder or an .npz, for the stage own-images')
    add('--out', '-o', default=os.path.join('out', 'results'), metavar='DIR',
        help='folder for all that is written (default: %(default)s)')
    return parser


def main(parser):
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in STAGES]
    if unknown:
        parser.error('there is no stage {!r}: they are {}'.format(unknown[0], ', '.join(STAGES)))
    if 'own-images' in args.names and args.images is None:
        parser.error('own-images needs --images PATH, a folder of images or an .npz')
    names = args.names or [name for name in STAGES if name != 'own-images' or args.images]
    np.seterr(over='ignore', invalid='ignore')  # what finds such numbers says it better
    with parser.reporting():
        for folder in args.data or []:
            if not any(find_data(dataset, [folder]) for dataset in FILES):
                raise ValueError(
                    '--data {}: no file of mnist or cifar10 is in this folder'.format(folder))
        if args.images is not None and not os.path.exists(args.images):
            raise ValueError('--images {}: there is no such file or folder'.format(args.images))
        device = cli.use_device(args)
        files.make_folder(args.out)
        files.check_target(os.path.join(args.out, page.PAGE))
    failed = {}
    try:
        for name in names:
            try:
                run_stage(name, args, device)
            except TrainingFailed as error:  # it has been said
                failed[name] = str(error)
            except cli.ERRORS as error:
                failed[name] = cli.reason(error)
                cli.say('{}: {}'.format(name, failed[name]))
            page.write(args.out, failed)
    except KeyboardInterrupt as interruption:
        cli.say('interrupted in {}; the same command goes on from there'.format(name))
        return cli.interruption_status(interruption)
    print(os.path.join(args.out, page.PAGE))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
