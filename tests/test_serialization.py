import io
import os
import pickle

import chainer
import numpy as np
import pytest

import wavenet
from helpers import DATA
from wavenet import models, serialization
from wavenet.storage import model_file
from wavenet.training import snapshots


def parameters(model):
    return {name: param.array for name, param in model.namedparams()}


def check_equal(model, other):
    ours, theirs = parameters(model), parameters(other)
    assert ours.keys() == theirs.keys()
    assert all((chainer.backends.cuda.to_cpu(ours[name]) == theirs[name]).all() for name in ours)


@pytest.mark.parametrize('sizes', [{}, dict(in_channels=1, out_dims=1), dict(block_num=0),
                                   dict(block_num=12, hidden_dims=13)])
def test_a_model_comes_back(tmp_path, random_model, sizes, device):
    model = random_model(**sizes)
    model.to_device(device)
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, model, height=9, dataset='digits')
    loaded = serialization.load_model(path)
    check_equal(model, loaded)
    assert loaded.about == dict(
        model.config.to_json(), model='pixelcnn', height=9, dataset='digits')
    assert os.listdir(str(tmp_path)) == ['model.npz']


def test_the_file_is_one_the_authors_load_npz_reads(tmp_path, random_model):
    model = random_model()
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, model)
    with np.load(path, allow_pickle=False) as npz:
        assert set(npz.files) == {name.lstrip('/') for name in parameters(model)} | {'config'}
    other = random_model(seed=1)
    chainer.serializers.load_npz(path, other)
    check_equal(model, other)


def test_the_authors_files_load():
    sizes = dict(in_channels=3, hidden_dims=6, block_num=3, out_hidden_dims=4, out_dims=4)
    model = serialization.load_model(os.path.join(DATA, 'author_pixelcnn_2'))
    snapshot = serialization.load_model(os.path.join(DATA, 'author_snapshot_iter_2'))
    check_equal(model, snapshot)
    assert model.about == snapshot.about == model.config.to_json() == sizes
    with np.load(os.path.join(DATA, 'author_pixelcnn_2')) as npz:
        assert all((parameters(model)['/' + name] == npz[name]).all() for name in npz.files)


GATED = [dict(form=form, **sizes) for form in ('paper', 'author') for sizes in (
    {}, dict(in_channels=1, out_dims=1, num_classes=3), dict(block_num=0, num_classes=1),
    dict(block_num=11, hidden_dims=13))]


@pytest.mark.parametrize('sizes', GATED)
def test_a_gated_model_comes_back(tmp_path, random_gated_model, sizes, device):
    model = random_gated_model(**sizes)
    model.to_device(device)
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, model, height=9)
    loaded = serialization.load_model(path)
    check_equal(model, loaded)
    assert loaded.about == dict(model.config.to_json(), model='gated', height=9)
    assert loaded.config == model.config


def test_the_authors_gated_files_load():
    sizes = dict(in_channels=3, hidden_dims=4, block_num=3, out_hidden_dims=5, out_dims=4,
                 num_classes=10, form='author')
    model = serialization.load_model(os.path.join(DATA, 'author_gated_2'))
    assert model.about == model.config.to_json() == sizes
    with np.load(os.path.join(DATA, 'author_gated_2')) as npz:
        arrays = {name: npz[name] for name in npz.files}
    assert all((parameters(model)['/' + name] == array).all() for name, array in arrays.items())
    snapshot = serialization.load_model(os.path.join(DATA, 'author_gated_snapshot_iter_2'))
    check_equal(model, snapshot)
    assert snapshot.about == sizes


def test_the_authors_files_of_wavenet_load():
    sizes = dict(out_dims=256, hidden_dim=2, out_hidden_dim=3, stacks_num=2, layers_num=3,
                 kernel_width=2, num_classes=0, form='author')
    model = serialization.load_model(os.path.join(DATA, 'author_wavenet_2'), data='sound')
    snapshot = serialization.load_model(os.path.join(DATA, 'author_wavenet_snapshot_iter_2'),
                                        data='sound')
    assert model.about == snapshot.about == model.config.to_json() == sizes
    check_equal(model, snapshot)
    with np.load(os.path.join(DATA, 'author_wavenet_2')) as npz:
        assert {'/' + name for name in npz.files} == parameters(model).keys()
        assert all((parameters(model)['/' + name] == npz[name]).all() for name in npz.files)


