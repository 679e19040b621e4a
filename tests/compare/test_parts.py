"""The parts of wavenet.compare, against what the author's code computed: tests/data/README.md."""
import os
import shutil

import numpy as np
import pytest

from helpers import DATA
from wavenet import serialization
from wavenet.compare import inputs, kinds, known, report, tasks, verdicts
from wavenet.compare.ours import Ours

B = 4  # images in a batch of the reference


@pytest.fixture
def config(reference, tmp_path):
    for name in ('pixelcnn', 'snapshot_iter'):
        shutil.copy(os.path.join(DATA, 'author_{}_2'.format(name)), str(tmp_path / (name + '_1')))
    sizes = {name: int(reference['config/' + name]) for name in kinds.PIXELCNN}
    _, _, height, width = reference['x'].shape
    return dict(sizes, kind='pixelcnn', labelled=False, levels=sizes['out_dims'], batchsize=B,
                iteration=8, learning_rate=0.001, clip=0, weight_decay=0, count=2, height=height,
                width=width, seed=int(reference['binarize/seed']), snapshots=str(tmp_path),
                our_model=str(tmp_path / 'model.npz'))


@pytest.fixture
def given(reference):
    random = np.random.RandomState(0)
    given = {name: reference[name] for name in reference if name.startswith('params/')}
    given.update(labels=reference['labels'].astype('u1'), classes=np.zeros(4 * B, 'i'),
                 picture_classes=np.zeros(B, 'i'), images=reference['images'][:B],
                 intensities=reference['images'], levels=[4], gray=random.rand(2, 1, 3, 4),
                 distribution=np.full((5, 4), 0.25))
    return given


@pytest.fixture
def theirs(reference):
    """What the reference holds, named as the task 'numbers' names it."""
    theirs = {name: reference[name] for name in reference
              if name.split('/')[0] in ('masks', 'grads', 'logits', 'loss')}
    for name, array in reference.items():
        if name.startswith('params/'):
            theirs['shapes' + name[len('params'):]] = np.array(array.shape)
    theirs.update({'utils/binarize': reference['binarize/out'],
                   'utils/quantisize/4': reference['labels'],
                   'float32/losses': reference['adam/losses']})
    return theirs


def by_name(rows):
    return {row.name: row for row in rows}


REFERENCE_HAS = ['parameters', 'masks', 'binarize', 'quantisize', 'logits', 'loss',
                 'gradients, float32',
                 '8 optimizer steps, float32']


def test_ours_agrees_with_the_reference(config, given, theirs):
    rows = by_name(verdicts.compare(theirs, tasks.numbers(Ours(), config, given), config))
    for name, row in rows.items():
        expected = verdicts.AGREES if name in REFERENCE_HAS else verdicts.MISSING
        assert row.verdict == expected, row
    assert rows['parameters'].detail == '18 parameters, 2,972 numbers'
    assert verdicts.overall(rows.values()) == verdicts.MISSING


@pytest.mark.parametrize('name, entry, change, row', [
    ('masks/conv4', (0, 1, 0, 0), 1, 'masks'),
    ('utils/binarize', (0, 0, 0, 0), 1, 'binarize'),
    ('utils/quantisize/4', (3, 2, 1, 0), 1, 'quantisize'),
    ('logits', (3, 2, 1, 5, 5), 3e-5, 'logits'),
    ('logits', (3, 2, 1, 5, 5), np.nan, 'logits'),
    ('loss', (), 0.1, 'loss'),
    ('grads/blocks/1/conv2/W', (0, 0, 0, 0), 0.3, 'gradients, float32'),
    ('float32/losses', 6, 0.1, '8 optimizer steps, float32'),
    ('shapes/conv1/W', 0, 1, 'parameters')])
def test_a_single_number_that_differs_is_found(config, given, theirs, name, entry, change, row):
    theirs[name] = theirs[name].astype(float)
    theirs[name][entry] += change
    rows = by_name(verdicts.compare(theirs, tasks.numbers(Ours(), config, given), config))
    assert {name for name in rows if rows[name].verdict == verdicts.DIFFERS} == {row}
    assert verdicts.overall(rows.values()) == verdicts.DIFFERS
    assert report.number(rows[row].difference) not in ('0', '-')


@pytest.fixture
def drawings(config, reference, reference_model):
    """The author's samples, and ours from the same parameters and seed."""
    config['seed'] = int(reference['samples/seed'])
    for name, param in reference_model.namedparams():
        param.array[...] = reference['adam/params' + name]
    serialization.save_model(config['our_model'], reference_model)
    ours = tasks.drawing(Ours(), config, {'picture_classes': np.zeros(4, 'i')})
    return {'here': ours, 'author': dict(ours, samples=reference['samples'].copy())}


