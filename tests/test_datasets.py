import gzip
import hashlib
import io
import os
import tarfile

import chainer
import numpy as np
import pytest
from chainer.backends import cuda
from PIL import Image

from wavenet import datasets, downloads, utils


def bytes_of(shape, seed=0):
    return np.random.RandomState(seed).randint(0, 256, shape).astype('u1')


# What every data set gives

@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('levels', [2, 5, 8, 256])
def test_triples(channels, levels):
    images = bytes_of((4, 1, 5, 6))
    dataset = datasets.ImageDataset(images, np.arange(4), channels, levels)
    assert len(dataset) == 4 and dataset.shape == (channels, 5, 6)
    x, labels, label = dataset[2]
    assert (x.dtype, labels.dtype, label.dtype) == (np.float32, np.int32, np.int32)
    assert x.shape == labels.shape == (channels, 5, 6) and label == 2
    values = images[2].astype('f')
    values *= 1. / 255.  # as Chainer's get_mnist has it
    assert (labels == utils.quantize(values, levels)).all()
    assert (x == labels.astype('f') / (levels - 1)).all()


def test_a_data_set_ends():
    dataset = datasets.ImageDataset(bytes_of((3, 1, 4, 4)), np.arange(3), 3, 8)
    assert [label for _, _, label in dataset] == [0, 1, 2]
    assert dataset[-1][2] == 2 and [label for _, _, label in dataset[1:]] == [1, 2]
    for i in (3, -4):
        with pytest.raises(IndexError):
            dataset[i]


def test_a_batch_is_its_triples():
    dataset = datasets.ImageDataset(bytes_of((6, 3, 4, 4)), np.arange(6), 3, 8)
    batch = dataset.batch([5, 0, 3])
    expected = chainer.dataset.concat_examples([dataset[5], dataset[0], dataset[3]])
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(batch, expected))


def test_one_byte_a_value_until_a_batch_is_made():
    dataset = datasets.ImageDataset(bytes_of((6, 1, 4, 4)), np.arange(6), 3, 8)
    assert dataset.labels.dtype == np.uint8 and dataset.labels.nbytes == 6 * 16


def test_batches_are_made_where_the_labels_live(device):
    for binarize in (False, True):
        images = bytes_of((6, 1, 4, 4))
        dataset = datasets.ImageDataset(images, np.arange(6), 3, 2, binarize)
        expected = dataset.batch([1, 4])
        dataset.to_device(device)
        for array, there in zip(expected, dataset.batch([1, 4])):
            assert isinstance(there, device.xp.ndarray)
            assert (cuda.to_cpu(there) == array).all() and there.dtype == array.dtype


def test_colours_become_luminance_as_in_pillow():
    colours = bytes_of((2, 3, 8, 8))
    dataset = datasets.ImageDataset(colours, np.zeros(2), 1, 256)
    for image, (_, labels, _) in zip(colours, dataset):
        assert (labels[0] == np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert('L'))).all()


# Binarized

