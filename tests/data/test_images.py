import chainer
import numpy as np
import pytest
from chainer.backends import cuda
from PIL import Image

from helpers import bytes_of
from wavenet import utils
from wavenet.data.image_files import _read_image
from wavenet.data.images import ImageDataset, batches
from wavenet.data.load import load_dataset


# What every data set gives

@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('levels', [2, 5, 8, 256])
def test_triples(channels, levels):
    images = bytes_of((4, 1, 5, 6))
    dataset = ImageDataset(images, np.arange(4), channels, levels)
    assert len(dataset) == 4 and dataset.shape == (channels, 5, 6)
    x, labels, label = dataset[2]
    assert (x.dtype, labels.dtype, label.dtype) == (np.float32, np.int32, np.int32)
    assert x.shape == labels.shape == (channels, 5, 6) and label == 2
    values = images[2].astype('f')
    values *= 1. / 255.  # as Chainer's get_mnist has it
    assert (labels == utils.quantize(values, levels)).all()
    assert (x == labels.astype('f') / (levels - 1)).all()


def test_a_data_set_ends():
    dataset = ImageDataset(bytes_of((3, 1, 4, 4)), np.arange(3), 3, 8)
    assert [label for _, _, label in dataset] == [0, 1, 2]
    assert dataset[-1][2] == 2 and [label for _, _, label in dataset[1:]] == [1, 2]
    for i in (3, -4):
        with pytest.raises(IndexError):
            dataset[i]


def test_a_batch_is_its_triples():
    dataset = ImageDataset(bytes_of((6, 3, 4, 4)), np.arange(6), 3, 8)
    batch = dataset.batch([5, 0, 3])
    expected = chainer.dataset.concat_examples([dataset[5], dataset[0], dataset[3]])
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(batch, expected))


def test_one_byte_a_value_until_a_batch_is_made():
    dataset = ImageDataset(bytes_of((6, 1, 4, 4)), np.arange(6), 3, 8)
    assert dataset.labels.dtype == np.uint8 and dataset.labels.nbytes == 6 * 16


def test_batches_are_made_where_the_labels_live(device):
    for binarize in (False, True):
        images = bytes_of((6, 1, 4, 4))
        dataset = ImageDataset(images, np.arange(6), 3, 2, binarize)
        expected = dataset.batch([1, 4])
        dataset.to_device(device)
        for array, there in zip(expected, dataset.batch([1, 4])):
            assert isinstance(there, device.xp.ndarray)
            assert (cuda.to_cpu(there) == array).all() and there.dtype == array.dtype


def test_colours_become_luminance_as_in_pillow():
    colours = bytes_of((2, 3, 8, 8))
    dataset = ImageDataset(colours, np.zeros(2), 1, 256)
    for image, (_, labels, _) in zip(colours, dataset):
        assert (labels[0] == np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert('L'))).all()


# Binarized

def binarized(images=None, **kwargs):
    images = np.full((5, 1, 16, 16), 128, 'u1') if images is None else images
    return ImageDataset(images, np.zeros(len(images)), binarize=True,
                                 **dict(dict(channels=3, levels=2, seed=(0, 0)), **kwargs))


def test_a_pixel_is_drawn_once_and_copied():
    x, labels, _ = binarized()[0]
    assert set(np.unique(x)) == {0, 1}
    assert (labels[0] == labels[1]).all() and (labels[0] == labels[2]).all()


def test_draws_depend_on_seed_epoch_and_image_alone():
    a, b = binarized(), binarized()
    first = a[3][1]
    assert (first == b.batch([0, 3, 1])[1][1]).all()       # not on order or batch
    assert (first != a.batch([3 + 5])[1][0]).any()         # another epoch
    assert (first != a[2][1]).any()                        # another image
    assert (first != binarized(seed=(1, 0))[3][1]).any()   # another seed
    assert (first != binarized(seed=(0, 1))[3][1]).any()   # testing, not training


