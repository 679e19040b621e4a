"""The figure of WaveNet's dilations shows what the model sees."""
import chainer
import numpy as np

from wavenet.figures import dilations


def test_what_is_drawn_is_what_the_model_sees():
    model = dilations.make_model()
    field = model.config.receptive_field
    size = field + 4
    rows = dilations.seen(dilations.all_connections(model, size), size - 1)
    assert rows.shape == (2 + dilations.LAYERS, size)
    for param in model.params():       # so that no path is lost: in a ReLU, or where tanh is 1
        param.array = abs(param.array).astype('d') * 0.2

    def last(levels):
        with chainer.no_backprop_mode():
            return model(levels).array[0, :, -1]

    targets = np.random.RandomState(3).randint(2, size=(1, size)).astype('i')
    changes = []
    for position in range(size):
        changed = targets.copy()
        changed[0, position] = 1 - changed[0, position]
        changes.append(bool((last(changed) != last(targets)).any()))
    assert rows[0].tolist() == changes
    assert rows[0].sum() == field and not rows[0, -1] and rows[-1].sum() == 1


def test_each_layer_sees_its_dilation():
    layers = dilations.all_connections(dilations.make_model(), 20)
    shifts = [{(t - s) for t, s in np.argwhere(layer)} for layer in layers]
    assert shifts == [{1, 2}, {0, 1}, {0, 2}, {0, 4}, {0, 8}]


def test_the_title_counts():
    text = dilations.figure().axes[0].get_title()
    assert '17 samples' in text
