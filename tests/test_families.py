"""What holds for every family: the tests run over the registry, so a new family gets them, too."""
import dataclasses
import itertools
import json

import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet import likelihood, sampling, serialization
from wavenet.commands import train
from wavenet.data.images import ImageDataset
from wavenet.families import registry

SIZE = 3            # of each option that is a number
SHAPE = 4, 5        # height and width of the images


def configs(name, channels, levels, labels=False):
    """Small configs of a family: one for each choice of each option that has choices, one more for
    each switch; none with `labels` if it takes intensities only, nor with 1 level, for a logit that
    a value is 1, if it has no such models."""
    if labels and not registry.get(name).takes_labels:
        return
    if levels == 1 and not registry.get(name).takes_loss:
        return
    numbers, choices = [], [()]
    for option in registry.get(name).options:
        flag = option.flags[0]
        if option.choices:
            choices = [words + (flag, choice) for words in choices for choice in option.choices]
        elif option.default is False:
            choices += [words + (flag,) for words in choices[:1]]
        else:
            numbers += [flag, str(max(SIZE, option.least))]
    loss = ['--loss', 'sigmoid', '--levels', '2'] if levels == 1 else ['--levels', str(levels)]
    if labels:
        numbers.append('--labels')
    for words in choices:
        args = train.make_parser().parse_args(
            ['--model', name, '--channels', str(channels), *loss, *numbers, *words])
        family = registry.get(name)
        yield family.fit(family.configure(args, num_classes=3), (channels, *SHAPE))


def random_model(config, family, seed=0):
    """A model of random weights and biases, all of which matter."""
    random = np.random.RandomState(seed)
    model = family.build(config)
    for _, param in sorted(model.namedparams()):
        scale = 0.1 if param.ndim == 1 else 1.5 * np.prod(param.shape[1:]) ** -0.5
        param.array[...] = random.normal(0, scale, param.shape)
    return model


CASES = [(name, config) for name in registry.FAMILIES
         for channels, levels, labels in ((1, 1, False), (1, 3, False), (3, 4, False),
                                          (1, 3, True), (3, 1, True), (3, 4, True))
         for config in configs(name, channels, levels, labels)]


@pytest.fixture(params=CASES, ids=lambda case: '-'.join(
    [case[0]] + [f'{value}' for value in case[1].to_json().values()]))
def model(request):
    name, config = request.param
    # With seed 0, the ReLUs of the few feature maps of some models of labels, and of the few units
    # of some models of images of one size, are all 0
    family = registry.get(name)
    return random_model(config, family, seed=2 if config.one_hot else 1 if family.is_sized else 0)


def of_size(model, height, width):
    """The model, for images of another size: another model where a family's are of one size."""
    family = registry.get(model.family)
    config = family.fit(model.config, (model.in_channels, height, width))
    return model if config == model.config else random_model(config, family)


def class_ids_of(model, batch):
    """Classes for a batch, int32, on the model's device; None for an unconditional model."""
    return model.xp.arange(batch, dtype='i') % model.num_classes if model.num_classes else None


def random_images(model, batch, seed=0):
    """Images of the model's levels, float32 (B, C, H, W)."""
    levels = model.distribution.levels
    targets = np.random.RandomState(seed).randint(0, levels, (batch, model.in_channels, *SHAPE))
    return (targets / (levels - 1)).astype('f')


def outputs_shape(model, batch):
    """Of the outputs for a batch of images: they are of pixels, or of each colour."""
    colours = () if model.distribution.of_pixels else (model.in_channels,)
    return (batch, model.distribution.outputs, *colours, *SHAPE)


def place_of(step):
    """The place of a step's outputs, an index of (C, H, W), or of (H, W) where it is a pixel."""
    row, column, *colour = step
    return (*colour, row, column)


