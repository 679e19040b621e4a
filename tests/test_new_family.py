"""A new family is one new place: this file adds one, and all commands know it."""
from dataclasses import dataclass

import chainer
import chainer.functions as F
import numpy as np
import pytest
from PIL import Image

from wavenet import distributions, serialization
from wavenet.config import Config, size
from wavenet.families import registry
from wavenet.families.family import Family, Option, Recipe
from wavenet.models import MaskedConvolution2D

# The whole family, as docs/architecture.md shows it

@dataclass(frozen=True)
class ToyConfig(Config):
    in_channels: int = size()
    reach: int = size()
    levels: int = size(least=2)


class Toy(chainer.Chain):
    """One masked convolution: logits are a linear function of the values before."""

    family = 'toy'
    num_classes = 0

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.in_channels = config.in_channels
        self.distribution = distributions.Categorical(config.levels)
        with self.init_scope():
            self.conv = MaskedConvolution2D(
                config.in_channels, config.levels * config.in_channels, 2 * config.reach + 1,
                pad=config.reach, mask='A', colors=config.in_channels)

    def forward(self, x, class_ids=None):
        batch, channels, height, width = x.shape
        return F.reshape(self.conv(x), (batch, self.config.levels, channels, height, width))


def shapes(config):
    outputs, ksize = config.levels * config.in_channels, 2 * config.reach + 1
    return {'conv/W': (outputs, config.in_channels, ksize, ksize), 'conv/b': (outputs,)}


TOY = Family(
    name='toy', title='A toy', config=ToyConfig, build=Toy, shapes=shapes,
    configure=lambda args, num_classes: ToyConfig(args.channels, args.reach, args.levels),
    options=(Option(('--reach',), 2, 'pixels that are seen in each direction'),),
    recipe=Recipe(learning_rate=0.01, batchsize=8))


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(registry.FAMILIES, 'toy', TOY)


def test_train_generate_and_evaluate(command, tmp_path):
    result = command('train.py', '--model', 'toy', '--reach', 1, '--dataset', 'digits',
                     '--levels', 4, '--channels', 1, '--iteration', 20, '--interval', 10)
    assert result.returncode == 0, result.stderr
    model = serialization.load_model(str(tmp_path / 'out/model.npz'))
    assert isinstance(model, Toy) and model.config == ToyConfig(1, 1, 4)
    assert model.about['model'] == 'toy' and model.about['batchsize'] == 8
    assert model.about['learning_rate'] == 0.01

    result = command('generate.py', '--model', 'out/model.npz', '--count', 2, '--seed', 0,
                     '--scale', 1)
    assert (result.returncode, result.stdout) == (0, 'samples.png\n'), result.stderr
    with Image.open(str(tmp_path / 'samples.png')) as image:
        assert image.size == (16, 16) and len(np.unique(image)) > 1
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'digits')
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('A toy, trained for 20 iterations')


def test_its_options_are_its_own(command):
    result = command('train.py', '--model', 'toy', '--hidden_dim', 3)
    assert result.returncode == 2
    assert result.stderr == ('train.py: error: --hidden_dim is for --model pixelcnn, gated, '
                             'rowlstm, diagonal_bilstm, made and wavenet\n')
    result = command('train.py', '--reach', 3)
    assert result.returncode == 2
    assert result.stderr == 'train.py: error: --reach is for --model toy\n'
    result = command('train.py', '--model', 'toy', '--labels')
    assert result.returncode == 2      # it takes intensities only
    assert result.stderr == ('train.py: error: --labels is for --model pixelcnn, gated, '
                             'rowlstm and diagonal_bilstm\n')
    result = command('train.py', '--help')
    assert 'pixels that are seen in each direction' in ' '.join(result.stdout.split())


def test_a_training_goes_on_only_with_the_same_sizes(command):
    options = ['train.py', '--model', 'toy', '--dataset', 'digits', '--channels', 1, '--levels', 4,
               '--test_limit', 10]
    assert command(*options, '--reach', 1, '--iteration', 1).returncode == 0
    result = command(*options, '--reach', 2, '--iteration', 2, '--resume', 'auto')
    assert result.returncode == 2
    assert 'it is of another architecture: reach 1 (here 2)' in result.stderr


def test_a_training_goes_on_only_with_the_same_family(command, monkeypatch):
    """The other family has the same parameters, so only the settings tell them apart."""
    monkeypatch.setitem(registry.FAMILIES, 'twin', Family(**dict(vars(TOY), name='twin')))
    options = ['train.py', '--reach', 1, '--dataset', 'digits', '--channels', 1, '--levels', 4,
               '--test_limit', 10]
    assert command(*options, '--model', 'toy', '--iteration', 1).returncode == 0
    snapshot = 'out/snapshot_iter_1'
    monkeypatch.setattr(Toy, 'family', 'twin')
    result = command(*options, '--model', 'twin', '--iteration', 2, '--resume', snapshot)
    assert result.returncode == 2
    assert 'it was trained with model toy (here twin)' in result.stderr


def test_preparation_comes_before_the_first_step(command, monkeypatch, tmp_path):
    batches = []

    def prepare(model, batch):
        batches.append(batch)
        model.conv.b.array[...] = 7

    monkeypatch.setitem(registry.FAMILIES, 'toy', Family(**dict(vars(TOY), prepare=prepare)))
    options = ['train.py', '--model', 'toy', '--dataset', 'digits', '--channels', 1, '--levels', 4,
               '--average', 0.9, '--learning_rate', 0.1]
    for iteration in (1, 40):        # the second run goes on from the first one
        result = command(*options, '--iteration', iteration, '--resume', 'auto')
        assert result.returncode == 0, result.stderr
        model = serialization.load_model(str(tmp_path / 'out/model.npz'))
        moved = abs(model.conv.b.array - 7).max()
        assert (moved < 0.2) == (iteration == 1)
    x, targets, class_ids = batches[0]
    assert x.shape == targets.shape == (8, 1, 8, 8) and class_ids.shape == (8,)
