import itertools
import json
import math
import os

import numpy as np
import pytest
from chainer.backends import cuda
from PIL import Image

import wavenet
from helpers import DATA
from wavenet import evaluate, likelihood, models, sampling, serialization, utils
from wavenet.commands import evaluate as evaluate_command
from wavenet.data import load
from wavenet.data.images import ImageDataset
from wavenet.data.load import load_dataset
from wavenet.data.pixels import INTENSITY

NAME = 'python -m wavenet.evaluate'


def dataset_of(labels, levels, classes=None):
    """An ImageDataset of labels, (N, C, H, W) from 0 to levels - 1"""
    bins = utils.quantize(INTENSITY, levels)
    bytes_of_labels = np.searchsorted(bins, np.arange(levels)).astype('u1')
    classes = np.zeros(len(labels), 'i') if classes is None else classes
    dataset = ImageDataset(bytes_of_labels[labels], classes, labels.shape[1], levels)
    assert (dataset.batch(range(len(labels)))[1] == labels).all()
    return dataset


def all_images(levels, shape):
    """(levels ** (C · H · W), C, H, W)"""
    return np.array(list(itertools.product(range(levels), repeat=math.prod(shape)))).reshape(
        (-1,) + shape)


# A model, the size of its pictures, and their class
TINY = {
    'post, grayscale, softmax': ('post', dict(in_channels=1, out_dims=3), (1, 3, 2), 0),
    'post, grayscale, sigmoid': ('post', dict(in_channels=1, out_dims=1), (1, 3, 3), 0),
    'post, colour, softmax': ('post', dict(in_channels=3, out_dims=2), (3, 2, 2), 0),
    'post, colour, 3 levels': ('post', dict(in_channels=3, out_dims=3), (3, 1, 2), 0),
    'post, colour, sigmoid': ('post', dict(in_channels=3, out_dims=1), (3, 2, 2), 0)}
TINY.update({
    f'gated, {form}, {channels} channels, {out_dims} logits': (
        'gated', dict(in_channels=channels, out_dims=out_dims, form=form, num_classes=3), shape, 2)
    for form in ('author', 'paper')
    for channels, out_dims, shape in ((1, 3, (1, 3, 2)), (1, 1, (1, 3, 3)), (3, 2, (3, 2, 2)),
                                      (3, 1, (3, 2, 2)))})


@pytest.fixture(params=sorted(TINY))
def tiny(request, random_model, random_gated_model):
    """(model, all images as a data set, shape, class)"""
    kind, sizes, shape, label = TINY[request.param]
    model = (random_model if kind == 'post' else random_gated_model)(**sizes)
    levels = max(model.out_dims, 2)
    labels = all_images(levels, shape)
    everything = dataset_of(labels, levels, np.full(len(labels), label))
    x, _, classes = everything.batch(range(len(labels)))
    spread = model(x, classes).array.std()
    for param in model.conv4.params():
        param.array *= 1.5 / spread  # far from uniform, and from certain
    return model, everything, shape, label


# The likelihood is right

def test_the_probabilities_of_all_images_sum_to_1(tiny, device):
    model, everything, _, _ = tiny
    model.to_device(device)
    everything.to_device(device)
    p = np.exp(-evaluate.image_nats(model, everything))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p.max() > 10 * p.mean()  # and are not all the same


def test_samples_have_the_models_entropy(tiny, device):
    model, everything, shape, label = tiny
    model.to_device(device)
    everything.to_device(device)
    nats = evaluate.image_nats(model, everything)
    entropy = (np.exp(-nats) * nats).sum()
    deviation = ((np.exp(-nats) * nats ** 2).sum() - entropy ** 2) ** 0.5
    count = 4000
    labels = None if not model.num_classes else np.full(count, label)
    samples = sampling.generate(model, (count,) + shape, seed=0, class_ids=labels)
    levels = max(model.out_dims, 2)
    drawn = dataset_of(np.rint(cuda.to_cpu(samples) * (levels - 1)).astype('i'), levels,
                       np.full(count, label))
    drawn.to_device(device)
    result = evaluate.likelihood(model, drawn)
    assert abs(result.nats - entropy) < 4 * result.nats_error
    assert result.nats_error == pytest.approx(deviation / count ** 0.5, rel=0.1)


