import numpy as np
import pytest
from PIL import Image

from helpers import bytes_of
from wavenet.data.images import ImageDataset
from wavenet.data.load import load_dataset, load_images

# The embedded digits


def test_digits():
    train, test = load_dataset('digits', channels=1, levels=17)
    assert (len(train), len(test), train.shape) == (1500, 297, (1, 8, 8))
    x, _, class_id = train[0]  # the first digit is a zero
    assert class_id == 0 and x.min() == 0 and x.max() <= 1
    # 16 inked pixels are white, 0 black, and all 17 values survive
    assert set(np.unique(train.targets)) == set(range(17))
    assert (np.bincount(train.class_ids) > 140).all()


def test_digits_in_colour():
    x, targets, _ = load_dataset('digits', levels=4)[1][0]
    assert x.shape == (3, 8, 8) and (x[0] == x[2]).all() and targets.max() == 3


def test_test_limit():
    train, test = load_dataset('digits', test_limit=10)
    assert (len(train), len(test)) == (1500, 10)


# Classes

@pytest.mark.parametrize('kwargs', [{}, dict(test_limit=1)])
def test_named_data_sets_have_ten_classes(kwargs):
    assert [part.num_classes for part in load_dataset('digits', **kwargs)] == [10, 10]


@pytest.mark.parametrize('train_y, test_y, num_classes', [
    ([0, 4], [2], 5), ([0, 1], [11], 12), ([0, 0], [0], 1), (np.array([0, 255], 'u1'), [0], 256)])
def test_own_images_have_the_classes_that_they_have(tmp_path, train_y, test_y, num_classes):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=bytes_of((2, 3, 4)), train_y=train_y, test_x=bytes_of((1, 3, 4)),
             test_y=test_y)
    assert [part.num_classes for part in load_dataset(path)] == [num_classes] * 2


# Images for testing

@pytest.mark.parametrize('count', [2, 9, 10, 25])
def test_a_tenth_of_the_images_is_held_out_for_testing(tmp_path, count):
    images = bytes_of((count, 3, 4, 6))
    folder, path = tmp_path / 'images', str(tmp_path / 'images.npz')
    folder.mkdir()
    for n, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f'{n:02}.png')
    np.savez(path, train_x=images)
    tests = []
    for source in (str(folder), path):
        train, test = load_dataset(source, levels=256)
        assert len(test) in (max(1, count // 10), -(-count // 10))
        # The two parts hold each image once
        both = np.concatenate([train.targets, test.targets])
        assert sorted(image.tobytes() for image in both) == sorted(
            image.tobytes() for image in images)
        tests.append(test.targets)
        assert train.origin.split == {'kind': 'stratified', 'seed': 0}
    assert (tests[0] == tests[1]).all()


def test_classes_are_held_out_in_equal_parts(tmp_path):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=bytes_of((400, 2, 2)), train_y=np.arange(400) % 10)  # periodic
    train, test = load_dataset(path, levels=256)
    assert np.bincount(test.class_ids).tolist() == [4] * 10
    other = load_dataset(path, levels=256, split_seed=1)[1]
    assert np.bincount(other.class_ids).tolist() == [4] * 10
    assert (other.targets != test.targets).any()


def test_a_checksum_tells_training_images_apart(tmp_path):
    images, path = bytes_of((20, 4, 6)), str(tmp_path / 'images.npz')

    def origin(**arrays):
        np.savez(path, **dict(dict(train_x=images[:10], train_y=np.arange(10) % 2,
                                   test_x=images[10:]), **arrays))
        return load_dataset(path, 1, 4)[0].origin

    first = origin()
    assert first.split is None and len(first.checksum) == 16
    assert origin(test_x=images[12:]) == first
    assert origin(train_x=images[1:11]) != first
    assert origin(train_y=np.arange(10) % 3) != first
    assert origin(train_x=images[:10].transpose(0, 2, 1), test_x=images.transpose(0, 2, 1)) != first


# Images to measure a model on

def test_all_images_that_are_given_are_measured(tmp_path):
    images, path = bytes_of((20, 4, 6)), str(tmp_path / 'images.npz')
    np.savez(path, test_x=images)
    assert (load_images(path, 1, 256).targets[:, 0] == images).all()
    with pytest.raises(ValueError, match='there are only test images'):
        load_dataset(path)
    np.savez(path, train_x=images)
    assert len(load_images(path, 1, 256)) == 20
    np.savez(path, train_x=images[:5], test_x=images[5:])
    assert (load_images(path, 1, 256).targets[:, 0] == images[5:]).all()
    Image.fromarray(images[3]).save(tmp_path / 'one.png')
    assert (load_images(str(tmp_path / 'one.png'), 1, 256).targets[:, 0] == images[3]).all()


def test_those_that_a_training_held_out_are_measured_again(tmp_path):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=bytes_of((40, 4, 6)))
    train, test = load_dataset(path, 1, 256, split_seed=3)
    again = load_images(path, 1, 256, origin=train.origin)
    assert (again.targets == test.targets).all()
    np.savez(path, train_x=bytes_of((40, 4, 6), seed=1))
    assert len(load_images(path, 1, 256, origin=train.origin)) == 40