def generation(drawings, config, given):
    rows = verdicts.compare_drawings(drawings, {}, config, given)
    return by_name(rows)['generation']


def test_the_pictures_are_the_references(config, given, drawings):
    row = generation(drawings, config, given)
    assert row.verdict == verdicts.AGREES and row.detail == '192 values of each of 4 pictures'


def test_pictures_are_compared_as_far_as_they_were_drawn(config, given, drawings):
    drawings['author']['samples'][2, 0, 4, 0] += 0.1          # the value number 4 · 8 · 3
    for part, verdict in ((96 / 192, verdicts.AGREES), (97 / 192, verdicts.DIFFERS)):
        drawings['author']['part'] = np.array(part)
        assert generation(drawings, config, given).verdict == verdict


def test_a_draw_at_a_boundary_can_fall_either_way(config, given, drawings, monkeypatch):
    # How far that draw was from a boundary, from the logits at the values before it
    picture, channel, i, j = 1, 2, 3, 5
    logits = serialization.load_model(config['our_model'])(
        drawings['here']['samples'][picture:picture + 1]).array[0, :, channel, i, j].astype('d')
    cumulative = np.cumsum(np.exp(logits) / np.exp(logits).sum())
    uniforms = np.random.RandomState(config['seed']).random_sample((8, 8, 3, 4))
    distance = abs(cumulative - uniforms[i, j, channel, picture]).min()
    drawings['author']['samples'][picture, channel, i, j] += 1 / 3
    drawings['author']['samples'][picture, :, i + 1:] = 0       # all after it is another picture
    for factor, verdict in ((0.99, verdicts.DIFFERS), (1.01, verdicts.AGREES)):
        monkeypatch.setattr(verdicts, 'BOUNDARY', factor * distance)
        assert generation(drawings, config, given).verdict == verdict


# What is known

def titles(theirs, folder, config, error=''):
    return [one.title for one in known.find(str(folder), {'cpu_error': error}, theirs, config, {})]


def test_what_is_known_is_found_and_not_assumed(tmp_path, config):
    assert titles({}, tmp_path, config) == []
    (tmp_path / 'train.py').write_text(
        "parser.add_argument('--learning_rate', '-l', type=float, help='step of Adam')\n"
        "parser.add_argument('--gpu', type=int, help='GPU')\n"
        'images = labels / (args.levels - 1)\nif args.gpu >= 0:\n    Adam(args.learning_rate)\n')
    assert titles({}, tmp_path, config) == []
    (tmp_path / 'train.py').write_text(
        "parser.add_argument('--learning_rate', '-l', type=float, help='bound for clipping')\n"
        "parser.add_argument('--gpu', type=int, help='GPU')\n"
        "parser.add_argument('--stats', type=bool, help='statistics')\n"
        'if args.gpu >= 0:\n    images = labels / (args.levels - 1)\n')
    assert titles({}, tmp_path, config, 'NameError') == [
        'Generation runs on a GPU only',
        'train.py: the text of --learning_rate describes another option',
        'train.py: --learning_rate does nothing', 'train.py: --stats does nothing',
        'train.py: --stats False means True',
        'train.py: without a GPU, the model sees other pictures than it is to predict']
    (tmp_path / 'train.py').write_text('no Python (')
    assert titles({}, tmp_path, config) == []


@pytest.mark.parametrize('reported, found', [(1.2 / 192, True), (1.2 / np.log(2), False)])
def test_bits_per_dimension_divided_twice(tmp_path, config, reported, found):
    theirs = {'loss': np.array(1.2), 'reported/bits/dim': np.array(reported)}
    assert titles(theirs, tmp_path, config) == ['bits/dim is divided twice'] * found


# The inputs, and how numbers are written

def test_biases_and_masked_weights_are_drawn(config):
    for name, array in inputs.start(config, 0):
        assert (array != 0).all(), name


@pytest.mark.parametrize('value, text', [(0, '0'), (0.0, '0'), (601, '601'), (1.23e-7, '1.2e-07'),
                                         (1e-5, '1e-05'), (0.1, '0.1'), (None, '-'),
                                         (float('nan'), 'nan'), (float('inf'), 'inf')])
def test_numbers_are_short(value, text):
    assert report.number(value) == text