def outputs_of(model, x):
    """The outputs for images, on the host."""
    with chainer.no_backprop_mode(), chainer.using_config('train', False):
        return cuda.to_cpu(model(model.xp.asarray(x), class_ids_of(model, len(x))).array)


def test_shapes_are_those_of_the_parameters(model):
    shapes = registry.get(model.family).shapes(model.config)
    assert shapes == {name[1:]: param.shape for name, param in model.namedparams()}


def test_the_outputs_fit_the_distribution(model):
    x = random_images(model, 2)
    outputs = outputs_of(model, x)
    assert outputs.shape == outputs_shape(model, 2)
    assert outputs.dtype == np.float32


def test_no_output_depends_on_its_own_or_a_later_value(model):
    """Bit for bit: each value is changed, one after the other."""
    x = random_images(model, 1)
    before = outputs_of(model, x)
    state = registry.get(model.family).plain(model, x, None)
    order = list(state.steps)
    places = [place_of(step) for step in order]
    assert len({*places}) == before[0, 0].size
    some_output_has_changed = False
    for number, step in enumerate(order):
        changed = x.copy()
        changed[0][state.place(step)] += 1                   # one colour, or all of a pixel
        differs = (outputs_of(model, changed) != before).any(axis=(0, 1))  # (C, H, W), or (H, W)
        for earlier in order[:number + 1]:
            assert not differs[place_of(earlier)], f'{earlier} sees {step}'
        some_output_has_changed |= differs.any()
    assert some_output_has_changed


def test_cached_equals_plain(model, device):
    family = registry.get(model.family)
    if family.cache is None:
        pytest.skip('this family has only the plain loop')
    model.to_device(device)
    shape = 5, model.in_channels, *SHAPE
    samples = sampling.generate(model, shape, seed=0)
    assert (samples == sampling.generate(model, shape, seed=0, method='naive')).all()


def test_cached_outputs_equal_those_of_the_network(model):
    """The samples could be equal by luck; the outputs for given values could not."""
    family = registry.get(model.family)
    if family.cache is None:
        pytest.skip('this family has only the plain loop')
    x = random_images(model, 3)
    expected = outputs_of(model, x)
    state = family.cache(model, x.copy(), class_ids_of(model, len(x)), 1)
    for step in state.steps:
        there = expected[(slice(None), slice(None), *place_of(step))]
        difference = abs(state.outputs(step) - there).max()
        assert difference <= 1e-5 * max(1, abs(expected).max())
        state.put(step, x[(slice(None), *state.place(step))])


def test_given_rows_stay_and_the_rest_is_as_without_a_cache(model):
    shape = 3, model.in_channels, *SHAPE
    images = random_images(model, 3, seed=1)
    samples = [sampling.generate(model, shape, 0, method, given=(images, 2))
               for method in ('cached', 'naive')]
    assert (samples[0] == samples[1]).all()
    assert (samples[0][:, :, :2] == images[:, :, :2]).all()


def test_any_pixels_stay_and_the_rest_is_as_without_a_cache(model):
    shape = 3, model.in_channels, *SHAPE
    images = random_images(model, 3, seed=1)
    mask = np.random.RandomState(2).rand(*SHAPE) < 0.5
    samples = [sampling.generate(model, shape, 0, method, given=(images, mask), temperature=0.7)
               for method in ('cached', 'naive')]
    assert (samples[0] == samples[1]).all()
    assert (samples[0][:, :, mask] == images[:, :, mask]).all()
    assert (samples[0][:, :, ~mask] != images[:, :, ~mask]).any()
    rows = np.arange(SHAPE[0])[:, None] < np.full(SHAPE[1], 2)
    by_mask, by_rows = [sampling.generate(model, shape, 0, given=(images, kept))
                        for kept in (rows, 2)]
    assert (by_mask == by_rows).all()