def test_images_for_testing_are_used(tmp_path):
    path, images = str(tmp_path / 'images.npz'), bytes_of((5, 4, 6))
    np.savez(path, train_x=images[:3], test_x=images[3:])
    train, test = load_dataset(path, 1, 256)
    assert (train.targets[:, 0] == images[:3]).all() and (test.targets[:, 0] == images[3:]).all()


# Other kinds of data sets

class Variant(ImageDataset):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.options = kwargs


def test_a_variant_of_the_data_set_can_be_given():
    train, test = load_dataset('digits', 1, 2, binarize=True, seed=5, dataset_class=Variant)
    assert type(train) is type(test) is Variant
    expected = dict(channels=1, levels=2, binarize=True, num_classes=10, labels=False,
                    class_names=tuple('0123456789'))
    assert train.options == dict(expected, seed=(5, 0))
    assert test.options == dict(expected, seed=(5, 1))
    assert (len(train), len(test)) == (1500, 297)


# Small numbers are intensities

@pytest.mark.parametrize('kinds, levels', [(2, 2), (13, 13), (100, 2)])
def test_images_that_would_all_be_one_level_are_refused(tmp_path, kinds, levels):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=bytes_of((20, 8, 8)) % kinds, test_x=bytes_of((5, 8, 8)))
    with pytest.raises(ValueError, match=f'all pixels would be level 0 of {levels}; give'):
        load_dataset(path, 1, levels)
    with pytest.raises(ValueError, match='all pixels would be level 0 of 2; give'):
        load_dataset(path, 1, 2, binarize=True)


def test_images_of_one_value_are_said(tmp_path, capsys):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=np.zeros((20, 8, 8), 'u1'), test_x=bytes_of((5, 8, 8)))
    load_dataset(path, 1, 4)
    assert 'all values of the training images are 0' in capsys.readouterr().err


def test_values_below_the_number_of_levels_are_said(tmp_path, capsys):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=bytes_of((20, 8, 8)) % 64, test_x=bytes_of((5, 8, 8)))
    load_dataset(path, 1, 64)
    assert 'its largest value is 63, and values are taken as intensities' in capsys.readouterr().err
    load_dataset(path, 1, 256)
    load_dataset('digits', 1, 17)
    assert capsys.readouterr().err == ''


# Names

@pytest.mark.parametrize('name', ['digits', 'Digits', 'DIGITS'])
def test_names_are_known_in_any_case(name):
    assert load_dataset(name)[0].class_names == tuple('0123456789')


# Mistakes of a user

@pytest.mark.parametrize('arrays, named', [
    (dict(train_x=np.zeros((1, 4, 4), 'u1')), 'at least 2'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), test_x=np.zeros((2, 5, 4), 'u1')), 'one size'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), test_x=np.zeros((2, 3, 4, 4), 'u1')), 'channels')])
def test_images_that_do_not_do_are_named(tmp_path, arrays, named):
    path = str(tmp_path / 'images.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=named):
        load_dataset(path)


@pytest.mark.parametrize('kwargs, named', [
    (dict(source='nothing'), 'unknown dataset.*digits, mnist, fashion-mnist, cifar10'),
    (dict(levels=1), 'levels.*1'), (dict(channels=2), 'channels.*2'),
    (dict(levels=4, binarize=True), 'binarized.*4'), (dict(data='.'), '--data is for')])
def test_wrong_options_are_named(kwargs, named):
    with pytest.raises(ValueError, match=named):
        load_dataset(**dict(dict(source='digits'), **kwargs))
