"""Reproduces the images of the post: trains the model of each stage, generates images, measures it.

    python -m wavenet.results [NAME…] [--gpu N] [--budget MINUTES]

The stages are in `wavenet/results/presets.py`. Each has a folder in out/results, which holds all
files of train.py, `samples.png` and `result.json`. The page out/results/index.md shows all stages.
If you run the command again, it goes on where it stopped. It skips finished stages, unless their
presets have changed.
"""
import json
import math
import os
import shlex
import sys

import numpy as np
import tqdm

from wavenet import cli, devices, pictures, sampling, serialization
from wavenet.commands import train
from wavenet.data import downloads, idx
from wavenet.families import registry
from wavenet.likelihood import likelihood
from wavenet.results import mistakes, page, real_inputs, training_process
from wavenet.results.presets import IMAGES, STAGES
from wavenet.results.training_process import TrainingFailed
from wavenet.storage import files
from wavenet.training import snapshots
from wavenet.training.kinds import KINDS

PROGRAM = 'python -m wavenet.results'
COUNT = 10        # rows and columns of generated images
PLAIN_COUNT = 4   # the same if only the plain loop can generate them
SEED = 0          # of generation
PRESET = 'preset.json'  # in the folder of a stage: the options of its training

# A folder of a data set has one of these files
FILES = {'mnist': [name + ending for name in idx.NAMES for ending in ('', '.gz')],
         'cifar10': [downloads.CIFAR_ARCHIVE] + downloads.CIFAR_TEST}


def run_stage(name, args, device):
    """Trains a stage, generates images and measures the model, as far as that is not done yet.

    Args:
        name: of the stage.
        args: the options of this command.
        device: a Chainer device.

    Raises: TrainingFailed or one of `cli.ERRORS` if that fails, KeyboardInterrupt.
    """
    stage, folder = STAGES[name], os.path.join(args.out, name)
    options = preset_options(stage, args)
    preset = options + [stage.mistake] * bool(stage.mistake)
    training = parse_options(name, options)
    if is_done(folder, preset, args.budget):
        print(f'{name}: done before', flush=True)
        return
    files.make_folder(folder)
    resumes = page.read(folder, PRESET) == preset and any(
        # Older snapshots belong to another preset
        not files.is_older(snapshot, os.path.join(folder, PRESET))
        for snapshot in snapshots.find(folder))
    if page.read(folder, PRESET) != preset:
        save_json(folder, PRESET, preset)

    training.data = find_data(training.dataset, args.data or [])
    minutes = min(filter(None, (training.minutes, args.budget)), default=None)
    options_of_run = ['--out', folder] + (['--resume', 'auto'] if resumes else ['--overwrite'])
    for option, value in (('--data', training.data), ('--minutes', minutes),
                          ('--gpu', args.gpu if args.gpu >= 0 else None)):
        options_of_run += [] if value is None else [option, str(value)]
    training_process.run(name, program(stage) + options + options_of_run)

    result = dict(measure(name, training, folder, device), options=options, preset=preset)
    ends = result['iteration'] >= training.iteration if training.iteration else \
        result['epoch'] >= training.epoch
    result['complete'] = ends or result['minutes'] >= (training.minutes or math.inf)
    save_json(folder, page.RESULT, result)


def program(stage):
    """Returns the part of a command line after `python` that names the program to train a stage."""
    if stage.mistake:
        return ['-m', mistakes.__name__, '--mistake', stage.mistake]
    return ['-m', train.__name__]


def preset_options(stage, args):
    """Returns the options of train.py on which the result of a stage depends."""
    options = shlex.split(stage.options) + shlex.split(
        stage.on_cpu if args.gpu < 0 else stage.on_gpu)
    return [args.images if option == IMAGES else option for option in options]


def parse_options(name, options):
    """Parses the options of train.py. Raises: TrainingFailed if they are wrong."""
    parser = train.make_parser()
    parser.prog = f'{PROGRAM}: {name}'
    try:
        return parser.parse_args(options)
    except SystemExit:
        raise TrainingFailed('train.py does not accept the options of its preset') from None


def is_done(folder, preset, budget):
    """Says whether a stage has a result of this preset that is complete or has used the budget."""
    result = page.read_result(folder)
    return bool(
        result and preset == page.read(folder, PRESET) == result.get('preset')
        and os.path.exists(os.path.join(folder, page.SAMPLES))
        and (result['complete'] or budget and result['minutes'] >= budget))


def find_data(dataset, folders):
    """Returns the first of the folders that has files of the data set, or None."""
    return next((folder for folder in folders for name in FILES.get(dataset, [])
                 if os.path.exists(os.path.join(folder, name))), None)


