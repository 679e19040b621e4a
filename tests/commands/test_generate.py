"""generate.py, run as a user runs it; what it does after a run of train.py is in test_train.py."""
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers import DATA, ROOT, check_error
from wavenet import sampling, serialization
from wavenet.data import load
from wavenet.data.image_files import read_images
from wavenet.functions import threads


@pytest.fixture
def model(tmp_path, random_model):
    model = random_model()
    serialization.save_model(str(tmp_path / 'model.npz'), model, height=4, width=5)
    return model


def pixels(path):
    with Image.open(str(path)) as picture:
        return np.asarray(picture.convert('RGB'))


def test_the_pictures_are_those_of_generate(command, model, tmp_path):
    result = command('generate.py', '-m', 'model.npz', '-c', 2, '--seed', 7, '-o', 'a.png',
                     '--scale', 1)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'a.png\n', '')
    samples = sampling.generate(model, (4, 3, 4, 5), seed=7)
    picture = pixels(tmp_path / 'a.png')
    for n in range(4):
        row, column = n % 2 * 4, n // 2 * 5
        expected = np.floor(samples[n].transpose(1, 2, 0) * 255 + 0.5)
        assert (picture[row:row + 4, column:column + 5] == expected).all()


def test_size_count_and_format(command, model, tmp_path):
    result = command('generate.py', '-m', 'model.npz', '-c', 3, '-o', 'a.jpg', '--height', 2,
                     '--width', 7, '--scale', 1)
    assert result.returncode == 0, result.stderr
    with Image.open(str(tmp_path / 'a.jpg')) as picture:
        assert (picture.format, picture.size) == ('JPEG', (21, 6))


@pytest.mark.parametrize('name', ['author_pixelcnn_2', 'author_snapshot_iter_2', 'author_gated_2',
                                  'author_gated_snapshot_iter_2'])
def test_the_authors_files(command, tmp_path, name):
    result = command('generate.py', '-m', os.path.join(DATA, name), '-c', 1, '--seed', 0,
                     '--scale', 1)
    assert result.returncode == 0, result.stderr
    lines = 10 if 'gated' in name else 1                     # one for each class
    assert pixels(tmp_path / 'samples.png').shape == (lines * 28, 28, 3)


@pytest.fixture
def gated_model(tmp_path, random_gated_model):
    model = random_gated_model(1, num_classes=3)
    serialization.save_model(str(tmp_path / 'gated.npz'), model, height=4, width=5)
    return model


def test_a_row_of_every_class(command, gated_model, tmp_path):
    result = command('generate.py', '-m', 'gated.npz', '-c', 2, '--seed', 7, '--scale', 1)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'samples.png\n', '')
    samples = sampling.generate(gated_model, (6, 1, 4, 5), 7, class_ids=[0, 1, 2, 0, 1, 2])
    picture = pixels(tmp_path / 'samples.png')[:, :, 0]
    assert picture.shape == (3 * 4, 2 * 5)
    for n in range(6):
        row, column = n % 3 * 4, n // 3 * 5                  # down the columns: of class n % 3
        expected = np.floor(samples[n, 0] * 255 + 0.5)
        assert (picture[row:row + 4, column:column + 5] == expected).all()


def test_one_class(command, gated_model, tmp_path):
    result = command('generate.py', '-m', 'gated.npz', '-c', 2, '--seed', 7, '--label', 2,
                     '--scale', 1)
    assert result.returncode == 0, result.stderr
    samples = sampling.generate(gated_model, (4, 1, 4, 5), 7, class_ids=[2, 2, 2, 2])
    picture = pixels(tmp_path / 'samples.png')[:, :, 0]
    assert picture.shape == (2 * 4, 2 * 5)
    assert (picture[:4, 5:] == np.floor(samples[2, 0] * 255 + 0.5)).all()


