"""Draws the figures of the documentation from the models themselves.

    python -m wavenet.figures [NAME…] [--output out/figures]

architecture      the layers of a PixelCNN, and those of a residual block
masks             masks A and B around a pixel, and between the feature maps of that pixel
two_layers        what a pixel sees through two masked 3×3 layers
receptive_fields  what a pixel sees in the post's PixelCNN, in both forms of Gated PixelCNN, in
                  PixelCNN++ and in both PixelRNNs
dilations         what an output of WaveNet sees, layer by layer

Without a name, the command draws all figures. The same versions of all software give the same
bytes.
"""
import argparse
import importlib
import os
import sys

from wavenet import cli, plots
from wavenet.storage import files

DPI = 150
# The module and the function that draw each figure. They are imported late, because importing
# Matplotlib takes a while.
FIGURES = {'architecture': ('architecture', 'figure'), 'masks': ('masks', 'figure'),
           'two_layers': ('receptive_field', 'two_layers'),
           'receptive_fields': ('receptive_field', 'receptive_fields'),
           'dilations': ('dilations', 'figure')}


def draw(name):
    """Draws one of FIGURES. Returns: a Matplotlib figure."""
    module, function = FIGURES[name]
    return getattr(importlib.import_module('wavenet.figures.' + module), function)()


def save(path, figure):
    """Writes a Matplotlib figure as a PNG."""
    with files.atomic_write(path) as file:
        plots.save_png(file, figure, DPI)


def figure_name(text):
    if text not in FIGURES:
        raise argparse.ArgumentTypeError(f'no figure {text!r}; choose from {", ".join(FIGURES)}')
    return text


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.figures',
                                description=__doc__.split('\n')[0])
    parser.add_argument('names', nargs='*', type=figure_name, metavar='NAME',
                        help=f'{", ".join(FIGURES)} (default: all)')
    parser.add_argument('--output', '-o', default=os.path.join('out', 'figures'), metavar='DIR',
                        help='folder for NAME.png (default: %(default)s)')
    return parser


def main():
    """The command. Returns: its exit status."""
    return cli.run(run, make_parser())


def run(parser):
    args = parser.parse_args()
    targets = {name: os.path.join(args.output, name + '.png') for name in args.names or FIGURES}
    with parser.reporting():
        files.make_folder(args.output)
        for path in targets.values():
            files.check_target(path)
    import matplotlib.style
    with matplotlib.style.context('default'):  # independent of the user's own style
        for name, path in targets.items():
            save(path, draw(name))
            print(path)


if __name__ == '__main__':
    sys.exit(main())
