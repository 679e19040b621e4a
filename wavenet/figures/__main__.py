"""The post's figures, drawn from the model itself.

    python -m wavenet.figures [NAME…] [--output out/figures]

architecture      what a PixelCNN does to a picture, and one of its residual blocks
masks             masks A and B, around a pixel and between the maps of the pixel itself
two_layers        what a pixel sees through two masked 3×3 layers: `wavenet/receptive_field.py`
receptive_fields  what it sees in the post's PixelCNN, the author's gated model and the paper's

Without a name, all of them. With the same versions of all software, the bytes are the same.
"""
import argparse
import collections
import io
import itertools
import os
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import matplotlib.style
import numpy as np
from chainer.utils.conv import get_conv_outsize
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from PIL import Image  # Matplotlib, too, writes its pictures with it

from wavenet import cli, models, pictures
from wavenet.figures import receptive_field
from wavenet.storage import files
from wavenet.functions.masked_convolution import MaskedChain2DFunction

DPI = 150
RGB = receptive_field.COLORS[3]
CONVOLUTION, BLOCK, OTHER = '#d6e4f2', '#f7e3c8', '#ededed'  # what boxes are filled with


# The architecture

# A convolution: its name, whether a ReLU comes before it, its mask (out, in, kh, kw), its padding,
# and the shape (maps, H, W) of its result.
Convolution = collections.namedtuple('Convolution', 'name, relu, mask, pad, shape')
# One function of the graph: its convolutions, if it has any; whether its input is added to its
# result; the shape of that.
Stage = collections.namedtuple('Stage', 'label, convolutions, shortcut, shape')
# What is drawn of them: a box, and the shape that leaves it, if that is to be said.
Box = collections.namedtuple('Box', 'text, fill, shape')


def stages(model, height, width):
    """What a PixelCNN does to pictures of that size, from Chainer's graph of it: [Stage]."""
    names = {id(param): name for name, param in model.namedparams()}
    maps = model(np.zeros((1, model.in_channels, height, width), 'f'))
    result = []
    while maps.creator is not None:
        function, convolutions = maps.creator, []
        if isinstance(function, MaskedChain2DFunction):
            size = function.inputs[0].shape[2:]
            for n, (mask, pad) in enumerate(zip(function.masks, function.pads)):
                size = tuple(map(get_conv_outsize, size, mask.shape[2:], (1, 1), pad))
                name = names[id(function.inputs[1 + 2 * n].get_variable())]
                convolutions.append(Convolution(
                    name[1:-len('/W')], function.relu or n > 0, mask, pad, mask.shape[:1] + size))
        result.append(Stage(function.label, convolutions, getattr(function, 'shortcut', False),
                            maps.shape[1:]))
        maps = function.inputs[0]
    return result[::-1]


def kind_of(mask, colors):
    """'A' or 'B', whichever mask this is."""
    return next(kind for kind in 'AB'
                if np.array_equal(mask, models.make_mask(mask.shape, kind, colors)))


def convolution_boxes(stage, colors, symbols):
    """The boxes of a stage's convolutions, and of their ReLUs; maps are called by `symbols`."""
    for convolution in stage.convolutions:
        if convolution.relu:
            yield Box('ReLU', OTHER, None)
        out_maps, in_maps, kh, kw = convolution.mask.shape
        yield Box('{}, mask {}\n[{}, {}, {}, {}]'.format(
            convolution.name.split('/')[-1], kind_of(convolution.mask, colors),
            symbols.get(out_maps, out_maps), symbols.get(in_maps, in_maps), kh, kw),
            CONVOLUTION, convolution.shape)


def model_boxes(model, height, width, symbols):
    """The boxes of a whole PixelCNN, residual blocks as one, and those of one of these."""
    boxes = [Box('picture', OTHER, (model.in_channels, height, width))]
    block = []
    for is_block, group in itertools.groupby(stages(model, height, width), lambda s: s.shortcut):
        group = list(group)
        if is_block:
            boxes.append(Box('{} residual blocks'.format(len(group)), BLOCK, group[-1].shape))
            block = list(convolution_boxes(group[0], model.in_channels, symbols))
            continue
        for stage in group:
            boxes += convolution_boxes(stage, model.in_channels, symbols)
            if not stage.convolutions:
                boxes.append(Box(stage.label.lower(), OTHER, stage.shape))
    return boxes, block


