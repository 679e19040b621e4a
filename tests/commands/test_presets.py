"""Named sets of options of train.py."""
import math

import pytest

from helpers import check_error
from wavenet import api
from wavenet.commands import presets, train
from wavenet.families import registry


@pytest.mark.parametrize('name', ['mnist', 'mnist-classes'])
def test_a_pretrained_model_is_of_its_preset(name):
    args = train.make_parser().parse_args(['--preset', name])
    model = api.load(name)
    for option in ('levels', 'channels', 'loss', 'batchsize', 'seed', 'average', 'learning_rate',
                   'lr_decay', 'clip', 'weight_decay', 'gradclip', 'dataset'):
        assert model.about[option] == getattr(args, option), option
    assert model.about['epoch'] == args.epoch
    family = registry.get(args.model)
    assert model.network.family == family.name
    assert model.config == family.configure(args, model.about.get('num_classes', 10))


def test_options_win_over_the_preset():
    parse = train.make_parser().parse_args
    args = parse(['--levels', '8', '--preset', 'mnist', '--dataset', 'digits'])
    assert (args.levels, args.dataset, args.hidden_dim) == (8, 'digits', 16)
    assert parse(['--preset', 'mnist']).levels == 4
    assert parse([]).hidden_dim == 128


@pytest.mark.parametrize('family', sorted(registry.FAMILIES))
def test_each_family_has_a_size_for_a_cpu(family):
    parse = train.make_parser().parse_args
    small, default = [parse(['--model', family, *words]) for words in (['--preset', 'cpu'], [])]
    shapes, configure = registry.get(family).shapes, registry.get(family).configure
    of_small, of_default = [sum(map(math.prod, shapes(configure(args, 10)).values()))
                            for args in (small, default)]
    assert small.model == family and of_small < of_default / 10


def test_help_lists_them(command):
    text = ' '.join(command('train.py', '--help').stdout.split())
    for name, (title, _) in presets.PRESETS.items():
        assert f'{name}: {title}' in text
    check_error(command('train.py', '--preset', 'huge'), '--preset', 'huge', 'cpu')