def test_a_temperature_divides_the_logits(model):
    shape = 4, model.in_channels, *SHAPE
    expected = sampling.generate(model, shape, 0, temperature=0.5)
    assert (expected != sampling.generate(model, shape, 0)).any()
    if model.distribution.of_pixels:                       # it is not only the logits that change
        return
    for parameter in last_layer(model):                    # it makes the logits
        parameter.array *= 2
    assert (sampling.generate(model, shape, 0) == expected).all()


def last_layer(model):
    """The parameters of which the logits are a linear function: of the convolution conv4, or of the
    last of MADE's layers and its direct connections."""
    last = ['/conv4/', '/direct/', f'/layers/{len(getattr(model, "layers", ())) - 1}/']
    return [param for name, param in model.namedparams() if name.startswith(tuple(last))]


@pytest.mark.parametrize('wrong', [
    dict(temperature=0), dict(temperature=-1), dict(temperature=float('nan')),
    dict(given=(0, np.ones((1, 1), bool))), dict(given=(0, np.ones(SHAPE)))])
def test_a_wrong_temperature_or_mask_is_an_error(model, wrong):
    if 'given' in wrong:
        wrong = dict(given=(random_images(model, 2), wrong['given'][1]))
    with pytest.raises(ValueError, match='temperature|values that are kept'):
        sampling.generate(model, (2, model.in_channels, *SHAPE), 0, **wrong)


def test_the_probabilities_of_all_images_sum_to_1(model):
    levels, channels = model.distribution.levels, model.in_channels
    height, width = (2, 3) if levels ** (6 * channels) <= 4096 else (1, 2)
    if levels ** (height * width * channels) > 5000:
        height = width = 1
    model = of_size(model, height, width)
    values = height * width * channels
    images = np.array(list(itertools.product(range(levels), repeat=values)), 'i')
    images = images.reshape(-1, channels, height, width)
    with chainer.no_backprop_mode(), chainer.using_config('train', False):
        class_ids = model.num_classes and np.zeros(len(images), 'i')
        x = (images / (levels - 1)).astype('f')
        for form in registry.get(model.family).ensemble(model):
            nats = model.distribution.nll(form(x, class_ids).array.astype('d'), images).array
            assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-5)
        nats = likelihood.mean_nats(model, x, images, [class_ids])
    assert nats.shape == (len(images),)
    assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-5)


def test_a_file_brings_the_model_back(model, tmp_path):
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, model, iteration=9)
    loaded = serialization.load_model(path)
    assert type(loaded) is type(model) and loaded.config == model.config
    assert loaded.about == dict(model.config.to_json(), model=model.family, iteration=9)
    ours, theirs = dict(model.namedparams()), dict(loaded.namedparams())
    assert ours.keys() == theirs.keys()
    assert all((ours[name].array == theirs[name].array).all() for name in ours)


def test_a_file_whose_config_is_not_that_of_its_parameters_is_refused(model, tmp_path):
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, model)
    with np.load(path) as npz:
        arrays = {name: npz[name] for name in npz.files}
    about = json.loads(str(arrays['config']))
    free = {field.name: range(field.metadata['least'], field.metadata['most'] + 1)
            for field in dataclasses.fields(model.config) if field.metadata.get('most')}
    for name, value in model.config.to_json().items():
        another = value + 1 if type(value) is int else 'other'
        for wrong in (10 ** 9, 0, -1, True, None, '3', another):
            if wrong is value or type(wrong) is int and wrong in free.get(name, ()):
                continue
            arrays['config'] = np.array(json.dumps(dict(about, **{name: wrong})))
            np.savez(path, **arrays)
            with pytest.raises(ValueError, match='model.npz'):
                serialization.load_model(path)