@pytest.mark.parametrize('name', ['author_wavenet_2', 'author_wavenet_snapshot_iter_2'])
def test_the_authors_wavenet_is_no_model_of_images(name):
    with pytest.raises(ValueError, match='a WaveNet is a model of sound, not of images'):
        serialization.load_model(os.path.join(DATA, name), data='images')


def test_the_authors_load_npz_reads_our_file_of_wavenet(tmp_path):
    model = serialization.load_model(os.path.join(DATA, 'author_wavenet_2'))
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, model)
    assert serialization.load_model(path).config == model.config
    other = type(model)(256, 2, 3, 2, 3, form='author')
    chainer.serializers.load_npz(path, other)
    check_equal(model, other)


class Evil:
    def __reduce__(self):
        return os.mkdir, ('pwned',)


def test_nothing_is_unpickled(tmp_path, monkeypatch, random_model):
    monkeypatch.chdir(tmp_path)
    arrays = chainer.serializers.npz.serialize(random_model())
    arrays['conv1/b'] = np.array([Evil()], object)
    np.savez('evil.npz', **arrays)
    with open('evil.pickle', 'wb') as file:
        pickle.dump(Evil(), file)
    for path in ('evil.npz', 'evil.pickle'):
        with pytest.raises(ValueError, match=path):
            serialization.load_model(path)
    assert not os.path.exists('pwned')


def without(name):
    def change(arrays):
        del arrays[name]
    return change


def reshaped(name, shape):
    def change(arrays):
        arrays[name] = np.zeros(shape, 'f')
    return change


@pytest.mark.parametrize('change', [
    without('conv1/W'), without('conv4/b'), without('blocks/1/conv2/W'),
    without('blocks/0/conv1/b'), reshaped('conv1/W', 3), reshaped('conv1/W', (12, 3, 5, 5)),
    reshaped('conv1/W', (12, 0, 7, 7)),
    reshaped('conv2/W', ()), reshaped('conv4/W', (13, 8, 1, 1)), reshaped('conv2/b', 9),
    reshaped('blocks/0/conv1/label/W', (2, 2)), reshaped('blocks/9/conv1/W', (6, 12, 1, 1)),
    lambda arrays: arrays.update(config=np.array('no JSON')),
    lambda arrays: arrays.update(config=np.array('[1, 2]')),
    lambda arrays: arrays.update(config=np.array('[' * 100000)),
    lambda arrays: arrays.update(config=np.array('{"height": "x"}')),
    lambda arrays: arrays.update(config=np.array('{"width": 0}')),
    lambda arrays: arrays.update(config=np.array('{"width": null}'))])
def test_what_is_no_model_is_refused(tmp_path, random_model, change):
    arrays = chainer.serializers.npz.serialize(random_model())
    change(arrays)
    path = str(tmp_path / 'model.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match='model.npz'):
        serialization.load_model(path)


@pytest.mark.parametrize('form', ['paper', 'author'])
@pytest.mark.parametrize('change', [
    without('conv1/vertical_conv_t/W'), without('conv4/b'), without('blocks/1/v_to_h_conv_s/W'),
    without('blocks/0/horizontal_conv_s/b'), reshaped('conv1/vertical_conv_t/W', 3),
    reshaped('conv1/vertical_conv_t/W', (12, 3, 4, 5)),
    reshaped('conv1/horizontal_conv_t/W', (12, 3, 7)),
    reshaped('conv1/label/W', (10, 13)), reshaped('conv1/label/W', (0, 12)),
    reshaped('conv1/label_horizontal_t/W', (9, 12)), reshaped('conv1/label_horizontal_t/W', ()),
    reshaped('blocks/1/label_vertical_t/W', (10, 12)), reshaped('conv1/W', (12, 3, 7, 7))])
def test_what_is_no_gated_model_is_refused(tmp_path, random_gated_model, form, change):
    arrays = chainer.serializers.npz.serialize(random_gated_model(form=form))
    change(arrays)
    path = str(tmp_path / 'model.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match='model.npz'):
        serialization.load_model(path)


def test_damaged_files_are_refused(tmp_path, random_model):
    path = tmp_path / 'model.npz'
    serialization.save_model(str(path), random_model())
    whole = path.read_bytes()
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1:]
    for content in (b'', b'text', whole[:-1], whole[:middle], whole[middle:], flipped,
                    single.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match='model.npz'):
            serialization.load_model(str(path))


def test_a_failed_save_leaves_the_old_model(tmp_path, random_model, monkeypatch):
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, random_model())

    def fail(descriptor):
        raise OSError('disk full')

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError):
        serialization.save_model(path, random_model(seed=1))
    check_equal(serialization.load_model(path), random_model())
    assert os.listdir(str(tmp_path)) == ['model.npz']


