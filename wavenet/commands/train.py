"""Trains an autoregressive model: of images, PixelCNN or Gated PixelCNN; of sound, WaveNet.

The work itself is `wavenet.training.trainer.train`.
"""
import sys

from wavenet import cli, devices
from wavenet.commands import family_options, kind_options, presets, recording_options
from wavenet.commands.family_options import defaults
from wavenet.commands.samples import samples_of
from wavenet.data.load import DATASETS
from wavenet.families import registry
from wavenet.serialization import load_model
from wavenet.training import teams, trainer
from wavenet.utils import MAX_LABELS, MAX_LEVELS

# What other programs call these options
KNOWN_AS = {
    '--epochs': '--epoch', '--num_epochs': '--epoch', '--iterations': '--iteration',
    '--steps': '--iteration', '--max_steps': '--iteration', '--lr': '--learning_rate',
    '--batch_size': '--batchsize', '--bs': '--batchsize', '--batch': '--batchsize',
    '--layers': '--blocks_num', '--n_layers': '--blocks_num', '--num_blocks': '--blocks_num',
    '--blocks': '--blocks_num', '--hidden': '--hidden_dim', '--filters': '--hidden_dim',
    '--n_filters': '--hidden_dim', '--output': '--out', '--output_dir': '--out',
    '--out_dir': '--out', '--save_dir': '--out', '--data_dir': '--data', '--cuda': '--gpu 0',
    '--ema': '--average', '--cifar': '--dataset cifar10',
    **{f'--{name}': f'--dataset {name}' for name in DATASETS if name != 'cifar'}}


def make_parser(parser_class=cli.ArgumentParser):
    """Makes the parser of train.py. Names and defaults are those of the author's train.py."""
    parser = parser_class(check=check, known_as=KNOWN_AS, preset=presets.words,
                          description=__doc__.split('\n')[0])
    presets.add_option(parser)
    add_data_options(parser.add_argument_group('data'))
    add_model_options(parser.add_argument_group('model'))
    add_optimizer_options(parser.add_argument_group('optimization'))
    add_length_options(parser.add_argument_group('length of the run'))
    add_output_options(parser.add_argument_group('output'))
    add_device_options(parser.add_argument_group('device'))
    return parser


def add_data_options(group):
    add = group.add_argument
    add('--dataset', metavar='NAME',
        help='digits, mnist, cifar10 (or cifar), or a path: a folder of images, an .npz file; of '
             'sound: speech, or a path: a folder of recordings, an .npz file (default: '
             f'{kind_options.default("dataset")})')
    add('--data', metavar='DIR', help='folder that holds the files of mnist or cifar10')
    add('--size', type=cli.whole_number(1), metavar='N',
        help='make all images N x N pixels: their shorter side is scaled, and their middle is kept')
    add('--channels', type=int, choices=(1, 3),
        help='colours of an image: 3, or 1 for grayscale (default: 3; with --labels 1)')
    add('--levels', type=int, metavar='N',
        help='values that a pixel or a sample of sound can take, 2 to 256 (default: '
             f'{defaults("levels")})')
    add('--labels', action='store_true', default=None,
        help='the values of pixels are labels, 0 to N - 1 of --levels N, at most '
             f'{MAX_LABELS}: kinds that have no order, such as tiles or codes')
    add('--binarize', action='store_true', default=None,
        help='sample each pixel black or white, with its intensity as the probability of white, '
             'anew in each epoch; needs --levels 2')
    add('--test_limit', type=cli.whole_number(1), metavar='N',
        help='test on the first N test images, or recordings, only')
    add('--validation', type=cli.whole_number(1), metavar='N',
        help='set N training images, or recordings, aside, and test on them instead of the test '
             'images')
    add('--flip', action='store_true', default=None,
        help='mirror each training image, left to right, at random in each epoch')
    add('--rate', type=cli.whole_number(1), metavar='N',
        help='samples of sound a second; recordings at other rates are resampled (default: '
             f'{kind_options.DEFAULTS["sound"]["rate"]})')
    recording_options.add(add)


def add_model_options(group):
    add = group.add_argument
    names = '; '.join(f'{name}: {family.title}' for name, family in registry.every().items())
    add('--model', choices=tuple(registry.every()), default='pixelcnn',
        help=f'{names} (default: %(default)s)')
    family_options.add(group)
    add('--unconditional', action='store_true',
        help='train without the classes of the data set')
    add('--loss', choices=('softmax', 'sigmoid'),
        help="sigmoid: one logit per value, the post's first stage; needs --levels 2 "
             '(default: softmax)')
    add('--init', metavar='MODEL',
        help='start from the weights of a model of the same sizes: a model.npz, or the name of a '
             'pretrained one')
    add('--seed', type=cli.whole_number(0, 2 ** 32 - 1), default=0, metavar='N',
        help='seed of the weights, the order of images and all samples (default: %(default)s)')