def test_completions_of_one_class(command, gated_model, tmp_path):
    original = np.random.RandomState(0).randint(0, 256, (6, 5)).astype('u1')
    Image.fromarray(original).save(str(tmp_path / 'a.png'))
    result = command('generate.py', '-m', 'gated.npz', '-c', 3, '--complete', 'a.png', '--rows', 3,
                     '--label', 1, '--scale', 1)
    assert result.returncode == 0
    assert result.stderr == 'generate.py: the images are 5×6, the model was trained on 5×4\n'
    assert pixels(tmp_path / 'samples.png').shape == (6, 5 * 5, 3)


@pytest.mark.parametrize('args, words', [
    (['-m', 'gated.npz', '--label', 3], ['--label 3', '0 to 2']),
    (['-m', 'gated.npz', '--label', -1], ['--label']),
    (['-m', 'gated.npz', '--complete', 'digits:0'], ['--complete', '--label', 'the class']),
    (['-m', 'model.npz', '--label', 0], ['--label 0', 'no classes'])])
def test_a_mistake_about_classes(command, model, gated_model, args, words):
    check_error(command('generate.py', *args), *words)


@pytest.mark.parametrize('method', ['cached', 'naive'])
def test_weights_that_are_too_large_to_draw(command, random_model, tmp_path, monkeypatch, method):
    monkeypatch.setattr(threads, 'WORKERS', 2)
    huge = random_model(in_channels=1)
    for param in huge.params():
        param.array[...] = 1e30  # finite, but what they multiply is not
    serialization.save_model(str(tmp_path / 'huge.npz'), huge, height=4, width=4)
    check_error(command('generate.py', '-m', 'huge.npz', '-c', 1, '--method', method),
                'not finite')


def test_both_methods_draw_the_same(command, model, tmp_path):
    for method in ('cached', 'naive'):
        result = command('generate.py', '-m', 'model.npz', '-c', 2, '--seed', 7, '--method', method,
                         '-o', method + '.png')
        assert result.returncode == 0, result.stderr
    assert (tmp_path / 'cached.png').read_bytes() == (tmp_path / 'naive.png').read_bytes()


def test_completions_and_an_animation(command, model, tmp_path):
    originals = np.random.RandomState(0).randint(0, 256, (2, 6, 5, 3)).astype('u1')
    for n, original in enumerate(originals):
        Image.fromarray(original).save(str(tmp_path / f'{n}.png'))
    result = command('generate.py', '-m', 'model.npz', '-c', 3, '--complete', '0.png', '1.png',
                     '--rows', 4, '--gif', 'drawing.gif', '--scale', 1)
    assert result.returncode == 0
    assert result.stdout == 'samples.png\ndrawing.gif\n'
    picture = pixels(tmp_path / 'samples.png')
    assert picture.shape == (2 * 6, (2 + 3) * 5, 3)          # original, kept, three completions
    assert (picture[:6, :5] == originals[0]).all() and (picture[6:, :5] == originals[1]).all()
    assert (picture[:4, 5:10] == originals[0][:4]).all() and (picture[4:6, 5:10] == 128).all()
    kept = picture[:4, 10:].reshape(4, 3, 5, 3)
    assert (kept[:, 0] == kept[:, 1]).all() and (kept[:, 0] == kept[:, 2]).all()
    with Image.open(str(tmp_path / 'drawing.gif')) as drawing:
        assert drawing.size == (25, 12) and drawing.n_frames > 10


