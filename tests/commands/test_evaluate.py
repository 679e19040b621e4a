"""The command python -m wavenet.evaluate."""
import json
import os

import numpy as np
import pytest
from PIL import Image

import wavenet
from helpers import DATA
from wavenet import evaluate, serialization
from wavenet.commands import evaluate as evaluate_command
from wavenet.data import load
from wavenet.data.load import load_dataset

NAME = 'python -m wavenet.evaluate'


@pytest.fixture
def run(command, tmp_path, monkeypatch):
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *args: command('-m', 'wavenet.evaluate', *args)


def rows(stdout):
    """{first word of a line: its last four, numbers}"""
    lines = [line.split() for line in stdout.splitlines()[2:]]
    return {words[0]: [float(word) if word != '-' else None for word in words[-4:]]
            for words in lines}


def test_the_three_binarizations(run, train, images, tmp_path):
    assert train('--binarize', '--epoch', 1).returncode == 0
    status, stdout, stderr = run('--model', 'out/model.npz', '--dataset', images, '--draws', 3)
    assert (status, stderr) == (0, '')
    first = stdout.splitlines()[0]
    assert first.startswith('PixelCNN, trained for 3 iterations with --binarize; test images of ')
    assert first.endswith('.npz: 10, 5×4, grayscale, 2 levels')
    assert 'dynamic: 3 samples of each image' in stdout
    assert 'static: one sample, of seed 0' in stdout
    measured = rows(stdout)
    assert list(measured) == ['threshold:', 'static:', 'dynamic:']
    # The static draw is that of training's tests
    entry = json.loads((tmp_path / 'out/log').read_text())[-1]
    assert measured['static:'][0] == pytest.approx(entry['validation/main/nll'], abs=0.006)
    assert measured['static:'][2] == pytest.approx(entry['validation/main/bits/dim'], abs=6e-5)
    model = serialization.load_model('out/model.npz')
    for way, drawn, draws in (('threshold:', False, None), ('static:', True, None),
                              ('dynamic:', True, 3)):
        _, test = load_dataset(images, 1, binarize=drawn)
        expected = evaluate.likelihood(model, test, draws=draws)
        assert measured[way] == [round(expected.nats, 2), round(expected.nats_error, 2),
                                 round(expected.bits_per_dim, 4),
                                 round(expected.bits_per_dim_error, 4)]
    status, stdout, _ = run('--model', 'out/model.npz', '--dataset', images, '--test_limit', 1,
                            '--binarization', 'threshold')
    assert status == 0 and list(rows(stdout)) == ['threshold:']
    assert rows(stdout)['threshold:'][1::2] == [None, None]


def test_more_levels_are_quantized(run, train, images, tmp_path):
    assert train('--levels', 4, '--epoch', 1).returncode == 0
    status, stdout, stderr = run('--model', 'out/model.npz', '--dataset', images)
    assert (status, stderr) == (0, '')
    assert stdout.startswith(
        'PixelCNN, trained for 3 iterations; test')
    assert list(rows(stdout)) == ['quantized'] and 'quantized to 4 levels' in stdout
    entry = json.loads((tmp_path / 'out/log').read_text())[-1]
    assert rows(stdout)['quantized'][0] == pytest.approx(entry['validation/main/nll'], abs=0.006)


@pytest.mark.parametrize('name', ['author_pixelcnn_2', 'author_snapshot_iter_2', 'author_gated_2'])
def test_the_authors_files_can_be_measured(run, name):
    status, stdout, stderr = run('--model', os.path.join(DATA, name), '--dataset', 'digits',
                                 '--test_limit', 20)
    assert (status, stderr) == (0, '')
    assert '; test images of digits: 20, 8×8, RGB, 4 levels' in stdout
    assert 1 < rows(stdout)['quantized'][2] < 3


@pytest.mark.parametrize('args, words', [
    ([], ['--dataset']), (['--dataset', 'nothing'], ['--dataset nothing: unknown']),
    (['--dataset', 'digits'], ['--model model.npz: it is for images of 5×4', 'digits are 8×8']),
    (['--dataset', 'images.npz', '--model', 'nowhere'], ['--model nowhere: there']),
    (['--dataset', 'images.npz', '--test-limit', 0], ['argument --test-limit: ', 'got 0']),
    (['--dataset', 'images.npz', '--per-image', 'nowhere/a.csv'], ['--per-image nowhere/a.csv: ']),
    (['--dataset', 'images.npz', '--per_image=nowhere/a'], ['--per_image nowhere/a: ']),
    (['--dataset', 'images.npz', '--map', 'a.jpg'], ['--map a.jpg: the ending must be .png']),
    (['--dataset', 'images.npz', '--model', 'images.npz'], ['images.npz', 'no model']),
    (['--dataset', 'images.npz', '--binarization', 'static'], ['--binarization', '2 levels', '4']),
    (['--dataset', 'images.npz', '--binarization', 'other'], ['--binarization', 'other']),
    (['--dataset', 'images.npz', '--draws', 0], ['--draws']),
    (['--dataset', 'images.npz', '--data', '.'], ['--data']),
    (['--dataset', 'images.npz', '--gpu', 99], ['--gpu 99', '--gpu -1']),
    (['--dataset', 'classes.npz'], ['the model has classes 0 to 1, the images 0 to 3']),
    (['--dataset', 'images.npz'], ['images.npz: it has no classes', '--marginal'])])
