"""MNIST and CIFAR-10, through `load_dataset`."""
import gzip
import hashlib
import io
import os
import tarfile

import chainer
import numpy as np
import pytest

from helpers import bytes_of, idx, write_mnist
from wavenet.data import downloads, fetch
from wavenet.data.load import load_dataset

# mnist

@pytest.mark.parametrize('zipped', [True, False])
def test_mnist_from_a_folder(tmp_path, zipped):
    arrays = write_mnist(tmp_path, zipped)
    train, test = load_dataset('mnist', 1, 256, data=str(tmp_path))
    assert (train.targets[:, 0] == arrays['train-images-idx3-ubyte']).all()
    assert (test.targets[:, 0] == arrays['t10k-images-idx3-ubyte']).all()
    assert (train.class_ids == np.arange(6)).all() and len(test) == 4


@pytest.mark.parametrize('where', [
    'train-images.idx3-ubyte', 'train-images-idx3-ubyte/train-images-idx3-ubyte',
    'train-images.idx3-ubyte/train-images.idx3-ubyte', 'MNIST/raw/train-images-idx3-ubyte',
    'raw/train-images-idx3-ubyte'])
@pytest.mark.parametrize('by_name', [True, False])
def test_copies_of_mnist_are_found(tmp_path, where, by_name):
    arrays = write_mnist(tmp_path, zipped=False)
    for name in arrays:
        path = tmp_path / where.replace('train-images', name[:-len('-idx3-ubyte')]).replace(
            'idx3', name.split('-')[2])
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    source = dict(source='MNIST', data=str(tmp_path)) if by_name else dict(source=str(tmp_path))
    train, test = load_dataset(**source, channels=1, levels=256)
    assert (train.targets[:, 0] == arrays['train-images-idx3-ubyte']).all() and len(test) == 4


def test_keras_copy_of_mnist(tmp_path):
    images = bytes_of((6, 4, 5))
    np.savez(tmp_path / 'mnist.npz', x_train=images, y_train=np.arange(6), x_test=images[:2],
             y_test=np.arange(2))
    for source in (dict(source='mnist', data=str(tmp_path)),
                   dict(source=str(tmp_path / 'mnist.npz'))):
        train, test = load_dataset(**source, channels=1, levels=256)
        assert (train.targets[:, 0] == images).all() and len(test) == 2


def test_fashion_mnist(tmp_path, no_network, monkeypatch):
    arrays = write_mnist(tmp_path)
    train, _ = load_dataset('Fashion-MNIST', 1, 256, data=str(tmp_path))
    assert train.class_names[0] == 'T-shirt/top' and len(train.class_names) == 10
    for name in arrays:                                    # downloads are checked
        content = (tmp_path / f'{name}.gz').read_bytes()
        no_network[downloads.FASHION_MNIST.mirrors[1] + name + '.gz'] = content
    with pytest.raises(OSError, match='cannot download Fashion-MNIST.*checksum mismatch'):
        load_dataset('fashion-mnist')
    for name in arrays:
        content = (tmp_path / f'{name}.gz').read_bytes()
        monkeypatch.setitem(downloads.FASHION_MNIST.files, name, hashlib.md5(content).hexdigest())
    first = load_dataset('fashion-mnist', 1, 256)[0].targets
    no_network.clear()                                     # now from the cache
    assert (load_dataset('fashion-mnist', 1, 256)[0].targets == first).all()


