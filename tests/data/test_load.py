import numpy as np
import pytest
from PIL import Image

from helpers import bytes_of
from wavenet.data.images import ImageDataset
from wavenet.data.load import load_dataset

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
    np.savez(path, train_x=np.zeros((2, 3, 3), 'u1'), train_y=train_y,
             test_x=np.zeros((1, 3, 3), 'u1'), test_y=test_y)
    assert [part.num_classes for part in load_dataset(path)] == [num_classes] * 2


# Images for testing

@pytest.mark.parametrize('count, held_out', [(2, [1]), (9, [8]), (10, [9]), (25, [9, 19])])
def test_every_tenth_image_is_held_out_for_testing(tmp_path, count, held_out):
    images = bytes_of((count, 3, 4, 6))
    folder, path = tmp_path / 'images', str(tmp_path / 'images.npz')
    folder.mkdir()
    for n, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f'{n:02}.png')
    np.savez(path, train_x=images, train_y=np.arange(count))
    kept = np.delete(np.arange(count), held_out)
    for source in (str(folder), path):
        train, test = load_dataset(source, levels=256)
        assert (train.targets == images[kept]).all() and (test.targets == images[held_out]).all()
    assert train.class_ids.tolist() == kept.tolist() and test.class_ids.tolist() == held_out


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
    expected = dict(channels=1, levels=2, binarize=True, num_classes=10)
    assert train.options == dict(expected, seed=(5, 0))
    assert test.options == dict(expected, seed=(5, 1))
    assert (len(train), len(test)) == (1500, 297)


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
    (dict(source='nothing'), 'unknown dataset.*digits, mnist, cifar10'),
    (dict(levels=1), 'levels.*1'), (dict(channels=2), 'channels.*2'),
    (dict(levels=4, binarize=True), 'binarized.*4'), (dict(data='.'), '--data is for')])
def test_wrong_options_are_named(kwargs, named):
    with pytest.raises(ValueError, match=named):
        load_dataset(**dict(dict(source='digits'), **kwargs))