@pytest.mark.parametrize('args, words', [
    (['-m', 'model.npz', '--gif', 'a.png'], ['a.png', '.gif']),
    (['-m', 'nan.npz'], ['conv1/b is not finite']),
    (['-m', 'model.npz', '-c', 10 ** 6], []), (['-m', 'model.npz', '--height', 10 ** 11], []),
    (['-m', 'model.npz', '-o', 'folder.png'], ['folder.png', 'a folder']),
    (['-m', 'model.npz', '--complete', 'text', '--rows', 2], ['text']),
    (['-m', 'model.npz', '--complete', 'text'], ['text']),
    (['-m', 'model.npz', '--rows', 3], ['--complete']),
    (['-m', 'model.npz', '--complete', 'none.png', '--rows', 3], ['--complete none.png: cannot']),
    (['-m', 'model.npz', '--complete', './x.png', '--rows', 3, '-o', 'x.png'], ['overwritten']),
    (['-m', 'model.npz', '--complete', 'text', '--rows', 3, '--height', 4], ['--complete']),
    ([], ['--model']), (['-m', 'nowhere.npz'], ['--model nowhere.npz: there']),
    (['-m', 'text'], ['--model text: cannot']),
    (['-m', 'images.npz'], ['images.npz', 'no model']),
    (['-m', 'model.npz', '-o', 'a.gif'], ['a.gif', '.png']),
    (['-m', 'model.npz', '-o', 'nowhere/a.png'], ['--output nowhere/a.png']),
    (['-m', 'model.npz', '--complete', 'digits:0', '--rows', 9], ['--rows 9', '8 rows']),
    (['-m', 'model.npz', '--complete', 'digits:297'], ['--complete digits:297', '297 images']),
    (['-m', 'model.npz', '--complete', 'digits:3-2'], ['--complete digits:3-2', 'smaller']),
    (['-m', 'model.npz', '--complete', 'digitz:3'], ['--complete digitz:3', 'unknown dataset']),
    (['-m', 'model.npz', '--height', 10 ** 6], ['--height 1000000', '--width']),
    (['-m', 'model.npz', '--gif', 'nowhere/a.gif'], ['--gif nowhere/a.gif', 'folder']),
    (['-m', 'model.npz', '--complete', 'digits:0', '--mask', 'text'], ['--mask text', 'image']),
    (['-m', 'model.npz', '--keep', 'left'], ['--keep is for --complete']),
    (['-m', 'model.npz', '--complete', 'digits:0', '--keep', 'middle'], ['--keep', 'middle']),
    (['-m', 'model.npz', '--complete', 'digits:0', '--keep', 'left', '--rows', 2],
     ['--rows and --keep', 'give one']),
    (['-m', 'model.npz', '--complete', 'digits:0', '--mask', 'x.png'], ['x.png']),
    (['-m', 'model.npz', '-n', 3, '-c', 2], ['--number', '--count']),
    (['-m', 'model.npz', '--temperature', 0], ['--temperature', 'above 0']),
    (['-m', 'model.npz', '--separate', '-o', 'text'], ['--output text', 'folder']),
    (['-m', 'model.npz', '--separate', '-o', '-'], ['--separate', 'folder']),
    (['-m', 'model.npz', '--separate', '-o', 'a.png'], ['a.png', 'without the ending']),
    (['-m', 'model.npz', '-o', 'a.bmp'], ['--output a.bmp', '.npz']),
    (['-m', 'model.npz', '-c', 0], ['--count']), (['-m', 'model.npz', '--height', 0], ['--height']),
    (['-m', 'model.npz', '--device', '@cupy:99'], ['--device @cupy:99']),
    (['-m', 'model.npz', '--gpu', 99], ['--gpu 99', '--gpu -1'])])
def test_a_users_mistake(command, model, tmp_path, args, words):
    (tmp_path / 'text').write_text('no model')
    np.savez(str(tmp_path / 'images.npz'), train_x=np.zeros(3))
    (tmp_path / 'samples.png').write_bytes(b'there before')
    (tmp_path / 'folder.png').mkdir()
    before = sorted(os.listdir(str(tmp_path)))
    with np.load(str(tmp_path / 'model.npz')) as npz:
        np.savez(str(tmp_path / 'nan.npz'), **dict(npz, **{'conv1/b': np.full(12, np.nan, 'f')}))
    check_error(command('generate.py', *args), *words)
    assert sorted(os.listdir(str(tmp_path))) == sorted(before + ['nan.npz'])
    assert (tmp_path / 'samples.png').read_bytes() == b'there before'


