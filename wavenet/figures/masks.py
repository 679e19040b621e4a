"""The figure `masks`: masks A and B around a pixel, and between the feature maps of that pixel."""
import numpy as np
from matplotlib.patches import Circle, Rectangle

from wavenet import models, plots
from wavenet.figures.receptive_field import COLORS

RGB = COLORS[3]
SIZE = 7  # cells of a matrix, and outputs, that fit into one plot


def figure():
    """Draws both masks, one per row. Returns: a Matplotlib figure."""
    gray = models.PixelCNN(1, 4, 1, 4, 2)
    page = plots.new_figure(9, 7.2)
    for row, (kind, link) in enumerate([('A', gray.conv1), ('B', gray.blocks[0].conv2)]):
        spatial = link.mask[0, 0]
        # The post's example: 4 input feature maps, 7 output feature maps
        center = models.MaskedConvolution2D(4, 7, 7, pad=3, mask=kind, colors=3).mask[:, :, 3, 3]
        outputs, inputs = center.shape
        axes = [page.add_subplot(2, 3, 3 * row + column) for column in (1, 2, 3)]
        draw_mask(axes[0], spatial)
        middle = len(spatial) // 2
        axes[0].add_patch(Rectangle((middle, middle), 1, 1, fill=False, linewidth=2.5))
        height, width = spatial.shape
        axes[0].set_title(f'mask {kind}, {height}×{width}, grayscale', fontsize=11)
        draw_mask(axes[1], center, feature_maps=True)
        axes[1].set_title(f'its center, {inputs} feature maps to {outputs}', fontsize=11)
        draw_connections(axes[2], center)
        axes[2].set_title('the same, as connections', fontsize=11)
    page.tight_layout(h_pad=2)
    return page


def draw_mask(axes, mask, feature_maps=False):
    """Draws a 0/1 matrix.

    With `feature_maps`, its rows are output feature maps and its columns input feature maps, and
    each is labelled with its colour.
    """
    rows, columns = mask.shape
    for (i, j), value in np.ndenumerate(mask):
        fill, ink = ('0.3', 'white') if value else ('white', '0.4')
        axes.add_patch(Rectangle((j, i), 1, 1, facecolor=fill, edgecolor='0.7', linewidth=0.7))
        write(axes, j + 0.5, i + 0.5, int(value), ink)
    if feature_maps:
        for i in range(rows):
            write(axes, -0.4, i + 0.5, 'RGB'[i % 3], RGB[i % 3])
        for j in range(columns):
            write(axes, j + 0.5, -0.4, 'RGB'[j % 3], RGB[j % 3])
    x, y = (columns - SIZE) / 2, (rows - SIZE) / 2   # center the matrix; all cells have one size
    axes.set(xlim=(x - 0.1, x + SIZE + 0.1), ylim=(y + SIZE + 0.1, y - 1), aspect='equal')
    axes.axis('off')


def draw_connections(axes, mask):
    """Draws a mask (out_channels, in_channels) as lines from inputs, left, to outputs, right."""
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
            write(axes, x, y, 'RGB'[number % 3], color)
        write(axes, x, outputs + 0.2, f'{len(ys)} {side}')
    axes.set(xlim=(-1.1, right + 1.1), ylim=(outputs + 0.6, -0.5), aspect='equal')
    axes.axis('off')


def write(axes, x, y, text, color='black'):
    axes.text(x, y, text, color=color, ha='center', va='center', fontsize=10)
