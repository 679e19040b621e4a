import chainer
import numpy as np
import pytest
from chainer.backends import cuda

from helpers import bytes_of
from wavenet import utils
from wavenet.data.batches import batches
from wavenet.data.images import ImageDataset
from wavenet.data.pixels import luminance

# Examples and batches


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('levels', [2, 5, 8, 256])
def test_an_example(channels, levels):
    images = bytes_of((4, 1, 5, 6))
    dataset = ImageDataset(images, np.arange(4), channels, levels)
    assert len(dataset) == 4 and dataset.shape == (channels, 5, 6)
    x, targets, class_id = dataset[2]
    assert (x.dtype, targets.dtype, class_id.dtype) == (np.float32, np.int32, np.int32)
    assert x.shape == targets.shape == (channels, 5, 6) and class_id == 2
    values = images[2].astype('f')
    values *= 1. / 255.  # as in Chainer's get_mnist
    assert (targets == utils.quantize(values, levels)).all()
    assert (x == targets.astype('f') / (levels - 1)).all()


def test_a_data_set_ends():
    dataset = ImageDataset(bytes_of((3, 1, 4, 4)), np.arange(3), 3, 8)
    assert [example.class_ids for example in dataset] == [0, 1, 2]
    assert dataset[-1].class_ids == 2
    assert [example.class_ids for example in dataset[1:]] == [1, 2]
    for i in (3, -4):
        with pytest.raises(IndexError):
            dataset[i]


def test_a_batch_is_its_examples():
    dataset = ImageDataset(bytes_of((6, 3, 4, 4)), np.arange(6), 3, 8)
    batch = dataset.batch([5, 0, 3])
    expected = chainer.dataset.concat_examples([dataset[5], dataset[0], dataset[3]])
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(batch, expected))
    assert batch.class_ids.tolist() == [5, 0, 3]
    assert (batch.x == batch.targets.astype('f') / 7).all()


def test_images_take_one_byte_per_value_until_a_batch_is_made():
    dataset = ImageDataset(bytes_of((6, 1, 4, 4)), np.arange(6), 3, 8)
    assert dataset.targets.dtype == np.uint8 and dataset.targets.nbytes == 6 * 16


def test_batches_are_made_where_the_targets_are(device):
    for binarize in (False, True):
        images = bytes_of((6, 1, 4, 4))
        dataset = ImageDataset(images, np.arange(6), 3, 2, binarize)
        expected = dataset.batch([1, 4])
        dataset.to_device(device)
        for array, there in zip(expected, dataset.batch([1, 4])):
            assert isinstance(there, device.xp.ndarray)
            assert (cuda.to_cpu(there) == array).all() and there.dtype == array.dtype


def test_colours_become_luminance():
    colours = bytes_of((2, 3, 8, 8))
    dataset = ImageDataset(colours, np.zeros(2), 1, 256)
    assert (dataset.batch([0, 1]).targets == luminance(colours)).all()


# Binarized images

def binarized(images=None, **kwargs):
    images = np.full((5, 1, 16, 16), 128, 'u1') if images is None else images
    options = dict(dict(channels=3, levels=2, seed=(0, 0)), **kwargs)
    return ImageDataset(images, np.zeros(len(images)), binarize=True, **options)


def test_a_gray_pixel_is_sampled_once_and_copied():
    x, targets, _ = binarized()[0]
    assert set(np.unique(x)) == {0, 1}
    assert (targets[0] == targets[1]).all() and (targets[0] == targets[2]).all()


def test_samples_depend_on_seed_epoch_and_image_alone():
    a, b = binarized(), binarized()
    first = a[3].targets
    assert (first == b.batch([0, 3, 1]).targets[1]).all()      # not on the order or the batch
    assert (first != a.batch([3 + 5]).targets[0]).any()        # another epoch
    assert (first != a[2].targets).any()                       # another image
    assert (first != binarized(seed=(1, 0))[3].targets).any()  # another seed
    assert (first != binarized(seed=(0, 1))[3].targets).any()  # testing, not training


def test_samples_are_bernoulli():
    images = np.repeat(np.array([0, 51, 255], 'u1'), 4096).reshape(3, 1, 64, 64)
    means = [binarized(images)[i].targets.mean() for i in range(3)]
    assert means[0] == 0 and means[2] == 1
    assert means[1] == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 4096) ** 0.5)


def test_gray_stored_as_rgb_is_gray():
    images = np.full((2, 3, 16, 16), 128, 'u1')
    targets = binarized(images).batch([0, 1]).targets
    assert (targets == targets[:, :1]).all() and 0 < targets.mean() < 1
    images[0, 1] = 100
    targets = binarized(images).batch([0, 1]).targets
    assert (targets != targets[:, :1]).any()  # in a colour image, each value is sampled


# Batches and their order

def test_epochs_hold_every_image_once_in_new_orders():
    dataset = ImageDataset(bytes_of((7, 1, 2, 2)), np.arange(7), 1, 2)
    iterator = batches(dataset, 3, shuffle_seed=0)
    numbers = np.concatenate([next(iterator) for _ in range(7)])   # 21: three epochs
    epochs = numbers.reshape(3, 7)
    assert (epochs // 7 == [[1], [2], [3]]).all()
    orders = [tuple(epoch % 7) for epoch in epochs]
    assert len(set(orders)) == 3 and all(sorted(order) == list(range(7)) for order in orders)
    assert (dataset.batch(numbers[:7]).class_ids == epochs[0] % 7).all()


def test_order_depends_on_seed_and_epoch_alone():
    dataset = ImageDataset(bytes_of((9, 1, 2, 2)), np.arange(9), 1, 2)

    def order(seed, batchsize):
        iterator = batches(dataset, batchsize, seed)
        return np.concatenate([next(iterator) for _ in range(18 // batchsize)]).tolist()

    np.random.seed(5)
    expected = order(0, 3)
    np.random.seed(6)
    assert order(0, 2) == expected != order(1, 3)


def test_testing_goes_through_once_in_order():
    dataset = ImageDataset(bytes_of((5, 1, 2, 2)), np.arange(5), 1, 2)
    iterator = batches(dataset, 2)
    assert [list(batch) for batch in iterator] == [[0, 1], [2, 3], [4]]