def test_draws_are_bernoulli():
    images = np.repeat(np.array([0, 51, 255], 'u1'), 4096).reshape(3, 1, 64, 64)
    means = [binarized(images)[i][1].mean() for i in range(3)]
    assert means[0] == 0 and means[2] == 1
    assert means[1] == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 4096) ** 0.5)


def test_gray_stored_as_rgb_is_gray():
    images = np.full((2, 3, 16, 16), 128, 'u1')
    labels = binarized(images).batch([0, 1])[1]
    assert (labels == labels[:, :1]).all() and 0 < labels.mean() < 1
    images[0, 1] = 100
    labels = binarized(images).batch([0, 1])[1]
    assert (labels != labels[:, :1]).any()                 # of real colours each value is drawn


# Batches and their order

def test_epochs_hold_every_image_once_in_new_orders():
    dataset = ImageDataset(bytes_of((7, 1, 2, 2)), np.arange(7), 1, 2)
    iterator = batches(dataset, 3, shuffle_seed=0)
    numbers = np.concatenate([next(iterator) for _ in range(7)])   # 21: three epochs
    epochs = numbers.reshape(3, 7)
    assert (epochs // 7 == [[1], [2], [3]]).all()
    orders = [tuple(epoch % 7) for epoch in epochs]
    assert len(set(orders)) == 3 and all(sorted(order) == list(range(7)) for order in orders)
    assert (dataset.batch(numbers[:7])[2] == epochs[0] % 7).all()


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


# digits

def test_digits():
    train, test = load_dataset('digits', channels=1, levels=17)
    assert (len(train), len(test), train.shape) == (1500, 297, (1, 8, 8))
    x, _, label = train[0]  # the first of the file, a zero
    assert label == 0 and x.min() == 0 and x.max() <= 1
    # 16 inked pixels are white, 0 black, and all 17 values survive
    assert set(np.unique(train.labels)) == set(range(17))
    assert (np.bincount(train.classes) > 140).all()


def test_digits_in_colour():
    x, labels, _ = load_dataset('digits', levels=4)[1][0]
    assert x.shape == (3, 8, 8) and (x[0] == x[2]).all() and labels.max() == 3


@pytest.mark.parametrize('name, kwargs', [('digits', {}), ('digits', dict(test_limit=1))])
def test_named_data_sets_have_ten_classes(name, kwargs):
    assert [part.class_count for part in load_dataset(name, **kwargs)] == [10, 10]


def test_own_images_have_the_classes_that_they_have(tmp_path):
    path = str(tmp_path / 'images.npz')
    for train_y, test_y, classes in (([0, 4], [2], 5), ([0, 1], [11], 12), ([0, 0], [0], 1),
                                     (np.array([0, 255], 'u1'), [0], 256)):
        np.savez(path, train_x=np.zeros((2, 3, 3), 'u1'), train_y=train_y,
                 test_x=np.zeros((1, 3, 3), 'u1'), test_y=test_y)
        assert [part.class_count for part in load_dataset(path)] == [classes, classes]


def test_test_limit():
    train, test = load_dataset('digits', test_limit=10)
    assert (len(train), len(test)) == (1500, 10)


# Your own images

def write_images(folder, images, ending='.png'):
    folder.mkdir(parents=True, exist_ok=True)
    for n, image in enumerate(images):
        picture = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        Image.fromarray(picture).save(str(folder / '{:03}{}'.format(n, ending)))


def test_a_folder_of_images(tmp_path):
    images = bytes_of((12, 3, 4, 6))
    write_images(tmp_path, images)
    (tmp_path / 'notes.txt').write_text('no image')
    train, test = load_dataset(str(tmp_path), levels=256)
    assert (test.labels == images[[9]]).all()              # every tenth is for testing
    assert (train.labels == np.delete(images, 9, axis=0)).all()


def test_subfolders_are_classes_and_gray_joins_colours(tmp_path):
    cats, dogs = bytes_of((2, 1, 4, 4), 0), bytes_of((3, 3, 4, 4), 1)
    write_images(tmp_path / 'cats', cats)
    write_images(tmp_path / 'dogs', dogs)
    train, test = load_dataset(str(tmp_path), levels=256)
    assert train.classes.tolist() == [0, 0, 1, 1] and test.classes.tolist() == [1]
    assert train.class_count == test.class_count == 2
    assert (train.labels[:2] == cats).all() and (train.labels[2:] == dogs[:2]).all()


@pytest.mark.parametrize('shape', [(4, 5, 6), (4, 1, 5, 6), (4, 3, 5, 6), (4, 5, 6, 3), (4, 5, 6, 1)])
def test_an_npz_of_images(tmp_path, shape):
    x = bytes_of(shape)
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=x, train_y=np.arange(4), test_x=x[:1])
    train, test = load_dataset(path, levels=256)
    expected = x.reshape(4, -1, 5, 6) if shape[1] != 5 or len(shape) == 3 else x.transpose(0, 3, 1, 2)
    assert (train.labels == expected).all() and train.shape == (3, 5, 6)
    assert train.classes.tolist() == [0, 1, 2, 3] and test.classes.tolist() == [0]
    np.savez(path, train_x=x)
    train, test = load_dataset(path, levels=256)
    assert (train.labels == expected[:3]).all() and (test.labels == expected[3:]).all()


