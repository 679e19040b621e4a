"""What a pixel sees: pictures of receptive fields, as the post draws one.

`python -m wavenet.figures` draws two of them: the field of two masked layers, and those of the
post's PixelCNN and of both forms of the gated one, in grayscale and in colour. The more a value
counts, the more opaque it is drawn. Hatched is the blind spot: what the order allows to be seen, as
far up and as far to the sides as anything is, and what is not.
"""
import wavenet  # noqa: F401  before Chainer, which it makes importable
import chainer
import chainer.functions as F
import numpy as np
from matplotlib.patches import Rectangle

from wavenet import models, pictures
from wavenet.families.gated import model as gated

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


def paths(links, height, width, pixel):
    """In how many ways each pixel of a grayscale picture comes to one pixel behind some layers.

    Args:
        links: masked convolutions of one map, one after the other; their weights become 1, so that
            a derivative counts.
        height, width: of the picture.
        pixel: (row, column).

    Returns: int (H, W).
    """
    x = h = chainer.Variable(np.ones((1, 1, height, width), 'f'))
    for link in links:
        link.W.array[...] = 1
        h = link(h)
    h[0, 0, pixel[0], pixel[1]].backward()
    return x.grad[0, 0].astype(int)


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


def draw(axes, field, pixel, color=0, power=0.3):
    """Draws a receptive field (C, H, W), the colours of a pixel side by side; how opaque a value is
    goes with that power of it."""
    channels, height, width = field.shape
    blind = blind_spot(field, pixel, color)
    for k, i, j in np.ndindex(*field.shape):
        place = (j + k / channels, i), 1 / channels, 1
        if field[k, i, j]:
            axes.add_patch(Rectangle(*place, color=COLORS[channels][k], linewidth=0,
                                     alpha=0.15 + 0.75 * float(field[k, i, j]) ** power))
        elif blind[k, i, j]:
            axes.add_patch(Rectangle(*place, facecolor='white', edgecolor='0.6', hatch='/////',
                                     linewidth=0))
    for i, j in np.ndindex(height, width):
        axes.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor='0.8', linewidth=0.5))
    axes.add_patch(Rectangle(pixel[::-1], 1, 1, fill=False, edgecolor='black', linewidth=2))
    axes.set(xlim=(-0.05, width + 0.05), ylim=(height + 0.05, -0.05), aspect='equal')
    axes.axis('off')


def two_layers():
    """Two masked 3×3 layers, and what a pixel sees through both, as a Matplotlib figure."""
    size, pixel = 5, (2, 2)
    page = pictures.page(9, 3.3)
    first, second = [models.MaskedConvolution2D(1, 1, 3, pad=1, mask=kind, colors=1)
                     for kind in 'AB']
    for number, (title, links) in enumerate([
            ('the first layer, 3×3, mask A', [first]), ('the second layer, 3×3, mask B', [second]),
            ('one after the other: 5×5', [first, second])], 1):
        ways = paths(links, size, size, pixel)
        axes = page.add_subplot(1, 3, number)
        draw(axes, ways[None] / 4, pixel, power=1)    # 4: there are 3 ways at most
        for (i, j), count in np.ndenumerate(ways):
            if count:
                axes.text(j + 0.5, i + 0.5, count, ha='center', va='center', fontsize=12,
                          color='white' if count > 1 else 'black')
        axes.set_title(title, fontsize=11)
    page.tight_layout()
    return page


def three_models(blocks=2):
    """The receptive fields of the three models, of so many blocks, as a Matplotlib figure."""
    height, width, pixel = 10, 2 * (blocks + 3) + 3, (8, blocks + 4)
    page = pictures.page(11, 6.4)
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
