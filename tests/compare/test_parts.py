"""The parts of wavenet.compare, tested with results of the author's code: tests/data/README.md."""
import shutil
from pathlib import Path

import numpy as np
import pytest

from wavenet import serialization
from wavenet.compare import inputs, kinds, report, tasks, verdicts
from wavenet.compare.ours import Ours

DATA = Path(__file__).resolve().parents[1] / 'data'
B = 4  # images in a batch of the reference


def make_config(reference, folder):
    for name in ('pixelcnn', 'snapshot_iter'):
        shutil.copy(DATA / f'author_{name}_2', folder / f'{name}_1')
    sizes = {name: int(reference['config/' + name]) for name in kinds.PIXELCNN}
    _, _, height, width = reference['x'].shape
    return dict(sizes, kind='pixelcnn', conditional=False, levels=sizes['out_dims'], batchsize=B,
                iteration=8, learning_rate=0.001, clip=0, weight_decay=0, count=2, height=height,
                width=width, seed=int(reference['binarize/seed']), snapshot_folder=str(folder),
                our_model=str(folder / 'model.npz'))


def make_given(reference):
    random = np.random.RandomState(0)
    given = {name: reference[name] for name in reference if name.startswith('params/')}
    given.update(targets=reference['labels'].astype('u1'), class_ids=np.zeros(4 * B, 'i'),
                 sample_class_ids=np.zeros(B, 'i'), images=reference['images'][:B],
                 intensities=reference['images'], levels=[4], gray=random.rand(2, 1, 3, 4),
                 distribution=np.full((5, 4), 0.25))
    return given


@pytest.fixture
def config(reference, tmp_path):
    return make_config(reference, tmp_path)


@pytest.fixture
def given(reference):
    return make_given(reference)


@pytest.fixture(scope='module')
def ours(reference, tmp_path_factory):
    """Our results of the task 'numbers'."""
    config = make_config(reference, tmp_path_factory.mktemp('ours'))
    return tasks.numbers(Ours(), config, make_given(reference))


@pytest.fixture
def theirs(reference):
    """The arrays of the reference, under the names of the task 'numbers'."""
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
                 'gradients, float32', '8 optimizer steps, float32']


def test_ours_agrees_with_the_reference(config, ours, theirs):
    rows = by_name(verdicts.compare(theirs, ours, config))
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
def test_a_single_number_that_differs_is_found(config, ours, theirs, name, entry, change, row):
    theirs[name] = theirs[name].astype(float)
    theirs[name][entry] += change
    rows = by_name(verdicts.compare(theirs, ours, config))
    assert {name for name in rows if rows[name].verdict == verdicts.DIFFERS} == {row}
    assert verdicts.overall(rows.values()) == verdicts.DIFFERS
    assert report.number(rows[row].difference) not in ('0', '-')


@pytest.fixture
def generated(config, reference, reference_model):
    """The author's samples, and ours from the same parameters and seed."""
    config['seed'] = int(reference['samples/seed'])
    for name, param in reference_model.namedparams():
        param.array[...] = reference['adam/params' + name]
    serialization.save_model(config['our_model'], reference_model)
    ours = tasks.generation(Ours(), config, {'sample_class_ids': np.zeros(4, 'i')})
    return {'here': ours, 'author': dict(ours, samples=reference['samples'].copy())}


def generation(generated, config, given):
    rows = verdicts.compare_generation(generated, {}, config, given)
    return by_name(rows)['generation']


def test_our_images_are_those_of_the_reference(config, given, generated):
    row = generation(generated, config, given)
    assert row.verdict == verdicts.AGREES and row.detail == '192 values of each of 4 images'


def test_only_generated_values_are_compared(config, given, generated):
    generated['author']['samples'][2, 0, 4, 0] += 0.1          # the value number 4 · 8 · 3
    for part, verdict in ((96 / 192, verdicts.AGREES), (97 / 192, verdicts.DIFFERS)):
        generated['author']['part'] = np.array(part)
        assert generation(generated, config, given).verdict == verdict


def test_a_random_number_at_a_boundary_chooses_either_level(config, given, generated, monkeypatch):
    # The distance of this random number from a boundary, from the logits after the values before it
    image, channel, i, j = 1, 2, 3, 5
    logits = serialization.load_model(config['our_model'])(
        generated['here']['samples'][image:image + 1]).array[0, :, channel, i, j].astype('d')
    cumulative = np.cumsum(np.exp(logits) / np.exp(logits).sum())
    uniforms = np.random.RandomState(config['seed']).random_sample((8, 8, 3, 4))
    distance = abs(cumulative - uniforms[i, j, channel, image]).min()
    generated['author']['samples'][image, channel, i, j] += 1 / 3
    generated['author']['samples'][image, :, i + 1:] = 0       # after it the images differ
    for factor, verdict in ((0.99, verdicts.DIFFERS), (1.01, verdicts.AGREES)):
        monkeypatch.setattr(verdicts, 'BOUNDARY', factor * distance)
        assert generation(generated, config, given).verdict == verdict


# The inputs, and how numbers are written

def test_biases_and_masked_weights_start_at_random(config):
    for name, array in inputs.start(config, 0):
        assert (array != 0).all(), name


@pytest.mark.parametrize('value, text', [(0, '0'), (0.0, '0'), (601, '601'), (1.23e-7, '1.2e-07'),
                                         (1e-5, '1e-05'), (0.1, '0.1'), (None, '-'),
                                         (float('nan'), 'nan'), (float('inf'), 'inf')])
def test_numbers_are_short(value, text):
    assert report.number(value) == text