# Classes

def test_classes_have_names_and_only_trained_ones_get_a_row(command, tmp_path):
    for n, name in enumerate(['10', '2', 'cat']):
        (tmp_path / 'data/train' / name).mkdir(parents=True)
        for k in range(4):
            image = np.random.RandomState(10 * n + k).randint(0, 256, (4, 5)).astype('u1')
            Image.fromarray(image).save(tmp_path / f'data/train/{name}/{k}.png')
    (tmp_path / 'data/test/dog').mkdir(parents=True)          # a class without training images
    Image.fromarray(image).save(tmp_path / 'data/test/dog/0.png')
    result = command('train.py', '--model', 'gated', '--dataset', 'data', '--channels', 1, '-d', 8,
                     '-n', 1, '--levels', 4, '--iteration', 60, '--learning_rate', 0.03,
                     '--batchsize', 4, '--interval', 60)
    assert result.returncode == 0, result.stderr
    about = serialization.load_model(str(tmp_path / 'out/model.npz')).about
    assert about['class_names'] == ['10', '2', 'cat', 'dog']
    assert about['trained_classes'] == [0, 1, 2]

    def image(*options):
        result = command('generate.py', '-m', 'out/model.npz', '--seed', 0, '-c', 2, '--scale',
                         1, *options)
        assert result.returncode == 0, result.stderr
        return pixels(tmp_path / 'samples.png')

    assert image().shape == (3 * 4, 2 * 5, 3)              # a row of each class
    of_each = {label: image('--label', label).tolist() for label in ('10', '2', 'cat', '0', '1')}
    assert of_each['10'] == of_each['0'] != of_each['cat']  # by the name, or else by the number
    assert of_each['2'] != of_each['cat']                   # the class named 2 has the number 1
    assert of_each['2'] == of_each['1']
    result = command('generate.py', '-m', 'out/model.npz', '--label', 'cow')
    assert result.returncode == 2 and result.stderr == (
        "generate.py: error: --label cow: the model has classes '10', '2', 'cat', 'dog'\n")


# Numbers, files, scale

def targets_of(path):
    """The levels of an image file, as the completion of images reads them, for 4 levels."""
    return np.rint(read_images([str(path)], 1)[0, 0] * 3)


@pytest.fixture
def gray_model(tmp_path, random_model):
    model = random_model(in_channels=1)
    serialization.save_model(str(tmp_path / 'gray.npz'), model, height=4, width=5)
    return model


@pytest.mark.parametrize('number, columns, rows', [(1, 1, 1), (3, 2, 2), (7, 3, 3), (12, 3, 4)])
def test_exactly_so_many_samples(command, gray_model, tmp_path, number, columns, rows):
    result = command('generate.py', '-m', 'gray.npz', '--number', number, '--seed', 7, '--scale', 1)
    assert (result.returncode, result.stderr) == (0, '')
    picture = pixels(tmp_path / 'samples.png')
    assert picture.shape == (rows * 4, columns * 5, 3)
    command('generate.py', '-m', 'gray.npz', '--number', number, '--seed', 7, '-o', 'a.npy')
    samples = sampling.generate(gray_model, (number, 1, 4, 5), seed=7)
    assert (np.load(tmp_path / 'a.npy') == np.rint(samples[:, 0] * 3)).all()


@pytest.mark.parametrize('batchsize', [1, 4, 100])
def test_samples_do_not_depend_on_how_many_are_generated_at_once(
        command, gray_model, tmp_path, batchsize):
    command('generate.py', '-m', 'gray.npz', '-n', 9, '--seed', 3, '-o', 'a.npy', '--batchsize',
            batchsize)
    samples = sampling.generate(gray_model, (9, 1, 4, 5), seed=3)
    assert (np.load(tmp_path / 'a.npy') == np.rint(samples[:, 0] * 3)).all()