def test_a_users_mistake(run, images, tmp_path, random_gated_model, args, words):
    np.savez('classes.npz', test_y=np.full(10, 3), **np.load('images.npz'))
    serialization.save_model('model.npz', random_gated_model(1, num_classes=2), height=4, width=5)
    status, stdout, stderr = run('--model', 'model.npz', *args)
    assert status == 2 and stderr.count('\n') == 1
    assert stderr.startswith(NAME + ': error: ')
    for word in words:
        assert word in stderr
    assert stdout == ''


def test_help():
    parser = evaluate_command.make_parser()
    assert parser.format_help().isascii()
    assert all(len(action.help) > 10 for action in parser._actions)


def test_a_batch_of_all_images_is_none_too_large(run, images, random_model):
    serialization.save_model('model.npz', random_model(1))
    status, _, stderr = run('--model', 'model.npz', '--dataset', images, '--batchsize', 10 ** 30)
    assert (status, stderr) == (0, '')


# What is measured

@pytest.fixture
def digits_model(command, tmp_path, monkeypatch):
    """A small model of the embedded digits with their classes, hardly trained, in out/model.npz;
    the pixels and classes of 40 test digits."""
    result = command('train.py', '--model', 'gated', '--dataset', 'digits', '--channels', 1,
                     '--levels', 8, '-d', 2, '-n', 1, '--learning_rate', 0.03, '--iteration', 20,
                     '--batchsize', 32)
    assert result.returncode == 0, result.stderr
    monkeypatch.chdir(tmp_path)
    images = load.read('digits').test
    return images.pixels[:40, 0], images.class_ids[:40]


def nats_of(command, dataset):
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', dataset)
    assert result.returncode == 0, result.stderr
    return float(result.stdout.splitlines()[-1].split()[-4]), result.stdout


def write_folders(folder, pixels, names):
    for n, (image, name) in enumerate(zip(pixels, names)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name / f'{n:03}.png')


def test_all_that_is_given_is_measured_with_classes_by_name(command, tmp_path, digits_model):
    pixels, class_ids = digits_model
    np.savez(tmp_path / 'test_only.npz', test_x=pixels, test_y=class_ids)
    expected, text = nats_of(command, 'test_only.npz')
    assert 'test_only.npz: 40, 8×8' in text
    write_folders(tmp_path / 'mine', pixels, class_ids.astype(str))
    assert nats_of(command, 'mine')[0] == expected
    # Folders of some of the classes, whose numbers by order would be others
    some = np.isin(class_ids, [3, 7])
    np.savez(tmp_path / 'some.npz', test_x=pixels[some], test_y=class_ids[some])
    write_folders(tmp_path / 'some', pixels[some], class_ids[some].astype(str))
    assert nats_of(command, 'some')[0] == nats_of(command, 'some.npz')[0]
    np.savez(tmp_path / 'wrong.npz', test_x=pixels[some], test_y=(class_ids[some] == 7) * 1)
    assert nats_of(command, 'some')[0] != nats_of(command, 'wrong.npz')[0]


def test_a_class_that_the_model_does_not_know_is_named(command, tmp_path, digits_model):
    pixels, _ = digits_model
    write_folders(tmp_path / 'mine', pixels[:4], ['3', '3', 'three', 'three'])
    np.savez(tmp_path / 'without.npz', test_x=pixels)
    for dataset, words in (('mine', ["has no class 'three'; it has 0, 1, 2"]),
                           ('without.npz', ['it has no classes, and the model has 10'])):
        result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', dataset)
        assert result.returncode == 2 and result.stderr.count('\n') == 1
        assert all(word in result.stderr for word in words)


def test_one_image_is_measured(train, command, tmp_path):
    assert train('--iteration', 1, '--levels', 4).returncode == 0
    image = np.arange(20, dtype='u1').reshape(4, 5) * 12
    Image.fromarray(image).save(tmp_path / 'one.png')
    np.savez(tmp_path / 'one.npz', test_x=image[None])
    assert nats_of(command, 'one.png')[0] == nats_of(command, 'one.npz')[0]