@pytest.mark.parametrize('arrays, named', [
    (dict(x=np.zeros((2, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((2, 4, 4))), 'float64'),
    (dict(train_x=np.zeros((2, 2, 4, 4), 'u1')), r'\(2, 2, 4, 4\)'),
    (dict(train_x=np.zeros((0, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((1, 4, 4), 'u1')), 'at least 2'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.zeros(3, 'i')), 'train_y'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, -1])), 'train_y .* from 0 on'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.array([0, 2 ** 40])), 'train_y'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), test_x=np.zeros((2, 5, 4), 'u1')), 'one size')])
def test_what_is_wrong_with_an_npz_is_named(tmp_path, arrays, named):
    path = str(tmp_path / 'images.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=named):
        load_dataset(path)


def test_nothing_is_unpickled(tmp_path):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=np.array([None, {}], object))
    with pytest.raises(ValueError, match='train_x is no plain array'):
        load_dataset(path)


def test_kinds_of_images(tmp_path):
    def read(image, name='image.png'):
        path = str(tmp_path / name)
        image.save(path)
        return _read_image(path)
    gray = bytes_of((4, 4))
    assert (read(Image.fromarray(gray)) == gray).all()
    assert (read(Image.fromarray(gray > 127)) == (gray > 127) * 255).all()
    palette = Image.fromarray(bytes_of((4, 4, 3))).quantize(4)
    expected = np.asarray(palette.convert('RGB')).transpose(2, 0, 1)
    assert (read(palette) == expected).all()
    # What is transparent becomes white
    alpha = Image.fromarray(np.stack([gray, np.full_like(gray, 255)], axis=2), 'LA')
    assert (read(alpha) == gray).all()
    assert (read(Image.new('RGBA', (4, 4), (9, 9, 9, 0))) == 255).all()
    for array in (gray.astype('u2') * 257, gray.astype('i4'), gray.astype('f')):
        with pytest.raises(ValueError, match='image.tif.*8 bits'):
            read(Image.fromarray(array), 'image.tif')


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match='no image files'):
        load_dataset(str(tmp_path))
    write_images(tmp_path, bytes_of((3, 3, 4, 4)))
    write_images(tmp_path / 'larger', bytes_of((1, 3, 5, 4)))
    with pytest.raises(ValueError, match='larger.*one size.*4×5.*4×4'):
        load_dataset(str(tmp_path))
    (tmp_path / '001.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match='001.png'):
        load_dataset(str(tmp_path))


@pytest.mark.parametrize('kwargs, named', [
    (dict(source='nothing'), 'unknown dataset.*digits, mnist, cifar10'),
    (dict(levels=1), 'levels.*1'), (dict(channels=2), 'channels.*2'),
    (dict(levels=4, binarize=True), 'binarized.*4'), (dict(data='.'), '--data is for')])
def test_wrong_options_are_named(kwargs, named):
    with pytest.raises(ValueError, match=named):
        load_dataset(**dict(dict(source='digits'), **kwargs))