def add_optimizer_options(group):
    add = group.add_argument
    add('--batchsize', '-b', type=cli.whole_number(1), metavar='N',
        help='images, or windows of sound, in a batch; with --communicator, of each process '
             f'(default: {defaults("batchsize")})')
    add('--learning_rate', type=cli.positive_number, metavar='X',
        help=f'learning rate (default: {defaults("learning_rate")})')
    add('--lr_decay', type=cli.decay_factor, metavar='X',
        help='multiply the learning rate by X after each batch, for example 0.999977; 1 for off '
             f'(default: {defaults("lr_decay")})')
    add('--average', '--polyak_decay', type=cli.average_factor, metavar='X',
        help='test, sample from and save a moving average of the weights that keeps X of itself in '
             f'each batch, for example 0.999; 0 for off (default: {defaults("average")})')
    add('--clip', type=cli.nonnegative_number, metavar='X',
        help='scale the gradient down to an L2 norm of X; 0 for off (default: '
             f'{defaults("clip")})')
    add('--gradclip', type=cli.positive_number, metavar='X',
        help='clip each element of the gradient to [-X, X] (default: off)')
    add('--weight_decay', type=cli.nonnegative_number, metavar='X',
        help='add X times the weights to the gradient; 0 for off (default: '
             f'{defaults("weight_decay")})')
    add('--dropout', '--dropout_p', type=cli.average_factor, metavar='P',
        help="set the part P of each block's outputs to 0 at random while training; 0 for off "
             f'(default: {defaults("dropout")})')


def add_length_options(group):
    add, count = group.add_argument, cli.whole_number(1)
    add('--epoch', '-e', type=count, default=20, metavar='N',
        help='passes over the training images (default: %(default)s)')
    add('--iteration', type=count, metavar='N',
        help='stop after N batches instead of after --epoch')
    add('--minutes', type=cli.positive_number, metavar='X',
        help='stop after X minutes of training, tests and samples included, if that comes first')
    add('--patience', type=count, metavar='N',
        help='stop after N tests without a better loss')
    add('--resume', '-r', default='', metavar='FILE',
        help='go on from a snapshot, out/snapshot_iter_N; "auto" takes the newest good one in the '
             'folder of --out, if there is one; repeat the options of the run that wrote it')


def add_output_options(group):
    add = group.add_argument
    add('--out', '-o', default='out', metavar='DIR',
        help='folder for all files (default: %(default)s)')
    add('--overwrite', action='store_true',
        help='replace the files of an earlier run in the folder of --out')
    add('--interval', type=cli.whole_number(1), metavar='N',
        help='test, log, sample and save every N batches, in addition to the end of each epoch')
    add('--samples', type=cli.whole_number(0), metavar='N',
        help='images, or sounds of a second, in each file of samples; 0 for no samples (default: '
             f'{kind_options.default("samples")})')
    add('--stats', action='store_true',
        help='log statistics of the weights and gradients of the first and last layers')


def add_device_options(group):
    devices.add_device_options(group)
    devices.add_tf32_option(group)
    teams.add_option(group)


def check(parser, args):
    """Checks options that depend on each other, and fills in the defaults of the family."""
    kind_options.fill_in(parser, args)
    family_options.fill_in(parser, args)
    if args.labels and not registry.get(args.model).takes_labels:
        names = [name for name, family in registry.FAMILIES.items() if family.takes_labels]
        parser.error(f'--labels is for --model {cli.listed(names)}')
    if args.labels and args.binarize:
        parser.error('--binarize is for intensities, and --labels says that there are none')
    if args.loss == 'sigmoid' and not registry.get(args.model).takes_loss:
        names = [name for name, family in registry.FAMILIES.items() if family.takes_loss]
        parser.error(f'--loss sigmoid is for --model {cli.listed(names)}')
    most = MAX_LABELS if args.labels else MAX_LEVELS
    if not 2 <= args.levels <= most:
        parser.error(f'argument --levels: must be from 2 to {most}, got {args.levels}'
                     + '; labels need --labels' * (most < args.levels <= MAX_LABELS))
    if args.channels is None:
        args.channels = 1 if args.labels else 3
    if args.loss == 'sigmoid' and args.levels != 2:
        parser.error(f'--loss sigmoid needs --levels 2, not {args.levels}')
    if args.binarize and args.levels != 2:
        parser.error(f'--binarize makes 2 levels: give --levels 2, not {args.levels}')
    if args.resume and args.overwrite:
        parser.error('--resume goes on with an earlier run, --overwrite replaces it: give one')
    if not args.out:
        parser.error('--out: give the name of a folder')


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    """Parses the options and trains, as one of several processes if the options say so."""
    trainer.train(parser, *teams.join(parser), samples_of, load_model)


if __name__ == '__main__':
    sys.exit(main())