@pytest.mark.parametrize('levels', [2, 3, 4, 8, 100, 256])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('kind', ['post', 'gated'])
def test_a_uniform_model_has_log2_levels_bits(random_model, random_gated_model, levels, channels,
                                              kind):
    make = random_model if kind == 'post' else random_gated_model
    images = np.random.RandomState(0).randint(0, levels, (10, channels, 7, 5))
    for out_dims in [1, 2] if levels == 2 else [levels]:
        model = make(channels, out_dims=out_dims)
        model.conv4.W.array[...] = 0
        model.conv4.b.array[...] = 0 if out_dims == 1 else 0.1
        result = evaluate.likelihood(model, dataset_of(images, levels))
        assert result.bits_per_dim == pytest.approx(math.log2(levels), abs=1e-6)
        assert result.nats == pytest.approx(channels * 35 * math.log(levels), rel=1e-6)
        assert result.nats_error < 1e-9 and result.bits_per_dim_error < 1e-9


@pytest.mark.parametrize('out_dims', [1, 2, 4])
def test_it_is_the_loss_of_training(random_model, random_gated_model, out_dims):
    random = np.random.RandomState(0)
    levels = max(out_dims, 2)
    dataset = dataset_of(random.randint(0, levels, (23, 3, 4, 5)), levels, np.arange(23) % 10)
    for make in (random_model, random_gated_model):
        model = make(out_dims=out_dims)
        expected = float(models.Classifier(model)(*dataset.batch(range(23))).array)
        for batchsize in (1, 10, 23, 100):
            result = evaluate.likelihood(model, dataset, batchsize)
            assert result.images == 23
            assert result.nats == pytest.approx(expected, rel=1e-5)
            assert result.bits_per_dim == pytest.approx(expected / (60 * math.log(2)), rel=1e-5)


def test_large_logits_are_no_trouble(random_model):
    model = random_model(1, out_dims=1)
    dataset = dataset_of(np.ones((2, 1, 2, 2), 'i'), 2)
    model.conv4.W.array[...] = 0
    for bias, nats in ((1000, 0), (-1000, 4000)):
        model.conv4.b.array[...] = bias
        assert evaluate.likelihood(model, dataset).nats == pytest.approx(nats)
    model.conv4.b.array[...] = np.inf
    with np.errstate(invalid='ignore'), pytest.raises(ValueError, match='not finite'):
        evaluate.likelihood(model, dataset)


# Draws and errors

def binarized(count=6, size=4):
    intensities = np.random.RandomState(0).randint(0, 256, (count, 1, size, size)).astype('u1')
    return ImageDataset(intensities, np.zeros(count), 1, 2, binarize=True)


def test_each_draw_is_another_and_an_image_counts_once(random_model):
    model = random_model(1, out_dims=2)
    dataset = binarized()
    nats = np.array([evaluate.image_nats(model, dataset, number=n) for n in range(4)])  # (4, 6)
    assert len(np.unique(nats)) == nats.size
    static = evaluate.likelihood(model, dataset)
    assert static.nats == pytest.approx(nats[0].mean())
    assert static.nats_error == pytest.approx(nats[0].std(ddof=1) / 6 ** 0.5)
    dynamic = evaluate.likelihood(model, dataset, draws=3)
    means = nats[1:].mean(axis=0)
    assert dynamic.images == 6
    assert dynamic.nats == pytest.approx(means.mean())
    assert dynamic.nats_error == pytest.approx(means.std(ddof=1) / 6 ** 0.5)
    for result in (static, dynamic):
        assert result.bits_per_dim_error / result.bits_per_dim == pytest.approx(
            result.nats_error / result.nats)