def measure(name, training, folder, device):
    """Generates images from the model of a stage into `samples.png`, and measures the model.

    Args:
        name: of the stage.
        training: the options of train.py, a namespace.
        folder: of the stage.
        device: a Chainer device.

    Returns: a dict of JSON values.
    """
    family = registry.get(STAGES[name].mistake or training.model)
    model = serialization.load_model(os.path.join(folder, 'model.npz'))
    _, test = KINDS[family.data].load(training, family)
    for part in (model, test):
        part.to_device(device)
    samples = generate(model, test.shape, COUNT if family.cache else PLAIN_COUNT)
    pictures.save(os.path.join(folder, page.SAMPLES), pictures.square(samples), scale=2)
    measured = likelihood(model, test, training.batchsize)
    log = page.read(folder, 'log')
    result = dict(
        measured._asdict(), dataset=training.dataset, values=math.prod(test.shape),
        levels=training.levels, batchsize=training.batchsize, parameters=model.count_params(),
        gpu=device.xp is not np, minutes=log[-1]['elapsed_time'] / 60,
        iteration=log[-1]['iteration'], epoch=log[-1]['epoch'],
        curve=[[entry['iteration'], entry['validation/main/nll']] for entry in log])
    if name in real_inputs.STAGES:
        result['inputs'] = real_inputs.measure(model, training, samples)
    if device.xp is not np:
        device.xp.get_default_memory_pool().free_all_blocks()  # the next training needs the memory
    return result


def generate(model, shape, count):
    """Generates count² images of the shape (C, H, W). Returns: float32 (count², C, H, W)."""
    with tqdm.tqdm(total=math.prod(shape[1:]), unit='pixel', desc='generating', leave=False,
                   disable=not sys.stderr.isatty()) as bar:
        return sampling.generate(model, (count ** 2,) + shape, SEED, progress=bar.update)


def save_json(folder, name, value):
    with files.atomic_write(os.path.join(folder, name)) as file:
        file.write(json.dumps(value, indent=1).encode())


def make_parser():
    parser = cli.ArgumentParser(
        prog=PROGRAM, description='Reproduces the images of the post, and measures the models.')
    add = parser.add_argument
    add('names', nargs='*', metavar='NAME', help=f'stages: {", ".join(STAGES)} (default: all)')
    add('--gpu', '-g', type=int, default=-1, metavar='N',
        help="number of the GPU, for models of the post's size; negative for the CPU and small "
             'models (default: %(default)s)')
    parser.set_defaults(device=None)
    add('--budget', type=cli.positive_number, metavar='MINUTES',
        help='stop the training of each stage after MINUTES, unless it ends before; with a larger '
             'budget, it goes on (default: the length of the preset)')
    add('--data', action='append', metavar='DIR',
        help='folder with the files of mnist or cifar10; can be given twice; files that are in no '
             'folder are downloaded')
    add('--images', metavar='PATH',
        help='your own images, a folder or an .npz file, for the stage own-images')
    add('--out', '-o', default=os.path.join('out', 'results'), metavar='DIR',
        help='folder for all files (default: %(default)s)')
    return parser


def check(parser, args):
    """Ends the command with one line if the options are wrong. Returns: the names of the stages."""
    unknown = [name for name in args.names if name not in STAGES]
    if unknown:
        parser.error(f'no stage {unknown[0]!r}; choose from {", ".join(STAGES)}')
    if 'own-images' in args.names and args.images is None:
        parser.error('own-images needs --images PATH, a folder of images or an .npz file')
    with parser.reporting():
        for folder in args.data or []:
            if not any(find_data(dataset, [folder]) for dataset in FILES):
                raise ValueError(f'--data {folder}: this folder has no file of mnist or cifar10')
        if args.images is not None and not os.path.exists(args.images):
            raise ValueError(f'--images {args.images}: there is no such file or folder')
    return args.names or [name for name in STAGES if name != 'own-images' or args.images]


def main():
    """The command. Returns: its exit status."""
    with mistakes.registered():
        return cli.run(run, make_parser())


def run(parser):
    args = parser.parse_args()
    names = check(parser, args)
    np.seterr(over='ignore', invalid='ignore')  # checks of the results report such numbers better
    with parser.reporting():
        device = devices.use_device(args)
        files.make_folder(args.out)
        files.check_target(os.path.join(args.out, page.PAGE))
    failed = {}
    try:
        for name in names:
            try:
                run_stage(name, args, device)
            except TrainingFailed as error:  # the training has written the reason already
                failed[name] = str(error)
            except cli.ERRORS as error:
                failed[name] = cli.reason(error)
                cli.say(f'{name}: {failed[name]}')
            page.write(args.out, failed)
    except KeyboardInterrupt as interruption:
        cli.say(f'interrupted in {name}; the same command goes on from there')
        return cli.interruption_status(interruption)
    print(os.path.join(args.out, page.PAGE))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