def test_arrays_hold_levels_intensities_and_classes(command, gated_model, tmp_path):
    result = command('generate.py', '-m', 'gated.npz', '-n', 5, '--seed', 7, '-o', 'a.npz')
    assert (result.returncode, result.stdout, result.stderr) == (0, 'a.npz\n', '')
    samples = sampling.generate(gated_model, (5, 1, 4, 5), 7, class_ids=[0, 1, 2, 0, 1])
    with np.load(tmp_path / 'a.npz') as npz:
        assert sorted(npz.files) == ['classes', 'images', 'levels']
        assert npz['levels'].dtype == npz['images'].dtype == np.uint8
        assert (npz['levels'] == np.rint(samples[:, 0] * 3)).all()
        assert (npz['images'] == npz['levels'] * 85).all()
        assert npz['classes'].tolist() == [0, 1, 2, 0, 1]


def test_colour_comes_last_in_arrays(command, model, tmp_path):
    command('generate.py', '-m', 'model.npz', '-n', 2, '--seed', 7, '-o', 'a.npy')
    samples = sampling.generate(model, (2, 3, 4, 5), 7)
    assert (np.load(tmp_path / 'a.npy') == np.rint(samples.transpose(0, 2, 3, 1) * 3)).all()


def test_each_sample_is_a_file_of_its_levels(command, gray_model, tmp_path):
    options = ['-m', 'gray.npz', '-n', 3, '--seed', 7, '--separate', '-o', 'out']
    result = command('generate.py', *options)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'out\n', '')
    assert sorted(os.listdir(tmp_path / 'out')) == ['00000.png', '00001.png', '00002.png']
    samples = sampling.generate(gray_model, (3, 1, 4, 5), seed=7)
    for n, sample in enumerate(samples):
        assert pixels(tmp_path / f'out/0000{n}.png').shape == (4, 5, 3)
        assert (targets_of(tmp_path / f'out/0000{n}.png') == np.rint(sample[0] * 3)).all()
    check_error(command('generate.py', *options), '--output out', 'samples already')


def test_standard_output(gray_model, tmp_path):
    result = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'generate.py'), '-m', 'gray.npz', '-n', '1', '--seed',
         '7', '-o', '-', '--gif', 'a.gif'], cwd=str(tmp_path), capture_output=True,
        env=dict(os.environ, PYTHONPATH=ROOT))
    assert result.returncode == 0 and result.stderr == b'a.gif\n'
    (tmp_path / 'a.png').write_bytes(result.stdout)
    samples = sampling.generate(gray_model, (1, 1, 4, 5), seed=7)
    assert (targets_of(tmp_path / 'a.png') == np.rint(samples[0, 0] * 3)).all()


def test_small_images_are_enlarged_and_can_be_read_again(command, gray_model, tmp_path):
    command('generate.py', '-m', 'gray.npz', '-c', 2, '--seed', 7)
    assert pixels(tmp_path / 'samples.png').shape == (2 * 5 * 12, 2 * 6 * 12, 3)  # 56 / 5, upwards
    command('generate.py', '-m', 'gray.npz', '-n', 1, '--seed', 7)
    assert pixels(tmp_path / 'samples.png').shape == (4 * 12, 5 * 12, 3)
    samples = sampling.generate(gray_model, (1, 1, 4, 5), seed=7)
    assert (targets_of(tmp_path / 'samples.png') == np.rint(samples[0, 0] * 3)).all()
    # Large ones keep their size, and lines of one pixel separate them
    command('generate.py', '-m', 'gray.npz', '-c', 2, '--seed', 7, '--width', 60)
    assert pixels(tmp_path / 'samples.png').shape == (2 * 5, 2 * 61, 3)


def test_temperature(command, gray_model, tmp_path):
    for temperature in (1, 0.01):
        command('generate.py', '-m', 'gray.npz', '-n', 4, '--seed', 7, '--temperature', temperature,
                '-o', f'{temperature}.npy')
    samples = sampling.generate(gray_model, (4, 1, 4, 5), seed=7, temperature=0.01)
    assert (np.load(tmp_path / '0.01.npy') == np.rint(samples[:, 0] * 3)).all()
    assert (np.load(tmp_path / '0.01.npy') != np.load(tmp_path / '1.npy')).any()


