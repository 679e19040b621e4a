"""Numbers of others: an independent computation from the paper, igul222's and torchlake's code.

See tests/data/README.md.
"""
import json
import os

import chainer
import chainer.functions as F
import numpy as np
import pytest

from helpers import DATA
from references import build, pixelrnn_arrays
from wavenet.families.pixelrnn import skew, steps
from wavenet.families.pixelrnn.layers import DiagonalBiLSTM, DiagonalLSTM, RowLSTM

PRECISIONS = {'d': 1e-10, 'f': 1e-5}
DIRECTIONS = {'row': [''], 'diagonal': [''], 'diagonal_bi': ['left/', 'right/']}
CELLS = {'row': RowLSTM, 'diagonal': DiagonalLSTM, 'diagonal_bi': DiagonalBiLSTM}
NETS = {'net_row': 'rowlstm', 'net_diagonal': 'diagonal_bilstm'}


def read(name):
    """The arrays of a file, by their names: they are stored one after the other."""
    result = {}
    with np.load(os.path.join(DATA, f'pixelrnn_{name}.npz')) as npz:
        for group, pairs in json.loads(str(npz['names'])).items():
            start = 0
            for key, shape in pairs:
                size = int(np.prod(shape))
                result[key] = npz[group][start:start + size].reshape(shape)
                start += size
    return result


@pytest.fixture(scope='module', params=['gray', 'colour'])
def npz(request):
    return read(request.param)


@pytest.fixture(params=PRECISIONS)
def dtype(request):
    return request.param


def assert_near(array, expected, dtype):
    array = getattr(array, 'array', array)
    assert array.shape == expected.shape
    assert abs(array - expected).max() <= PRECISIONS[dtype] * max(1, abs(expected).max())


def in_precision(model, dtype):
    for param in model.params():
        param.array = param.array.astype(dtype)
    return model


def cell(npz, tag, dtype):
    """The link of a tag, with its parameters."""
    x = npz[f'{tag}/x']
    link = CELLS[tag](x.shape[1], int(npz['config/hidden']), int(npz['config/colours']))
    for of_link, name in names_of(link):
        of_link.array = np.concatenate(
            [npz[f'{tag}/params/{part}{name}'] for part in DIRECTIONS[tag]]).astype(dtype)
    return link


def names_of(link):
    """The parameters of a recurrent layer, and their names in the files."""
    return ((link.input_to_state.W, 'K_is'), (link.input_to_state.b, 'b'),
            (link.state_to_state.W, 'K_ss'))


@pytest.mark.parametrize('tag', CELLS)
def test_layers(npz, tag, dtype):
    link = cell(npz, tag, dtype)
    x = chainer.Variable(npz[f'{tag}/x'].astype(dtype))
    y = link(x)
    assert y.dtype == dtype
    assert_near(y, npz[f'{tag}/y'], dtype)
    if tag == 'diagonal':                                    # its gradients are not in the file
        return
    y.grad = npz[f'{tag}/gy'].astype(dtype)
    link.cleargrads()
    y.backward()
    assert_near(x.grad, npz[f'{tag}/gx'], dtype)
    for param, name in names_of(link):
        expected = np.concatenate(
            [npz[f'{tag}/grads/{part}{name}'] for part in DIRECTIONS[tag]])
        assert_near(param.grad, expected, dtype)


@pytest.mark.parametrize('tag', ['row', 'diagonal'])
def test_cells(npz, tag, dtype):
    link = cell(npz, tag, dtype)
    c = steps.cells(*link.operands(npz[f'{tag}/x'].astype(dtype)))
    maps = F.transpose(c[:, 0], (3, 1, 0, 2)) if tag == 'row' else skew.unskew(c)
    assert_near(maps, npz[f'{tag}/c'], dtype)


@pytest.mark.parametrize('tag', NETS)
def test_nets(npz, tag, dtype):
    model = in_precision(build(NETS[tag], npz, tag), dtype)
    labels = npz[f'{tag}/labels'].astype('i')
    levels = int(npz['config/levels'])
    x = (labels / (levels - 1)).astype(dtype)
    logits = model(x)
    assert logits.dtype == dtype
    assert_near(logits, npz[f'{tag}/logits'], dtype)
    nll = model.distribution.nll(logits, labels)
    assert_near(nll, npz[f'{tag}/nll_per_image'], dtype)
    if f'{tag}/loss_grads/in/W' not in npz:
        return
    model.cleargrads()
    F.average(nll).backward()
    expected = pixelrnn_arrays(npz, f'{tag}/loss_grads', int(npz['config/layers']),
                               DIRECTIONS['row' if tag == 'net_row' else 'diagonal_bi'])
    for name, param in model.namedparams():
        assert_near(param.grad, expected[name[1:]], dtype)


def seen_by(outputs_of, x):
    """Which pixel (a, b) the outputs at a pixel (i, j) depend on: bool (H, W, H, W)."""
    _, _, height, width = x.shape
    seen = np.zeros((height, width, height, width), bool)
    before = outputs_of(x)
    for row in range(height):
        for column in range(width):
            changed = x.copy()
            changed[:, :, row, column] += 1
            differs = outputs_of(changed) != before
            seen[:, :, row, column] = differs.any(axis=tuple(range(differs.ndim - 2)))
    return seen


@pytest.mark.parametrize('tag', [*CELLS, *NETS])
def test_which_pixel_sees_which(npz, tag):
    model = build(NETS[tag], npz, tag) if tag in NETS else cell(npz, tag, 'd')
    shape = (2, *npz[f'{tag}/{"labels" if tag in NETS else "x"}'].shape[1:])
    x = np.random.RandomState(0).rand(*shape)
    seen = seen_by(lambda x: model(x).array, x)
    assert (seen == npz[f'{tag}/seen_pixels'].astype(bool)).all()