def architecture():
    """The PixelCNN of train.py's defaults, at 256 levels, and its residual block, as a figure."""
    model = models.PixelCNN(3, 256, 15, 16, 256)
    sizes = model.config
    h, d, levels = sizes.hidden_dims // 2, sizes.out_hidden_dims, sizes.out_dims
    boxes, block = model_boxes(
        model, 28, 28, {2 * h: '2h', h: 'h', d: 'd', 3 * levels: '3 · {}'.format(levels)})
    shape = next(box.shape for box in boxes if box.fill == BLOCK)

    page = pictures.page(9, 7.4)
    page.suptitle('h = {}, d = {}; weights as [output maps, input maps, height, width]'.format(
        h, d), fontsize=10)
    boxes.append(Box('logits of each value', OTHER, None))
    block = [Box('maps', OTHER, shape)] + block + [Box('+', OTHER, shape)]
    left, right = page.subplots(1, 2, sharey=True)
    draw_boxes(left, boxes)
    left.set_title('PixelCNN', fontsize=12)
    draw_boxes(right, block, shortcut=True)
    right.set_title('a residual block', fontsize=12)
    page.tight_layout()
    return page


def draw_boxes(axes, boxes, shortcut=False):
    """Draws boxes above each other, an arrow between each and the next; with `shortcut`, one from
    the first to the last, too."""
    left, middle, right = 0.75, 2, 3.25
    y, sides = 0, []
    for text, fill, shape in boxes:
        height = 0.5 + 0.4 * text.count('\n')
        axes.add_patch(Rectangle((left, y), right - left, height, facecolor=fill, edgecolor='0.4'))
        _write(axes, middle, y + height / 2, text)
        sides.append(y + height / 2)
        y += height
        if shape or len(sides) < len(boxes):
            gap = 0.5 if shape else 0.3
            _arrow(axes, (middle, y), (middle, y + gap))
            if shape:
                axes.text(middle + 0.12, y + gap / 2, ' × '.join(map(str, shape)), va='center',
                          fontsize=9)
            y += gap
    if shortcut:
        x = right + 0.4
        axes.plot([right, x, x], [sides[0], sides[0], sides[-1]], color='black', linewidth=1)
        _arrow(axes, (x, sides[-1]), (right, sides[-1]))
    axes.set_xlim(left - 0.5, right + 0.5)
    axes.set_ylim(-0.1, max(y + 0.1, *axes.get_ylim()))
    axes.axis('off')


def _arrow(axes, start, end):
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle='-|>', mutation_scale=10, color='black',
                                   linewidth=1, shrinkA=0, shrinkB=0))


def _write(axes, x, y, text, color='black'):
    axes.text(x, y, text, color=color, ha='center', va='center', fontsize=10)


# Masks

def masks():
    """Both masks: around the pixel, and between the maps of the pixel itself, as a figure."""
    gray = models.PixelCNN(1, 4, 1, 4, 2)
    page = pictures.page(9, 7.2)
    for row, (kind, link) in enumerate([('A', gray.conv1), ('B', gray.blocks[0].conv2)]):
        spatial = link.mask[0, 0]
        # The post's example: 4 maps go in, 7 come out
        center = models.MaskedConvolution2D(4, 7, 7, pad=3, mask=kind, colors=3).mask[:, :, 3, 3]
        axes = [page.add_subplot(2, 3, 3 * row + column) for column in (1, 2, 3)]
        draw_mask(axes[0], spatial)
        middle = len(spatial) // 2
        axes[0].add_patch(Rectangle((middle, middle), 1, 1, fill=False, linewidth=2.5))
        axes[0].set_title('mask {}, {}×{}, grayscale'.format(kind, *spatial.shape), fontsize=11)
        draw_mask(axes[1], center, maps=True)
        axes[1].set_title('its center, {} maps to {}'.format(*center.shape[::-1]), fontsize=11)
        draw_connections(axes[2], center)
        axes[2].set_title('the same, as connections', fontsize=11)
    page.tight_layout(h_pad=2)
    return page


