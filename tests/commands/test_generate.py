"""generate.py, run as a user runs it; what it does after a run of train.py is in test_train.py."""
import os

import numpy as np
import pytest
from PIL import Image

from helpers import DATA, check_error
from wavenet import sampling, serialization
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
    result = command('generate.py', '-m', 'model.npz', '-c', 2, '--seed', 7, '-o', 'a.png')
    assert (result.returncode, result.stdout, result.stderr) == (0, 'a.png\n', '')
    samples = sampling.generate(model, (4, 3, 4, 5), seed=7)
    picture = pixels(tmp_path / 'a.png')
    for n in range(4):
        row, column = n % 2 * 4, n // 2 * 5
        expected = np.floor(samples[n].transpose(1, 2, 0) * 255 + 0.5)
        assert (picture[row:row + 4, column:column + 5] == expected).all()


def test_size_count_and_format(command, model, tmp_path):
    result = command('generate.py', '-m', 'model.npz', '-c', 3, '-o', 'a.jpg', '--height', 2,
                     '--width', 7)
    assert result.returncode == 0, result.stderr
    with Image.open(str(tmp_path / 'a.jpg')) as picture:
        assert (picture.format, picture.size) == ('JPEG', (21, 6))


@pytest.mark.parametrize('name', ['author_pixelcnn_2', 'author_snapshot_iter_2', 'author_gated_2',
                                  'author_gated_snapshot_iter_2'])
def test_the_authors_files(command, tmp_path, name):
    result = command('generate.py', '-m', os.path.join(DATA, name), '-c', 1, '--seed', 0)
    assert result.returncode == 0, result.stderr
    lines = 10 if 'gated' in name else 1                     # one for each class
    assert pixels(tmp_path / 'samples.png').shape == (lines * 28, 28, 3)


@pytest.fixture
def gated_model(tmp_path, random_gated_model):
    model = random_gated_model(1, num_classes=3)
    serialization.save_model(str(tmp_path / 'gated.npz'), model, height=4, width=5)
    return model


def test_a_row_of_every_class(command, gated_model, tmp_path):
    result = command('generate.py', '-m', 'gated.npz', '-c', 2, '--seed', 7)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'samples.png\n', '')
    samples = sampling.generate(gated_model, (6, 1, 4, 5), 7, class_ids=[0, 1, 2, 0, 1, 2])
    picture = pixels(tmp_path / 'samples.png')[:, :, 0]
    assert picture.shape == (3 * 4, 2 * 5)
    for n in range(6):
        row, column = n % 3 * 4, n // 3 * 5                  # down the columns: of class n % 3
        expected = np.floor(samples[n, 0] * 255 + 0.5)
        assert (picture[row:row + 4, column:column + 5] == expected).all()


def test_one_class(command, gated_model, tmp_path):
    result = command('generate.py', '-m', 'gated.npz', '-c', 2, '--seed', 7, '--label', 2)
    assert result.returncode == 0, result.stderr
    samples = sampling.generate(gated_model, (4, 1, 4, 5), 7, class_ids=[2, 2, 2, 2])
    picture = pixels(tmp_path / 'samples.png')[:, :, 0]
    assert picture.shape == (2 * 4, 2 * 5)
    assert (picture[:4, 5:] == np.floor(samples[2, 0] * 255 + 0.5)).all()


def test_completions_of_one_class(command, gated_model, tmp_path):
    original = np.random.RandomState(0).randint(0, 256, (6, 5)).astype('u1')
    Image.fromarray(original).save(str(tmp_path / 'a.png'))
    result = command('generate.py', '-m', 'gated.npz', '-c', 3, '--complete', 'a.png', '--rows', 3,
                     '--label', 1)
    assert (result.returncode, result.stderr) == (0, '')
    assert pixels(tmp_path / 'samples.png').shape == (6, 5 * 5, 3)


@pytest.mark.parametrize('args, words', [
    (['-m', 'gated.npz', '--label', 3], ['--label 3', '0 to 2']),
    (['-m', 'gated.npz', '--label', -1], ['--label']),
    (['-m', 'gated.npz', '--complete', 'gated.npz', '--rows', 2], ['--label', '0 to 2']),
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
                     '--rows', 4, '--gif', 'drawing.gif')
    assert (result.returncode, result.stderr) == (0, '')
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
    (['-m', 'model.npz', '--complete', 'text'], ['--rows']),
    (['-m', 'model.npz', '--rows', 3], ['--complete']),
    (['-m', 'model.npz', '--complete', 'none.png', '--rows', 3], ['none.png']),
    (['-m', 'model.npz', '--complete', './x.png', '--rows', 3, '-o', 'x.png'], ['overwritten']),
    (['-m', 'model.npz', '--complete', 'text', '--rows', 3, '--height', 4], ['--complete']),
    ([], ['--model']), (['-m', 'nowhere.npz'], ['nowhere.npz']), (['-m', 'text'], ['text']),
    (['-m', 'images.npz'], ['images.npz', 'no model']),
    (['-m', 'model.npz', '-o', 'a.gif'], ['a.gif', '.png']),
    (['-m', 'model.npz', '-o', 'nowhere/a.png'], ['nowhere']),
    (['-m', 'model.npz', '-c', 0], ['--count']), (['-m', 'model.npz', '--height', 0], ['--height']),
    (['-m', 'model.npz', '--gpu', 99], ['--gpu -1'])])
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
        result = command('generate.py', '-m', 'out/model.npz', '--seed', 0, '-c', 2, *options)
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
