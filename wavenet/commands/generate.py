"""Generates images or sound from a model that train.py, or the author's train.py, has saved."""
import sys

import numpy as np
import tqdm
from chainer.backends import cuda

from wavenet import cli, devices, sampling, serialization
from wavenet.commands import completion, generate_images, generate_sounds
from wavenet.families import registry
from wavenet.training import teams

# What other programs, and train.py, call these options
KNOWN_AS = {
    '--out': '--output', '--outfile': '--output', '--class': '--label', '--samples': '--number',
    '--num_samples': '--number', '--n_samples': '--number', '--checkpoint': '--model',
    '--weights': '--model', '--cuda': '--gpu 0', '--size': '--height N --width N',
    '--batch_size': '--batchsize', '--temp': '--temperature'}

# Options that only models of one kind of data have
ONLY_OF = {'images': ('height', 'width', 'scale', 'complete', 'rows', 'mask', 'data', 'gif',
                       'raw'),
           'sound': ('seconds', 'length', 'rate', 'continued')}
KINDS = {'images': generate_images, 'sound': generate_sounds}


def make_parser():
    """Makes the parser of generate.py."""
    parser = cli.ArgumentParser(check=completion.check, known_as=KNOWN_AS, description=__doc__)
    add, count = parser.add_argument, cli.whole_number(1)
    add('--model', '-m', required=True, metavar='FILE',
        help="out/model.npz, or the author's pixelcnn_N, wavenet_N or snapshot_iter_N")
    devices.add_device_options(parser)
    teams.add_option(parser)
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        '--count', '-c', type=count, metavar='N',
        help='generate N x N images in a square, or, from a model with classes, N of each class '
             f'(default: {generate_images.COUNT}); or N sounds, of each class (default: 1)')
    how_many.add_argument(
        '--number', '-n', type=count, metavar='N',
        help='generate exactly N images or sounds, of all classes in turn')
    add('--output', '-o', metavar='FILE',
        help='one image of all samples, .png or .jpg; an .npy of their levels, (N, H, W) or '
             '(N, H, W, C); an .npz of levels, intensities and classes; "-" for a .png on standard '
             'output (default: samples.png). Of sound, a .wav of all samples, one after the other, '
             'with a picture of waveforms and spectrograms beside it; .npy or .npz of levels '
             '(N, T); "-" (default: sound.wav)')
    add('--separate', action='store_true',
        help='write each sample as a .png, or .wav, of its own into the folder of --output '
             '(default: samples)')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), metavar='N',
        help='seed of the samples: the same seed gives the same samples (default: a random one)')
    add('--height', type=count, metavar='N',
        help="height of an image (default: the training images', or "
             f'{generate_images.DEFAULT_SIZE})')
    add('--width', type=count, metavar='N',
        help="width of an image (default: the training images', or "
             f'{generate_images.DEFAULT_SIZE})')
    add('--temperature', type=cli.positive_number, default=1.0, metavar='X',
        help='divide the logits by X: below 1, likelier and more uniform samples (default: 1)')
    add('--raw', action='store_true', default=None,
        help='for PixelCNN++: do not round values to levels, as its authors do; arrays are then '
             'values from 0 to 1')
    add('--scale', type=count, metavar='N',
        help='show a pixel as N x N; above 1, lines separate the images (default: small images are '
             'enlarged, and lines separate them)')
    add('--batchsize', '-b', type=count, default=500, metavar='N',
        help='samples generated at once, which changes nothing but memory and time (default: '
             '%(default)s)')
    add('--method', choices=('cached', 'naive'), default='cached',
        help="naive: the post's loop, which gives the same samples in thousands of times the time "
             '(default: %(default)s)')
    add('--label', '-l', metavar='NAME',
        help='class of all samples, its name or its number, for a model with classes (default: a '
             'row of each class)')
    completion.add_options(parser)
    generate_sounds.add_options(parser)
    add('--gif', metavar='FILE', help='also write the generation as an animation')
    return parser


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    """Generates samples as the options say, as one of several processes if they say so."""
    args, team = teams.join(parser)
    np.seterr(over='ignore', invalid='ignore')  # sampling.generate has a better message
    if args.seed is None:
        args.seed = team.bcast(np.random.randint(2 ** 32))
    with team.reporting():
        team.connect(args)
        device = devices.use_device(args)
        with cli.naming('--model', args.model):
            model = serialization.load_model(args.model)
        kind = registry.get(model.family).data
        check_kind(args, kind)
        KINDS[kind].check(args, writes=team.rank == 0)
        plan = KINDS[kind].make_plan(args, model)
        if team.rank == 0:
            for line in KINDS[kind].describe(plan, model):
                cli.say(line)
        model.to_device(device)
        samples = generate(args, team, model, plan)
    samples = np.concatenate(team.gather(samples))
    if team.rank == 0:
        with parser.reporting():
            KINDS[kind].write(args, samples, plan, model)


def check_kind(args, kind):
    """Raises: ValueError for options that the model's kind of data does not have."""
    other, = ONLY_OF.keys() - {kind}
    for name in ONLY_OF[other]:
        if getattr(args, name) is not None:
            option = 'continue' if name == 'continued' else name
            raise ValueError(f'--{option} is for models of {other}; {args.model} is one of {kind}')


def generate(args, team, model, plan):
    """Generates this rank's part of the samples, floating (B, …), with a progress bar.

    It takes --batchsize samples at a time; they are the same for any number.
    """
    batch, *shape = plan.shape
    mine = teams.part(batch, team)
    parts = [slice(start, min(start + args.batchsize, mine.stop))
             for start in range(mine.start, mine.stop, args.batchsize)]
    samples = [np.empty((0, *shape), 'f')]
    with tqdm.tqdm(total=len(parts) * plan.places, unit=plan.unit, dynamic_ncols=True,
                   disable=team.rank or not cli.shows_progress(sys.stderr)) as bar:
        for part in parts:
            samples.append(cuda.to_cpu(sampling.generate(
                model, plan.shape, args.seed, args.method, plan.given, part, progress=bar.update,
                class_ids=plan.class_ids, temperature=args.temperature, raw=bool(args.raw))))
    return np.concatenate(samples)