def test_the_error_is_what_the_means_of_test_sets_scatter(random_model):
    model = random_model(1, hidden_dims=4, block_num=1, out_dims=2)
    random = np.random.RandomState(0)
    results = []
    for _ in range(100):
        images = random.randint(0, 256, (50, 1, 3, 3)).astype('u1')
        dataset = ImageDataset(images, np.zeros(50, 'i'), 1, 2, binarize=True,
                                        seed=(random.randint(2 ** 31),))
        results.append(evaluate.likelihood(model, dataset, draws=2))
    scatter = np.std([result.nats for result in results])
    assert np.mean([result.nats_error for result in results]) == pytest.approx(scatter, rel=0.2)


def test_one_image_has_no_error(random_model):
    result = evaluate.likelihood(random_model(1, out_dims=2), binarized(1), draws=3)
    assert result.images == 1 and result.nats > 0
    assert math.isnan(result.nats_error) and math.isnan(result.bits_per_dim_error)


@pytest.mark.parametrize('sizes', [dict(in_channels=3), dict(out_dims=3), dict(out_dims=1)])
def test_a_data_set_that_does_not_fit(random_model, sizes):
    dataset = dataset_of(np.zeros((2, 1, 3, 3), 'i'), 4)
    with pytest.raises(ValueError, match='4 and 1'):
        evaluate.likelihood(random_model(**dict(dict(in_channels=1, out_dims=4), **sizes)), dataset)


def test_classes_that_the_model_does_not_have(random_gated_model):
    dataset = dataset_of(np.zeros((2, 1, 3, 3), 'i'), 4, np.array([0, 5]))
    with pytest.raises(ValueError, match='classes 0 to 4, the images 0 to 5'):
        evaluate.likelihood(random_gated_model(1, num_classes=5), dataset)


# The command

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


# Without classes

def test_the_mean_over_the_classes(random_gated_model, device):
    """Probabilities are averaged, not logits, and so they still sum to 1."""
    model = random_gated_model(1, out_dims=3, num_classes=3)
    model.to_device(device)
    dataset = dataset_of(all_images(3, (1, 2, 2)), 3)
    dataset.to_device(device)
    of_class = []
    for k in (0, 2):
        dataset.class_ids[...] = k
        of_class.append(np.exp(-likelihood.image_nats(model, dataset, batchsize=7)))
    nats = likelihood.image_nats(model, dataset, batchsize=20, classes=[0, 2])
    np.testing.assert_allclose(np.exp(-nats), np.mean(of_class, axis=0), rtol=1e-5)
    assert math.fsum(np.exp(-nats)) == pytest.approx(1, abs=1e-6)


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


# The nats of each pixel

@pytest.mark.parametrize('classes', [None, [0, 2]])
def test_the_nats_of_the_pixels_sum_to_those_of_the_image(random_gated_model, device, classes):
    model = random_gated_model(3, out_dims=4, num_classes=3)
    model.to_device(device)
    labels = np.random.RandomState(0).randint(0, 4, (5, 3, 4, 5))
    dataset = dataset_of(labels, 4, np.arange(5) % 3)
    dataset.to_device(device)
    nats = likelihood.pixel_nats(model, dataset, np.arange(5), classes)
    assert nats.shape == (5, 4, 5)
    np.testing.assert_allclose(nats.sum(axis=(1, 2)), likelihood.image_nats(
        model, dataset, classes=classes), rtol=1e-6)


def test_the_nats_of_a_pixel_are_those_of_its_values(random_model):
    model = random_model(1, out_dims=4)
    labels = np.random.RandomState(0).randint(0, 4, (1, 1, 3, 2))
    nats = likelihood.pixel_nats(model, dataset_of(labels, 4), [0])
    logits = model(labels.astype('f') / 3).array[0, :, 0].astype('d')   # (levels, H, W)
    log_p = logits - np.log(np.exp(logits).sum(axis=0))
    for (i, j), level in np.ndenumerate(labels[0, 0]):
        assert nats[0, i, j] == pytest.approx(-log_p[level, i, j], rel=1e-5)


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