def test_the_gradient_is_the_slope_of_the_loss(model):
    """By finite differences, along a random direction of all parameters, in float64."""
    random = np.random.RandomState(1)
    x = random_images(model, 2).astype('d')
    targets = np.rint(x * (model.distribution.levels - 1)).astype('i')
    params = [param for _, param in sorted(model.namedparams())]
    for param in params:
        param.array = param.array.astype('d')
    directions = [random.normal(size=param.shape) for param in params]

    def loss():
        outputs = model(x, class_ids_of(model, len(x)))
        return chainer.functions.sum(model.distribution.nll(outputs, targets))

    def moved(by):
        for param, direction in zip(params, directions):
            param.array += by * direction
        with chainer.no_backprop_mode():
            return float(loss().array)

    model.cleargrads()
    loss().backward()
    slope = sum(float((param.grad * direction).sum())
                for param, direction in zip(params, directions) if param.grad is not None)
    step = 1e-6
    difference = (moved(step) - moved(-2 * step)) / (2 * step)
    assert difference == pytest.approx(slope, rel=1e-4)


@pytest.mark.gpu
def test_the_gpu_computes_what_the_cpu_computes(model):
    x = random_images(model, 3)
    expected = outputs_of(model, x)
    shape = 3, model.in_channels, *SHAPE
    samples = sampling.generate(model, shape, seed=0)
    model.to_device('@cupy:0')
    assert abs(outputs_of(model, x) - expected).max() <= 1e-5 * max(1, abs(expected).max())
    assert (cuda.to_cpu(sampling.generate(model, shape, seed=0)) == samples).all()


def test_an_empty_batch(model):
    x = random_images(model, 2)[:0]
    assert outputs_of(model, x).shape == outputs_shape(model, 0)


def test_likelihood_is_the_mean_of_what_the_distribution_says(model):
    levels = model.distribution.levels
    labels = model.config.one_hot
    images = np.random.RandomState(0).randint(
        0, levels if labels else 256, (7, model.in_channels, *SHAPE)).astype('u1')
    dataset = ImageDataset(images, np.arange(7) % 3, model.in_channels, levels, labels=labels)
    x, targets, class_ids = dataset.batch(range(7))
    with chainer.no_backprop_mode():
        forms = [form(x, class_ids).array for form in registry.get(model.family).ensemble(model)]
        nats = [model.distribution.nll(outputs, targets).array for outputs in forms]
        expected = -np.log(np.mean(np.exp(-np.array(nats, 'd')), axis=0))
    result = likelihood.likelihood(model, dataset, batchsize=3)
    assert result.images == 7 and result.nats == pytest.approx(expected.mean(), rel=1e-5)


@pytest.fixture(params=registry.FAMILIES)
def options(request):
    """Options of train.py for a small model of each family."""
    words = ['--model', request.param, '--dataset', 'digits', '--channels', '1', '--levels', '4',
             '--batchsize', '4', '--test_limit', '8', '--interval', '2', '--average', '0.9']
    for option in registry.get(request.param).options:
        if not option.choices and option.default is not False:
            words += [option.flags[0], str(max(SIZE, option.least))]
    return words


def test_a_training_that_goes_on_is_the_same_to_the_bit(command, tmp_path, options):
    whole = command('train.py', *options, '--iteration', 6, '--out', 'whole')
    assert whole.returncode == 0, whole.stderr
    for iterations in (2, 6):
        part = command('train.py', *options, '--iteration', iterations, '--out', 'parts',
                       '--resume', 'auto')
        assert part.returncode == 0, part.stderr
    model, other = [(tmp_path / folder / 'model.npz').read_bytes() for folder in ('whole', 'parts')]
    assert model == other


def test_commands_generate_and_evaluate(command, tmp_path, options):
    assert command('train.py', *options, '--iteration', 2).returncode == 0
    result = command('generate.py', '--model', 'out/model.npz', '--seed', 0, '--count', 2)
    assert (result.returncode, result.stdout) == (0, 'samples.png\n'), result.stderr
    result = command('-m', 'wavenet.evaluate', '--model', 'out/model.npz', '--dataset', 'digits',
                     '--test_limit', 8)
    assert result.returncode == 0, result.stderr
    assert 'quantized to 4 levels' in result.stdout
