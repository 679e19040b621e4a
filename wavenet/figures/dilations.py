"""The figure `dilations`: which samples an output of WaveNet sees, as the paper's figure 3.

Nothing of it is known beforehand: each layer of a model is run, and a line is drawn where a change
of its input changes its output.
"""
import chainer
import numpy as np

from wavenet import plots
from wavenet.families.wavenet.model import WaveNet
from wavenet.functions.causal_layers import causal_layers

LAYERS = 4
BEYOND = 3      # samples before those that the output sees


def make_model():
    """A small WaveNet of one stack whose weights are all random."""
    np.random.seed(0)
    return WaveNet(2, 4, 4, 1, LAYERS)


def connections(layer, inputs, change):
    """Finds the inputs of a layer that its outputs depend on.

    Args:
        layer: a function of arrays of N positions, in the last axis, whose outputs have N, too.
        inputs: array (…, N).
        change: makes another value of one position, (…,) → (…,).

    Returns: bool (N, N): whether output t depends on input s.
    """
    size = inputs.shape[-1]
    before = layer(inputs)
    result = np.zeros((size, size), bool)
    for position in range(size):
        changed = inputs.copy()
        changed[..., position] = change(inputs[..., position])
        differs = layer(changed) != before
        result[:, position] = differs.reshape(-1, size).any(axis=0)
    return result


def all_connections(model, size):
    """The connections of the first layer, and of each layer after it: a list of bool (N, N)."""
    random = np.random.RandomState(0)
    targets = random.randint(model.distribution.levels, size=(1, size)).astype('i')
    begun = targets >= 0
    with chainer.no_backprop_mode():
        result = [connections(lambda levels: model.conv1(levels, size).array, targets,
                              lambda level: 1 - level)]
        for layer in model.layers:
            def run(x, layer=layer):
                parts = [(*layer.parameters(None), layer.dilation, size)]
                return causal_layers(x, parts, begun, size)[0].array
            x = random.normal(size=(1, model.config.hidden_dim, size)).astype('f')
            result.append(connections(run, x, lambda value: value + 1))
    return result


def seen(layers, output):
    """The positions of each row that an output depends on: bool (rows, N), the samples first."""
    rows = [np.arange(len(layers[0])) == output]
    for layer in layers[::-1]:
        rows.append(layer[rows[-1]].any(axis=0))
    return np.array(rows[::-1])


def figure():
    """Draws the connections of all layers, those of the last output dark. Returns: a Matplotlib
    figure."""
    model = make_model()
    size = model.config.receptive_field + BEYOND + 1
    layers = all_connections(model, size)
    rows = seen(layers, size - 1)
    page = plots.new_figure(9, 4.2)
    axes = page.add_subplot()
    for row, layer in enumerate(layers):
        for t, s in np.argwhere(layer):
            dark = rows[row + 1, t]
            axes.plot([s, t], [row, row + 1], color='tab:blue' if dark else '0.85',
                      linewidth=1.4 if dark else 0.7, zorder=1 + dark)
    for row, reached in enumerate(rows):
        axes.scatter(np.arange(size), np.full(size, row), s=55, zorder=4, edgecolor='0.4',
                     color=['tab:blue' if one else 'white' for one in reached])
    dilations = [f'dilation {dilation}' for dilation in model.config.dilations]
    axes.set_yticks(range(len(rows)), ['samples', 'first layer', *dilations])
    axes.set_xticks([size - 2, size - 1], ['t − 1', 't'])
    count = int(rows[0].sum())
    axes.set_title(f'What output t sees: {count} samples before t = 2 + (1 + 2 + 4 + 8)')
    for side in 'top', 'right', 'left', 'bottom':
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    page.tight_layout()
    return page