def make_trainer(model, levels=4):
    t = np.zeros((4, model.in_channels, 2, 2), 'i')
    updater = chainer.training.StandardUpdater(
        chainer.iterators.SerialIterator(list(zip(t.astype('f'), t)), 2),
        chainer.optimizers.Adam().setup(models.Classifier(model)))
    trainer = chainer.training.Trainer(updater, (2, 'iteration'))
    trainer.extend(snapshots.Settings({'levels': levels}))
    return trainer


def save_snapshot(path, model):
    trainer = make_trainer(model)
    trainer.run()
    model_file.save_arrays(path, chainer.serializers.npz.serialize(trainer))
    return trainer


def test_a_snapshot_comes_back(tmp_path, random_model):
    path = str(tmp_path / 'snapshot.npz')
    saved = save_snapshot(path, random_model())
    trainer = make_trainer(random_model(seed=1))
    snapshots.load_trainer(path, trainer)
    assert trainer.updater.iteration == 2
    targets = [t.updater.get_optimizer('main').target for t in (saved, trainer)]
    check_equal(*targets)


@pytest.mark.parametrize('sizes', [dict(hidden_dims=13), dict(out_hidden_dims=1),
                                   dict(block_num=2), dict(out_dims=2), dict(in_channels=1)])
def test_a_snapshot_of_another_architecture_is_refused(tmp_path, random_model, sizes):
    path = str(tmp_path / 'snapshot.npz')
    save_snapshot(path, random_model(**sizes))
    name, size = list(sizes.items())[0]
    with pytest.raises(ValueError, match=f'another architecture: {name} {size}'):
        snapshots.load_trainer(path, make_trainer(random_model()))


def test_a_snapshot_of_another_model_is_refused(tmp_path, random_model, random_gated_model):
    path = str(tmp_path / 'snapshot.npz')
    save_snapshot(path, random_model())
    with pytest.raises(ValueError, match='pixelcnn .here gated'):
        snapshots.load_trainer(path, make_trainer(random_gated_model()))


def test_a_snapshot_of_other_settings_is_refused(tmp_path, random_model):
    path = str(tmp_path / 'snapshot.npz')
    save_snapshot(path, random_model())
    with pytest.raises(ValueError, match='snapshot.npz.*trained with levels 4 .here 2'):
        snapshots.load_trainer(path, make_trainer(random_model(), levels=2))


@pytest.mark.parametrize('name', ['author_snapshot_iter_2', 'author_gated_snapshot_iter_2',
                                  'author_wavenet_snapshot_iter_2'])
def test_the_authors_snapshot_can_draw_and_not_train(name):
    model = serialization.load_model(os.path.join(DATA, name))
    with pytest.raises(ValueError, match='this train.py did not write it'):
        snapshots.load_trainer(os.path.join(DATA, name), make_trainer(model))


def test_a_model_is_no_snapshot(tmp_path, random_model):
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, random_model())
    with pytest.raises(ValueError, match='model.npz.* is a model.* from a snapshot_iter_N'):
        snapshots.load_trainer(path, make_trainer(random_model()))


# Models that come with the package

def test_a_pretrained_model_loads_by_its_name(tmp_path, random_model, monkeypatch):
    assert 'mnist' in wavenet.pretrained()
    for name in wavenet.pretrained():
        assert serialization.load_model(name).about['height'] == 28
    monkeypatch.chdir(tmp_path)
    serialization.save_model('mnist', random_model(hidden_dims=4))  # a file goes first
    assert serialization.load_model('mnist').config.hidden_dims == 4
    with pytest.raises(FileNotFoundError, match='mnits: there is no such file, and no pretrained '
                                                'model of this name; there are mnist'):
        serialization.load_model('mnits')