@pytest.mark.parametrize('name', ['data_batch_1', 'cifar-10-python.tar.gz', 'cifar-10-batches-py'])
def test_pickled_cifar_is_refused_as_what_it_is(tmp_path, name):
    (tmp_path / name).mkdir() if name.endswith('py') else (tmp_path / name).write_bytes(b'x')
    for source in (dict(source='cifar10', data=str(tmp_path)), dict(source=str(tmp_path))):
        with pytest.raises(ValueError, match=f"{name} is CIFAR-10's pickled version"):
            load_dataset(**source)


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty cache, and a network where only what is put into the dict is there."""
    pages = {}

    def urlopen(request, timeout):
        url = request.full_url
        if url not in pages:
            raise OSError('no network')
        response = io.BytesIO(pages[url])
        response.headers = {'Content-Length': str(len(pages[url]))}
        return response

    monkeypatch.setattr(fetch.urllib.request, 'urlopen', urlopen)
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
        monkeypatch.setitem(downloads.MNIST.files, name, hashlib.sha256(idx(array)).hexdigest())
        no_network[downloads.MNIST.mirrors[1] + name + '.gz'] = \
            (folder / (name + '.gz')).read_bytes()
    return no_network


def test_mnist_is_downloaded_once_from_the_mirror_that_works(small_mnist):
    train, test = load_dataset('mnist', 1, 256)
    assert (len(train), len(test)) == (6, 4)
    small_mnist.clear()                                    # from now on from the cache
    again, _ = load_dataset('mnist', 1, 256)
    assert (again.targets == train.targets).all()
    chainers, _ = chainer.datasets.get_mnist(ndim=3, scale=255.)  # which finds it, too
    assert (np.stack([x for x, _ in chainers]) == train.targets).all()


def test_a_mirror_with_wrong_content_is_passed_over(small_mnist):
    name = 'train-images-idx3-ubyte'
    small_mnist[downloads.MNIST.mirrors[0] + name + '.gz'] = gzip.compress(b'something else')
    assert len(load_dataset('mnist')[0]) == 6
    del small_mnist[downloads.MNIST.mirrors[1] + name + '.gz']
    chainer.dataset.set_dataset_root(chainer.dataset.get_dataset_root() + '2')
    with pytest.raises(OSError, match='checksum mismatch'):
        load_dataset('mnist')
    assert not os.path.exists(chainer.dataset.get_dataset_root())


def test_a_changed_cache_is_noticed(small_mnist):
    load_dataset('mnist')
    path = os.path.join(chainer.dataset.get_dataset_root(), 'pfnet/chainer/mnist/train.npz')
    np.savez(path, x=np.zeros((6, 784), 'u1'), y=np.zeros(6, 'u1'))
    with pytest.raises(ValueError, match='checksum mismatch.*train.npz.*delete it'):
        load_dataset('mnist')


def test_without_network_one_line_says_which_files_to_put_where(no_network):
    for name, file in (('mnist', 't10k-labels-idx1-ubyte.gz'),
                       ('cifar10', 'cifar-10-binary.tar.gz')):
        with pytest.raises(OSError, match=file + '.*--data'):
            load_dataset(name)


@pytest.mark.parametrize('damage', [
    lambda content: content[:-20], lambda content: b'', lambda content: b'no gzip',
    lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    lambda content: gzip.compress(b'\0\0\x09' + gzip.decompress(content)[3:])])
def test_damaged_mnist_is_named(tmp_path, damage):
    write_mnist(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match='train-images-idx3-ubyte'):
        load_dataset('mnist', data=str(tmp_path))


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
        load_dataset('mnist', data=str(tmp_path))


def test_missing_mnist_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / 't10k-labels-idx1-ubyte.gz').unlink()
    with pytest.raises(OSError, match='no t10k-labels-idx1-ubyte in this folder'):
        load_dataset('mnist', data=str(tmp_path))


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
    assert train.class_ids[3] == record[0]
    assert (train.targets[3].ravel() == record[1:]).all()


def test_cifar_from_the_archive_and_from_its_files(tmp_path):
    (tmp_path / downloads.CIFAR_ARCHIVE).write_bytes(cifar_archive(cifar_bins()))
    check_cifar(*load_dataset('cifar10', levels=256, data=str(tmp_path)))
    (tmp_path / downloads.CIFAR_ARCHIVE).unlink()
    for name, content in cifar_bins().items():
        (tmp_path / name).write_bytes(content)
    check_cifar(*load_dataset('cifar', levels=256, data=str(tmp_path)))


def test_cifar_is_downloaded_once(no_network, monkeypatch):
    archive = cifar_archive(cifar_bins())
    no_network[downloads.CIFAR_URL] = archive
    with pytest.raises(OSError, match='checksum mismatch'):
        load_dataset('cifar10')
    monkeypatch.setattr(downloads, 'CIFAR_MD5', hashlib.md5(archive).hexdigest())
    check_cifar(*load_dataset('cifar10', levels=256))
    no_network.clear()
    check_cifar(*load_dataset('cifar10', levels=256))
    assert len(chainer.datasets.get_cifar10()[0]) == 15    # Chainer finds it, too


def test_a_damaged_cifar_cache_is_named(no_network):
    folder = os.path.join(chainer.dataset.get_dataset_root(), 'pfnet/chainer/cifar')
    os.makedirs(folder)
    np.savez(os.path.join(folder, 'cifar-10.npz'), train_x=np.zeros((2, 3072)),
             train_y=np.zeros(2, 'i'), test_x=np.zeros((2, 3072)), test_y=np.zeros(2, 'i'))
    with pytest.raises(ValueError, match='cifar-10.npz.*delete it'):
        load_dataset('cifar10')


def test_damaged_cifar_is_named(tmp_path):
    archive = cifar_archive(cifar_bins())
    bins = cifar_bins()
    bins['test_batch.bin'] = bins['test_batch.bin'][:-1]
    for content, named in ((archive[:-100], 'cifar-10-binary'), (b'', 'cifar-10-binary'),
                           (cifar_archive(bins), 'test_batch.bin')):
        (tmp_path / downloads.CIFAR_ARCHIVE).write_bytes(content)
        with pytest.raises(ValueError, match=named):
            load_dataset('cifar10', data=str(tmp_path))