def draw_mask(axes, mask, maps=False):
    """Draws a 0/1 matrix; with `maps`, its rows are output maps and its columns input maps."""
    rows, columns = mask.shape
    for (i, j), value in np.ndenumerate(mask):
        fill, ink = ('0.3', 'white') if value else ('white', '0.4')
        axes.add_patch(Rectangle((j, i), 1, 1, facecolor=fill, edgecolor='0.7', linewidth=0.7))
        _write(axes, j + 0.5, i + 0.5, int(value), ink)
    if maps:
        for i in range(rows):
            _write(axes, -0.4, i + 0.5, 'RGB'[i % 3], RGB[i % 3])
        for j in range(columns):
            _write(axes, j + 0.5, -0.4, 'RGB'[j % 3], RGB[j % 3])
    x, y = (columns - 7) / 2, (rows - 7) / 2   # cells of one size, whatever the matrix
    axes.set(xlim=(x - 0.1, x + 7.1), ylim=(y + 7.1, y - 1), aspect='equal')
    axes.axis('off')


def draw_connections(axes, mask):
    """Draws which input maps, on the left, reach which output maps, on the right: (out, in)."""
    outputs, inputs = mask.shape
    y_in = (np.arange(inputs) + 0.5) * outputs / inputs
    y_out = np.arange(outputs) + 0.5
    right = 5
    for i, j in np.argwhere(mask):
        axes.plot([0, right], [y_in[j], y_out[i]], color=RGB[j % 3], linewidth=1.3, zorder=1)
    for x, ys, side in ((0, y_in, 'in'), (right, y_out, 'out')):
        for number, y in enumerate(ys):
            color = RGB[number % 3]
            axes.add_patch(Circle((x, y), 0.36, facecolor='white', edgecolor=color, zorder=2))
            _write(axes, x, y, 'RGB'[number % 3], color)
        _write(axes, x, outputs + 0.2, '{} {}'.format(len(ys), side))
    axes.set(xlim=(-1, right + 1), ylim=(outputs + 0.5, -0.5), aspect='equal')
    axes.axis('off')


# The command

FIGURES = {'architecture': architecture, 'masks': masks, 'two_layers': receptive_field.two_layers,
           'receptive_fields': receptive_field.three_models}


def save(path, page):
    """Writes a Matplotlib figure as a PNG of at most 256 colours, which is a third of the bytes."""
    drawn = io.BytesIO()
    page.savefig(drawn, format='png', dpi=DPI)
    with files.atomic_write(path) as file, Image.open(drawn) as picture:
        picture.convert('RGB').quantize(256).save(file, format='png', optimize=True)


def figure_name(text):
    if text not in FIGURES:
        raise argparse.ArgumentTypeError('there is no figure {!r}, but {}'.format(
            text, ', '.join(FIGURES)))
    return text


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.figures',
                                description=__doc__.split('\n')[0])
    parser.add_argument('names', nargs='*', type=figure_name, metavar='NAME',
                        help='{}; without one, all of them'.format(', '.join(FIGURES)))
    parser.add_argument('--output', '-o', default=os.path.join('out', 'figures'), metavar='DIR',
                        help='folder for NAME.png (default: %(default)s)')
    return parser


def main(parser):
    args = parser.parse_args()
    targets = {name: os.path.join(args.output, name + '.png') for name in args.names or FIGURES}
    with parser.reporting():
        files.make_folder(args.output)
        for path in targets.values():
            files.check_target(path)
    with matplotlib.style.context('default'):  # whatever the user's own style is
        for name, path in targets.items():
            save(path, FIGURES[name]())
            print(path)


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