def binarized(images=None, **kwargs):
    images = np.full((5, 1, 16, 16), 128, 'u1') if images is None else images
    return datasets.ImageDataset(images, np.zeros(len(images)), binarize=True,
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
    dataset = datasets.ImageDataset(bytes_of((7, 1, 2, 2)), np.arange(7), 1, 2)
    iterator = datasets.batches(dataset, 3, shuffle_seed=0)
    numbers = np.concatenate([next(iterator) for _ in range(7)])   # 21: three epochs
    epochs = numbers.reshape(3, 7)
    assert (epochs // 7 == [[1], [2], [3]]).all()
    orders = [tuple(epoch % 7) for epoch in epochs]
    assert len(set(orders)) == 3 and all(sorted(order) == list(range(7)) for order in orders)
    assert (dataset.batch(numbers[:7])[2] == epochs[0] % 7).all()


def test_order_depends_on_seed_and_epoch_alone():
    dataset = datasets.ImageDataset(bytes_of((9, 1, 2, 2)), np.arange(9), 1, 2)

    def order(seed, batchsize):
        iterator = datasets.batches(dataset, batchsize, seed)
        return np.concatenate([next(iterator) for _ in range(18 // batchsize)]).tolist()

    np.random.seed(5)
    expected = order(0, 3)
    np.random.seed(6)
    assert order(0, 2) == expected != order(1, 3)


def test_testing_goes_through_once_in_order():
    dataset = datasets.ImageDataset(bytes_of((5, 1, 2, 2)), np.arange(5), 1, 2)
    iterator = datasets.batches(dataset, 2)
    assert [list(batch) for batch in iterator] == [[0, 1], [2, 3], [4]]


# digits

def test_digits():
    train, test = datasets.load('digits', channels=1, levels=17)
    assert (len(train), len(test), train.shape) == (1500, 297, (1, 8, 8))
    x, _, label = train[0]  # the first of the file, a zero
    assert label == 0 and x.min() == 0 and x.max() <= 1
    # 16 inked pixels are white, 0 black, and all 17 values survive
    assert set(np.unique(train.labels)) == set(range(17))
    assert (np.bincount(train.classes) > 140).all()


def test_digits_in_colour():
    x, labels, _ = datasets.load('digits', levels=4)[1][0]
    assert x.shape == (3, 8, 8) and (x[0] == x[2]).all() and labels.max() == 3


def test_test_limit():
    train, test = datasets.load('digits', test_limit=10)
    assert (len(train), len(test)) == (1500, 10)


# mnist

def idx(array):
    return downloads._idx_header(array) + array.tobytes()


def write_mnist(folder, zipped=True, train=6, test=4):
    arrays = {'train-images-idx3-ubyte': bytes_of((train, 28, 28), 1),
              'train-labels-idx1-ubyte': (np.arange(train) % 10).astype('u1'),
              't10k-images-idx3-ubyte': bytes_of((test, 28, 28), 2),
              't10k-labels-idx1-ubyte': (np.arange(test) % 10).astype('u1')}
    for name, array in arrays.items():
        content = gzip.compress(idx(array)) if zipped else idx(array)
        (folder / (name + '.gz' * zipped)).write_bytes(content)
    return arrays


@pytest.mark.parametrize('zipped', [True, False])
def test_mnist_from_a_folder(tmp_path, zipped):
    arrays = write_mnist(tmp_path, zipped)
    train, test = datasets.load('mnist', 1, 256, data=str(tmp_path))
    assert (train.labels[:, 0] == arrays['train-images-idx3-ubyte']).all()
    assert (test.labels[:, 0] == arrays['t10k-images-idx3-ubyte']).all()
    assert (train.classes == np.arange(6)).all() and len(test) == 4


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty cache, and a network where only what is put into the dict is there."""
    pages = {}

    def urlopen(url, timeout):
        if url not in pages:
            raise OSError('no network')
        response = io.BytesIO(pages[url])
        response.headers = {'Content-Length': str(len(pages[url]))}
        return response

    monkeypatch.setattr(downloads.urllib.request, 'urlopen', urlopen)
    root = chainer.dataset.get_dataset_root()
    chainer.dataset.set_dataset_root(str(tmp_path / 'cache'))
    yield pages
    chainer.dataset.set_dataset_root(root)


@pytest.fixture
def small_mnist(monkeypatch, tmp_path, no_network):
    """As if MNIST were six and four images: the checksums, and the second mirror has the files."""
    folder = tmp_path / 'mnist'
    folder.mkdir()
    for name, array in write_mnist(folder).items():
        monkeypatch.setitem(downloads.MNIST_FILES, name, hashlib.sha256(idx(array)).hexdigest())
        no_network[downloads.MNIST_MIRRORS[1] + name + '.gz'] = \
            (folder / (name + '.gz')).read_bytes()
    return no_network


def test_mnist_is_downloaded_once_from_the_mirror_that_works(small_mnist):
    train, test = datasets.load('mnist', 1, 256)
    assert (len(train), len(test)) == (6, 4)
    small_mnist.clear()                                    # from now on from the cache
    again, _ = datasets.load('mnist', 1, 256)
    assert (again.labels == train.labels).all()
    chainers, _ = chainer.datasets.get_mnist(ndim=3, scale=255.)  # which finds it, too
    assert (np.stack([x for x, _ in chainers]) == train.labels).all()


def test_a_mirror_with_wrong_content_is_passed_over(small_mnist):
    name = 'train-images-idx3-ubyte'
    small_mnist[downloads.MNIST_MIRRORS[0] + name + '.gz'] = gzip.compress(b'something else')
    assert len(datasets.load('mnist')[0]) == 6
    del small_mnist[downloads.MNIST_MIRRORS[1] + name + '.gz']
    chainer.dataset.set_dataset_root(chainer.dataset.get_dataset_root() + '2')
    with pytest.raises(OSError, match='checksum mismatch'):
        datasets.load('mnist')
    assert not os.path.exists(chainer.dataset.get_dataset_root())


def test_a_changed_cache_is_noticed(small_mnist):
    datasets.load('mnist')
    path = os.path.join(chainer.dataset.get_dataset_root(), 'pfnet/chainer/mnist/train.npz')
    np.savez(path, x=np.zeros((6, 784), 'u1'), y=np.zeros(6, 'u1'))
    with pytest.raises(ValueError, match='checksum mismatch.*train.npz.*delete it'):
        datasets.load('mnist')


def test_without_network_one_line_says_which_files_to_put_where(no_network):
    for name, file in (('mnist', 't10k-labels-idx1-ubyte.gz'), ('cifar10', 'cifar-10-binary.tar.gz')):
        with pytest.raises(OSError, match=file + '.*--data'):
            datasets.load(name)


@pytest.mark.parametrize('damage', [
    lambda content: content[:-20], lambda content: b'', lambda content: b'no gzip',
    lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    lambda content: gzip.compress(b'\0\0\x09' + gzip.decompress(content)[3:])])
def test_damaged_mnist_is_named(tmp_path, damage):
    write_mnist(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match='train-images-idx3-ubyte'):
        datasets.load('mnist', data=str(tmp_path))


@pytest.mark.parametrize('name, array', [
    ('train-images-idx3-ubyte', np.zeros((0, 28, 28), 'u1')),
    ('t10k-images-idx3-ubyte', np.zeros((4, 0, 28), 'u1')),
    ('t10k-images-idx3-ubyte', np.zeros((4, 27, 28), 'u1')),
    ('t10k-images-idx3-ubyte', np.zeros((4, 28), 'u1')),
    ('t10k-labels-idx1-ubyte', np.zeros(5, 'u1')),
    ('t10k-labels-idx1-ubyte', np.zeros((4,) + (1,) * 20, 'u1'))])
def test_files_that_are_no_mnist_are_refused(tmp_path, name, array):
    write_mnist(tmp_path)
    (tmp_path / (name + '.gz')).write_bytes(gzip.compress(idx(array)))
    with pytest.raises(ValueError):
        datasets.load('mnist', data=str(tmp_path))


def test_missing_mnist_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / 't10k-labels-idx1-ubyte.gz').unlink()
    with pytest.raises(OSError, match='no t10k-labels-idx1-ubyte in this folder'):
        datasets.load('mnist', data=str(tmp_path))


# cifar10

def cifar_bins():
    names = downloads.CIFAR_TRAIN + downloads.CIFAR_TEST
    return {name: bytes_of((3, 3073), seed).tobytes() for seed, name in enumerate(names)}


def cifar_archive(bins):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w:gz') as archive:
        for name, content in bins.items():
            member = tarfile.TarInfo('cifar-10-batches-bin/' + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def check_cifar(train, test):
    bins = cifar_bins()
    assert (len(train), len(test), train.shape) == (15, 3, (3, 32, 32))
    record = np.frombuffer(bins['data_batch_2.bin'], 'u1')[:3073]
    assert train.classes[3] == record[0]
    assert (train.labels[3].ravel() == record[1:]).all()


def test_cifar_from_the_archive_and_from_its_files(tmp_path):
    (tmp_path / downloads.CIFAR_ARCHIVE).write_bytes(cifar_archive(cifar_bins()))
    check_cifar(*datasets.load('cifar10', levels=256, data=str(tmp_path)))
    (tmp_path / downloads.CIFAR_ARCHIVE).unlink()
    for name, content in cifar_bins().items():
        (tmp_path / name).write_bytes(content)
    check_cifar(*datasets.load('cifar', levels=256, data=str(tmp_path)))


def test_cifar_is_downloaded_once(no_network, monkeypatch):
    archive = cifar_archive(cifar_bins())
    no_network[downloads.CIFAR_URL] = archive
    with pytest.raises(OSError, match='checksum mismatch'):
        datasets.load('cifar10')
    monkeypatch.setattr(downloads, 'CIFAR_MD5', hashlib.md5(archive).hexdigest())
    check_cifar(*datasets.load('cifar10', levels=256))
    no_network.clear()
    check_cifar(*datasets.load('cifar10', levels=256))
    assert len(chainer.datasets.get_cifar10()[0]) == 15    # Chainer finds it, too


def test_a_damaged_cifar_cache_is_named(no_network):
    folder = os.path.join(chainer.dataset.get_dataset_root(), 'pfnet/chainer/cifar')
    os.makedirs(folder)
    np.savez(os.path.join(folder, 'cifar-10.npz'), train_x=np.zeros((2, 3072)),
             train_y=np.zeros(2, 'i'), test_x=np.zeros((2, 3072)), test_y=np.zeros(2, 'i'))
    with pytest.raises(ValueError, match='cifar-10.npz.*delete it'):
        datasets.load('cifar10')


def test_damaged_cifar_is_named(tmp_path):
    archive = cifar_archive(cifar_bins())
    bins = cifar_bins()
    bins['test_batch.bin'] = bins['test_batch.bin'][:-1]
    for content, named in ((archive[:-100], 'cifar-10-binary'), (b'', 'cifar-10-binary'),
                           (cifar_archive(bins), 'test_batch.bin')):
        (tmp_path / downloads.CIFAR_ARCHIVE).write_bytes(content)
        with pytest.raises(ValueError, match=named):
            datasets.load('cifar10', data=str(tmp_path))


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
    train, test = datasets.load(str(tmp_path), levels=256)
    assert (test.labels == images[[9]]).all()              # every tenth is for testing
    assert (train.labels == np.delete(images, 9, axis=0)).all()


def test_subfolders_are_classes_and_gray_joins_colours(tmp_path):
    cats, dogs = bytes_of((2, 1, 4, 4), 0), bytes_of((3, 3, 4, 4), 1)
    write_images(tmp_path / 'cats', cats)
    write_images(tmp_path / 'dogs', dogs)
    train, test = datasets.load(str(tmp_path), levels=256)
    assert train.classes.tolist() == [0, 0, 1, 1] and test.classes.tolist() == [1]
    assert (train.labels[:2] == cats).all() and (train.labels[2:] == dogs[:2]).all()


@pytest.mark.parametrize('shape', [(4, 5, 6), (4, 1, 5, 6), (4, 3, 5, 6), (4, 5, 6, 3), (4, 5, 6, 1)])
def test_an_npz_of_images(tmp_path, shape):
    x = bytes_of(shape)
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=x, train_y=np.arange(4), test_x=x[:1])
    train, test = datasets.load(path, levels=256)
    expected = x.reshape(4, -1, 5, 6) if shape[1] != 5 or len(shape) == 3 else x.transpose(0, 3, 1, 2)
    assert (train.labels == expected).all() and train.shape == (3, 5, 6)
    assert train.classes.tolist() == [0, 1, 2, 3] and test.classes.tolist() == [0]
    np.savez(path, train_x=x)
    train, test = datasets.load(path, levels=256)
    assert (train.labels == expected[:3]).all() and (test.labels == expected[3:]).all()


@pytest.mark.parametrize('arrays, named', [
    (dict(x=np.zeros((2, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((2, 4, 4))), 'float64'),
    (dict(train_x=np.zeros((2, 2, 4, 4), 'u1')), r'\(2, 2, 4, 4\)'),
    (dict(train_x=np.zeros((0, 4, 4), 'u1')), 'train_x'),
    (dict(train_x=np.zeros((1, 4, 4), 'u1')), 'at least 2'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), train_y=np.zeros(3, 'i')), 'train_y'),
    (dict(train_x=np.zeros((2, 4, 4), 'u1'), test_x=np.zeros((2, 5, 4), 'u1')), 'one size')])
def test_what_is_wrong_with_an_npz_is_named(tmp_path, arrays, named):
    path = str(tmp_path / 'images.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=named):
        datasets.load(path)


def test_nothing_is_unpickled(tmp_path):
    path = str(tmp_path / 'images.npz')
    np.savez(path, train_x=np.array([None, {}], object))
    with pytest.raises(ValueError, match='no .npz of plain arrays'):
        datasets.load(path)


def test_kinds_of_images(tmp_path):
    def read(image, name='image.png'):
        path = str(tmp_path / name)
        image.save(path)
        return datasets._read_image(path)
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
        datasets.load(str(tmp_path))
    write_images(tmp_path, bytes_of((3, 3, 4, 4)))
    write_images(tmp_path / 'larger', bytes_of((1, 3, 5, 4)))
    with pytest.raises(ValueError, match='larger.*one size.*4×5.*4×4'):
        datasets.load(str(tmp_path))
    (tmp_path / '001.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match='001.png'):
        datasets.load(str(tmp_path))


@pytest.mark.parametrize('kwargs, named', [
    (dict(source='nothing'), 'unknown dataset.*digits, mnist, cifar10'),
    (dict(levels=1), 'levels.*1'), (dict(channels=2), 'channels.*2'),
    (dict(levels=4, binarize=True), 'binarized.*4'), (dict(data='.'), '--data is for')])
def test_wrong_options_are_named(kwargs, named):
    with pytest.raises(ValueError, match=named):
        datasets.load(**dict(dict(source='digits'), **kwargs))