def test_the_nats_of_each_image(command, tmp_path, digits_model):
    pixels, class_ids = digits_model
    np.savez(tmp_path / 'some.npz', test_x=pixels, test_y=class_ids)
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'some.npz',
                     '--per_image', 'nats.csv', '--batchsize', 7)
    assert result.returncode == 0 and result.stdout.endswith('nats.csv\n')
    header, *rows = (line.split(',') for line in (tmp_path / 'nats.csv').read_text().splitlines())
    assert header == ['image', 'class', 'quantized']
    assert [row[:2] for row in rows] == [[str(n), str(k)] for n, k in enumerate(class_ids)]
    expected = -wavenet.load('out/model.npz').log_prob(pixels, class_ids.astype('i'))
    np.testing.assert_allclose([float(row[2]) for row in rows], expected, rtol=1e-5)
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'some.npz',
                     '--per_image', 'nowhere/nats.csv')
    assert result.returncode == 2 and 'nowhere: this folder does not exist' in result.stderr


def test_images_without_classes_are_measured_with_marginal(command, tmp_path, digits_model):
    pixels, class_ids = digits_model
    np.savez(tmp_path / 'without.npz', test_x=pixels)
    np.savez(tmp_path / 'with.npz', test_x=pixels, test_y=class_ids)
    options = ['-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--marginal', '--dataset']
    result = command(*options, 'without.npz', '--per_image', 'nats.csv')
    assert result.returncode == 0, result.stderr
    assert 'mean over all classes' in result.stdout
    rows = [line.split(',') for line in (tmp_path / 'nats.csv').read_text().splitlines()[1:]]
    model = wavenet.load('out/model.npz')
    p = np.mean([np.exp(model.log_prob(pixels, k)) for k in range(10)], axis=0)
    np.testing.assert_allclose([float(row[2]) for row in rows], -np.log(p), rtol=1e-5)
    assert command(*options, 'with.npz').stdout.replace('with.npz', 'without.npz') == \
        command(*options, 'without.npz').stdout


def test_images_are_classified_by_bayes_rule(command, tmp_path, digits_model):
    pixels, class_ids = digits_model
    np.savez(tmp_path / 'some.npz', test_x=pixels, test_y=class_ids)
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'some.npz',
                     '--classify')
    assert result.returncode == 0, result.stderr
    model = wavenet.load('out/model.npz')
    best = np.argmax([model.log_prob(pixels, k) for k in range(10)], axis=0)
    right = (best == class_ids).sum()
    assert 4 < right < 40      # the test can fail
    assert result.stdout.splitlines()[-1].startswith(
        f"class by Bayes' rule: {right} of 40 right, {100 * right / 40:.1f} % (standard error ")


def test_marginal_is_for_models_with_classes(train, command, images):
    assert train('--iteration', 1, '--model', 'gated').returncode == 0
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', images,
                     '--marginal')
    assert result.returncode == 2 and '--marginal is for models with classes' in result.stderr


def test_a_model_that_was_trained_without_the_classes(command, tmp_path, monkeypatch):
    result = command('train.py', '--model', 'gated', '--dataset', 'digits', '--channels', 1, '-d',
                     2, '-n', 1, '--iteration', 2, '--unconditional')
    assert result.returncode == 0, result.stderr
    monkeypatch.chdir(tmp_path)
    model = wavenet.load('out/model.npz')
    assert model.num_classes == 0 and model.class_names is None
    # All that an unconditional model can do goes without classes
    images = model.sample(3, seed=0)
    assert model.log_prob(images).shape == (3,)
    result = command('generate.py', '-m', 'out/model.npz', '--count', 3, '--seed', 0, '--scale', 1)
    assert result.returncode == 0
    with Image.open(tmp_path / 'samples.png') as image:
        assert image.size == (24, 24)
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'digits')
    assert result.returncode == 0 and 'conditioned' not in result.stdout
    result = command('generate.py', '-m', 'out/model.npz', '--label', 0)
    assert result.returncode == 2 and 'no classes' in result.stderr


def test_a_map(command, tmp_path, digits_model):
    pixels, class_ids = digits_model
    np.savez(tmp_path / 'some.npz', test_x=pixels, test_y=class_ids)
    options = ['-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'some.npz']
    result = command(*options, '--map', 'map.png')
    assert result.returncode == 0 and result.stdout.endswith('map.png\n')
    with Image.open(tmp_path / 'map.png') as image:
        assert image.format == 'PNG' and len(np.unique(image)) > 50
    result = command(*options, '--map', 'nowhere/map.png')
    assert result.returncode == 2 and 'nowhere: this folder does not exist' in result.stderr
