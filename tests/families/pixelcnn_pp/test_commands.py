"""The commands with a PixelCNN++: options, files of openai's variables, draws without rounding."""
import numpy as np
import pytest

from families.pixelcnn_pp.test_model import images, random_model
from families.pixelcnn_pp.test_references import openai  # noqa: F401  a fixture
from helpers import check_error
from wavenet import sampling, serialization
from wavenet.commands import train
from wavenet.families import registry

SMALL = ['--model', 'pixelcnn++', '--dataset', 'digits', '--channels', 1, '--nr_resnet', 1,
         '--nr_filters', 4, '--nr_logistic_mix', 2, '--test_limit', 8]


def parse(*words):
    return train.make_parser().parse_args(['--model', 'pixelcnn++', *words])


def test_names_and_defaults_are_openais():
    args = parse()
    assert (args.nr_resnet, args.nr_filters, args.nr_logistic_mix) == (5, 160, 10)
    assert (args.resnet_nonlinearity, args.dropout, args.levels) == ('concat_elu', 0.5, 256)
    assert (args.learning_rate, args.lr_decay, args.average) == (0.001, 0.999995, 0.9995)
    assert parse('--dropout_p', '0.1').dropout == 0.1
    assert parse('--polyak_decay', '0.9').average == 0.9
    family = registry.get('pixelcnn++')
    assert family.configure(args, 10).num_classes == 0
    assert family.configure(parse('--class_conditional'), 10).num_classes == 10


@pytest.mark.parametrize('words', [
    ['--loss', 'sigmoid', '--levels', 2], ['--labels', '--levels', 4], ['--hidden_dim', 4],
    ['--resnet_nonlinearity', 'tanh'], ['--nr_filters', 0]])
def test_options_that_do_not_fit(command, words):
    check_error(command('train.py', *SMALL, *words), words[0])


def test_a_model_too_large_for_the_memory_is_told_its_sizes(command):
    result = command('train.py', *SMALL, '--nr_filters', 100000)
    check_error(result, 'a smaller --nr_resnet or --nr_filters or --nr_logistic_mix\n')


def test_a_conditional_model_from_training_to_completion(command, tmp_path):
    result = command('train.py', *SMALL, '--class_conditional', '--iteration', 2, '--samples', 2)
    assert result.returncode == 0, result.stderr
    for words in (['--label', 3], ['--complete', 'digits:0-1']):
        result = command('generate.py', '--model', 'out/model.npz', '--seed', 0, '--number', 2,
                         *words)
        assert (result.returncode, result.stdout) == (0, 'samples.png\n'), result.stderr
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'digits',
                     '--test_limit', 4, '--marginal', '--map', 'map.png')
    assert result.returncode == 0, result.stderr
    assert 'mean over all classes' in result.stdout


def test_openais_variables_are_a_model(command, tmp_path, openai):  # noqa: F811
    variables = {name[len('params/'):]: array for name, array in openai.items()
                 if name.startswith('params/')}
    np.savez(str(tmp_path / 'openai.npz'), **variables)
    result = command('generate.py', '--model', 'openai.npz', '--label', 1, '--number', 2,
                     '--height', 5, '--width', 6, '--seed', 0, '--output', 'samples.npz')
    assert result.returncode == 0, result.stderr
    with np.load(str(tmp_path / 'samples.npz')) as npz:
        assert npz['levels'].shape == (2, 5, 6, 3)
    pixels = np.zeros((4, 8, 8, 3), 'u1')
    np.savez(str(tmp_path / 'images.npz'), train_x=pixels, test_x=pixels,
             train_y=np.arange(4) % 3, test_y=np.arange(4) % 3)
    result = command('-m', 'wavenet.evaluate', '--model', 'openai.npz', '--dataset', 'images.npz')
    assert result.returncode == 0, result.stderr
    assert 'PixelCNN++, conditioned on the class' in result.stdout


def test_our_files_hold_openais_variables(tmp_path):
    model = random_model(num_classes=2)
    serialization.save_model(str(tmp_path / 'model.npz'), model)
    with np.load(str(tmp_path / 'model.npz')) as npz:
        names = set(npz.files) - {'config'}
        assert npz['conv2d_0/V'].shape == (2, 3, 4, 4)              # (kh, kw, in, out)
        assert npz['deconv2d_0/V'].shape == (2, 3, 4, 4) and npz['dense_0/V'].shape == (8, 4)
        assert npz['conditional_weights_0/hw'].shape == (2, 8)
    assert {name.split('/')[1] for name in names} == {'V', 'g', 'b', 'hw'}


@pytest.mark.parametrize('method', ['cached', 'naive'])
def test_raw_draws_are_between_the_levels(method):
    model = random_model(levels=4)
    shape = 3, 3, 4, 5
    raw = sampling.generate(model, shape, 0, method, raw=True)
    assert raw.dtype == np.float32 and raw.min() >= 0 and raw.max() <= 1
    assert (abs(raw * 3 - np.rint(raw * 3)) > 1e-3).mean() > 0.3
    rounded = sampling.generate(model, shape, 0, method)
    assert abs(rounded * 3 - np.rint(rounded * 3)).max() < 1e-6
    assert (np.rint(raw * 3) != np.rint(rounded * 3)).any()         # the next pixels see others
    first = np.rint(raw[:, 0, 0, 0] * 3) / 3                        # which no other is before
    assert abs(first - rounded[:, 0, 0, 0]).max() < 1e-6
    given = sampling.generate(model, shape, 0, method, given=(images(3, 3, 4, 5), 2), raw=True)
    assert abs(given[:, :, :2] * 3 - np.rint(given[:, :, :2] * 3)).max() < 1e-6


def test_raw_files(command, tmp_path):
    model = random_model(1)
    serialization.save_model(str(tmp_path / 'model.npz'), model, height=4, width=5)
    for name in ('raw.npy', 'raw.npz', 'raw.png'):
        result = command('generate.py', '--model', 'model.npz', '--number', 3, '--seed', 0, '--raw',
                         '--output', name)
        assert (result.returncode, result.stdout) == (0, f'{name}\n'), result.stderr
    values = np.load(str(tmp_path / 'raw.npy'))
    assert values.shape == (3, 4, 5) and values.dtype == np.float32
    assert len(np.unique(values)) > 30
    with np.load(str(tmp_path / 'raw.npz')) as npz:
        assert npz.files == ['values'] and (npz['values'] == values).all()
    result = command('generate.py', '--model', 'mnist', '--raw')
    check_error(result, '--raw', 'levels')
