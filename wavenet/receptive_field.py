"""What a pixel sees: pictures of receptive fields, as the post draws one.

    python -m wavenet.receptive_field [--output receptive_fields.png]

draws those of the post's PixelCNN and of both forms of the gated one, in grayscale and in colour. The
more a value moves the logits, the more opaque it is drawn. Hatched is the blind spot: what the order
allows to be seen, as far up and as far to the sides as anything is, and what is not.
"""
import sys

import wavenet  # noqa: F401  before Chainer, which it makes importable
import chainer
import chainer.functions as F
import matplotlib.figure
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from wavenet import cli, files, gated, models, pictures

DRAWN = 8  # models, of random weights: in one of them, ReLUs that are off hide connections
COLORS = {1: [(0, 0, 0)], 3: [(0.85, 0, 0), (0, 0.6, 0), (0, 0.2, 0.9)]}


def receptive_field(make_model, channels, height, width, pixel, color=0):
    """How much each value of a picture moves the logits of one value.

    Args:
        make_model: makes a model of new random weights, on the CPU.
        channels, height, width: of the picture.
        pixel: (row, column) of the value.
        color: its colour.

    Returns: float32 (C, H, W), the mean absolute derivative over some models and random pictures,
        divided by the largest; 0 where there is no connection.
    """
    random = np.random.RandomState(0)
    total = np.zeros((channels, height, width), 'f')
    for _ in range(DRAWN):
        model = make_model()
        x = chainer.Variable(random.rand(4, channels, height, width).astype('f'))
        logits = model(x, np.zeros(len(x), 'i'))[:, :, color, pixel[0], pixel[1]]
        F.sum(logits * random.normal(size=logits.shape).astype('f')).backward()
        total += abs(x.grad).sum(axis=0)
    return total / total.max()


def blind_spot(field, pixel, color=0):
    """Which values come before one in the order, and are in the rows and columns of its receptive
    field (C, H, W), but not in the field: bool (C, H, W)."""
    channels, height, width = field.shape
    k, i, j = np.ogrid[:channels, :height, :width]
    number = (i * width + j) * channels + k
    before = number < (pixel[0] * width + pixel[1]) * channels + color
    _, rows, columns = np.nonzero(field)
    reach = abs(columns - pixel[1]).max()
    return before & (i >= rows.min()) & (abs(j - pixel[1]) <= reach) & (field == 0)


def draw(axes, field, pixel, color=0):
    """Draws a receptive field (C, H, W), the colours of a pixel side by side."""
    channels, height, width = field.shape
    blind = blind_spot(field, pixel, color)
    for k, i, j in np.ndindex(*field.shape):
        place = (j + k / channels, i), 1 / channels, 1
        if field[k, i, j]:
            axes.add_patch(Rectangle(*place, color=COLORS[channels][k], linewidth=0,
                                     alpha=0.15 + 0.75 * float(field[k, i, j]) ** 0.3))
        elif blind[k, i, j]:
            axes.add_patch(Rectangle(*place, facecolor='white', edgecolor='0.6', hatch='/////',
                                     linewidth=0))
    for i, j in np.ndindex(height, width):
        axes.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor='0.8', linewidth=0.5))
    axes.add_patch(Rectangle(pixel[::-1], 1, 1, fill=False, edgecolor='black', linewidth=2))
    axes.set(xlim=(0, width), ylim=(height, 0), aspect='equal')
    axes.axis('off')


def figure(blocks=2):
    """The receptive fields of the three models, of so many blocks, as a Matplotlib figure."""
    height, width, pixel = 10, 2 * (blocks + 3) + 3, (8, blocks + 4)
    page = matplotlib.figure.Figure(figsize=(11, 6.4))
    FigureCanvasAgg(page)
    np.random.seed(0)
    for row, channels in enumerate((1, 3)):
        kinds = [("the post's PixelCNN", lambda: models.PixelCNN(channels, 24, blocks, 12, 4))] + [
            ("gated, the {}'s form".format(form), lambda form=form: gated.GatedPixelCNN(
                channels, 12, blocks, 12, 4, form=form)) for form in ('author', 'paper')]
        for column, (title, make_model) in enumerate(kinds):
            axes = page.add_subplot(2, 3, 3 * row + column + 1)
            draw(axes, receptive_field(make_model, channels, height, width, pixel), pixel)
            axes.set_title('{}, {}'.format(title, 'of R' if channels == 3 else 'grayscale'),
                           fontsize=10)
    page.tight_layout()
    return page


def make_parser():
    parser = cli.ArgumentParser(prog='python -m wavenet.receptive_field',
                                description=__doc__.split('\n')[0])
    parser.add_argument('--output', '-o', default='receptive_fields.png', metavar='FILE',
                        help='the picture, .png or .jpg (default: %(default)s)')
    return parser


def main(parser):
    args = parser.parse_args()
    with parser.reporting():
        kind = pictures.file_format(args.output, pictures.PICTURES)
        files.check_target(args.output)
        page = figure()
        with files.atomic_write(args.output) as file:
            page.savefig(file, format=kind, dpi=100)
    print(args.output)


if __name__ == '__main__':
    sys.exit(cli.run(main, make_parser()))