# What is kept of images that are completed

def completed(command, tmp_path, *options, original):
    """The levels of one completion (H, W), and what the command said."""
    Image.fromarray(original).save(str(tmp_path / 'original.png'))
    result = command('generate.py', '-m', 'gray.npz', '-n', 1, '--seed', 7, '-o', 'a.npy',
                     '--complete', 'original.png', *options)
    assert result.returncode == 0, result.stderr
    return np.load(tmp_path / 'a.npy')[0], result.stderr


@pytest.mark.parametrize('options, kept, is_said', [
    ([], np.s_[:2], False), (['--rows', 3], np.s_[:3], False),
    (['--keep', 'top'], np.s_[:2], False),
    (['--keep', 'bottom'], np.s_[2:], True), (['--keep', 'left'], np.s_[:, :2], True),
    (['--keep', 'right'], np.s_[:, 3:], True), (['--rows', 0], np.s_[:0], False),
    (['--rows', 4], np.s_[:4], False)])
def test_the_part_that_is_kept(command, gray_model, tmp_path, options, kept, is_said):
    original = np.random.RandomState(0).randint(0, 256, (4, 5)).astype('u1')
    levels, said = completed(command, tmp_path, *options, original=original)
    mask = np.zeros((4, 5), bool)
    mask[kept] = True
    expected = sampling.generate(gray_model, (1, 1, 4, 5), 7,
                                 given=(original[None, None] / np.float32(255), mask))
    assert (levels == np.rint(expected[0, 0] * 3)).all()
    assert (levels[kept] == np.minimum(original[kept] // 64, 3)).all()
    assert ('conditioned on the pixels before it' in said) == is_said


def test_a_mask(command, gray_model, tmp_path):
    original = np.random.RandomState(0).randint(0, 256, (4, 5)).astype('u1')
    mask = np.random.RandomState(1).rand(4, 5) < 0.5
    Image.fromarray(mask.astype('u1') * 255).save(str(tmp_path / 'mask.png'))
    levels, _ = completed(command, tmp_path, '--mask', 'mask.png', original=original)
    assert (levels[mask] == np.minimum(original[mask] // 64, 3)).all()
    Image.fromarray(np.zeros((5, 5), 'u1')).save(str(tmp_path / 'mask.png'))
    check_error(command('generate.py', '-m', 'gray.npz', '--complete', 'original.png', '--mask',
                        'mask.png'), '--mask mask.png', '5×5', '5×4')


def test_test_images_by_number(command, gray_model, tmp_path):
    result = command('generate.py', '-m', 'gray.npz', '-n', 2, '-o', 'a.npy', '--complete',
                     'digits:0,3-5', 'Digits:1')
    assert result.returncode == 0
    assert result.stderr == 'generate.py: the images are 8×8, the model was trained on 5×4\n'
    test = load.read('digits').test.pixels[[0, 3, 4, 5, 1], 0]
    levels = np.load(tmp_path / 'a.npy')
    assert levels.shape == (10, 8, 8)
    for n, pixels_of_it in enumerate(test.repeat(2, axis=0)):
        assert (levels[n, :4] == np.minimum(pixels_of_it[:4] // 64, 3)).all()


def test_the_class_of_a_test_image_is_known(command, random_gated_model, tmp_path):
    model = random_gated_model(1, num_classes=10)
    serialization.save_model(str(tmp_path / 'gated.npz'), model, height=8, width=8,
                             class_names=list('0123456789'))
    result = command('generate.py', '-m', 'gated.npz', '-n', 1, '-o', 'a.npz', '--complete',
                     'digits:5')
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / 'a.npz') as npz:
        assert npz['classes'].tolist() == [load.read('digits').test.class_ids[5]]