@pytest.mark.parametrize('tag', [*CELLS, *NETS])
def test_which_colour_of_a_pixel_sees_which(npz, tag):
    model = build(NETS[tag], npz, tag) if tag in NETS else cell(npz, tag, 'd')
    colours = int(npz['config/colours'])
    x = np.random.RandomState(0).rand(
        2, *npz[f'{tag}/{"labels" if tag in NETS else "x"}'].shape[1:])
    before = model(x).array
    for of_input in range(colours):
        changed = x.copy()
        changed[:, of_input::colours, 2, 2] += 1
        differs = (model(changed).array != before)[..., 2, 2]
        for of_output in range(colours):
            sees = differs[:, :, of_output] if tag in NETS else differs[:, of_output::colours]
            expected = npz[f'{tag}/own_pixel_colours'][of_output, of_input]
            assert sees.any() == bool(expected)


# igul222's code skews before the convolution with biases and learns the states before the first
# step, so that states evolve outside of the picture, too. Its arrays are channels last.

def igul_lstm(x, params, prefix, colours, mirror):
    """(B, C, H, W) → (B, h, H, W), one direction of igul222's"""
    names = ('InputToState/Filters', 'InputToState/Biases', 'StateToState/Filters', 'h0', 'c0')
    W, b, W_states, h0, c0 = [params[f'{prefix}/{name}'] for name in names]
    hidden = W.shape[0] // 4
    of_gate = np.arange(x.shape[1]) % colours <= np.arange(hidden)[:, None] % colours
    W = W * np.tile(of_gate, (4, 1))[:, :, None, None]
    if mirror:
        x = x[:, :, :, ::-1]
    diagonals = skew.skew(x)                                 # (T, 1, C, H, B)
    batch = diagonals.shape[-1]
    z = F.convolution_2d(diagonals[:, 0], W, b)[:, None]
    start = [F.broadcast_to(F.transpose(of_start)[None, :, :, None],
                            (1, hidden, x.shape[2], batch)) for of_start in (h0, c0)]
    W_states = F.reshape(W_states, (1, 4 * hidden, hidden, 2))
    y = skew.unskew(steps.lstm_steps(z, W_states, steps.DIAGONAL, None, *start))
    return y[:, :, :, ::-1] if mirror else y


def igul_bilstm(x, params, prefix, colours):
    left, right = [igul_lstm(x, params, f'{prefix}/{name}', colours, mirror)
                   for name, mirror in (('Forward', False), ('Backward', True))]
    return left + F.pad(right[:, :, :-1], ((0, 0), (0, 0), (1, 0), (0, 0)), 'constant')


def channels_first(array):
    return array.transpose(0, 3, 1, 2)


@pytest.mark.parametrize('name', ['igul', 'igul_colour'])
def test_igul222(name, dtype):
    npz = read(name)
    tag = 'diagonal_bilstm'
    params = {key[len(f'{tag}/params/'):]: chainer.Parameter(npz[key].astype(dtype))
              for key in npz if key.startswith(f'{tag}/params/')}
    x = chainer.Variable(channels_first(npz[f'{tag}/x']).astype(dtype))
    y = igul_bilstm(x, params, 'B', int(npz['config/n_channels']))
    assert_near(y, channels_first(npz[f'{tag}/y']), dtype)
    y.grad = channels_first(npz[f'{tag}/gy']).astype(dtype)
    y.backward()
    assert_near(x.grad, channels_first(npz[f'{tag}/gx']), dtype)
    for key, param in params.items():
        assert_near(param.grad, npz[f'{tag}/grads/{key}'], dtype)


def test_igul222s_net(dtype):
    npz = read('igul')
    params = {key[len('net/params/'):]: npz[key].astype(dtype)
              for key in npz if key.startswith('net/params/')}
    x = channels_first(npz['net/x'])
    W = params['InputConv/Filters'].copy()
    W[:, :, 4:] = W[:, :, 3, 3:] = 0
    h = F.convolution_2d(x.astype(dtype), W, params['InputConv/Biases'], pad=3)
    for layer in ('LSTM1', 'LSTM2'):
        h = igul_bilstm(h, params, layer, 1)
    for n in (1, 2, 3):
        h = F.convolution_2d(h, params[f'OutputConv{n}/Filters'], params[f'OutputConv{n}/Biases'])
        h = F.relu(h) if n < 3 else h
    nll = F.sum(F.sigmoid_cross_entropy(h, x.astype('i'), reduce='no'), axis=(1, 2, 3))
    assert_near(nll, npz['net/nll_per_image'], dtype)


def test_torchlake(dtype):
    """Its gates are i, f, o, g, and both of its convolutions have biases."""
    npz = read('torchlake')
    link = RowLSTM(npz['x'].shape[1], int(npz['config/hidden']))

    def gates(array):
        i, f, o, g = np.split(array, 4)
        return np.concatenate([o, f, i, g])

    def arrays(prefix):
        W, b, W_states, b_states = [gates(npz[f'{prefix}/{name}']) for name in (
            'conv_is.weight', 'conv_is.bias', 'conv_ss.weight', 'conv_ss.bias')]
        return W, b, W_states, b_states

    W, b, W_states, b_states = arrays('params')
    for (param, _), array in zip(names_of(link), (W, b + b_states, W_states)):
        param.array = array.astype(dtype)
    x = chainer.Variable(npz['x'].astype(dtype))
    y = link(x)
    assert_near(y, npz['y'], dtype)
    y.grad = npz['gy'].astype(dtype)
    link.cleargrads()
    y.backward()
    assert_near(x.grad, npz['gx'], dtype)
    for (param, _), expected in zip(names_of(link), arrays('grads')):
        assert_near(param.grad, expected, dtype)
