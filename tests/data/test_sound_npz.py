import numpy as np
import pytest
import soxr

from wavenet.data.sound import encode
from wavenet.data.sound_npz import read_sound_npz

LENGTHS = [30, 1, 50]
SAMPLES = np.random.RandomState(0).randint(-2 ** 15, 2 ** 15, 81).astype('i2')
GOOD = dict(samples=SAMPLES, lengths=np.array(LENGTHS, 'i4'), rate=8000)


@pytest.fixture
def read(tmp_path):
    def save_and_read(*args, omit=(), **arrays):
        path = str(tmp_path / 'sounds.npz')
        arrays = {**GOOD, **arrays}
        np.savez(path, **{name: array for name, array in arrays.items() if name not in omit})
        return read_sound_npz(path, *args)
    return save_and_read


@pytest.mark.parametrize('samples', [SAMPLES, SAMPLES / 2 ** 15, (SAMPLES / 2 ** 15).astype('f')])
def test_recordings_of_an_npz(read, samples):
    train, test = read(samples=samples)
    assert test is None and train.lengths.tolist() == LENGTHS and train.names == ('0', '1', '2')
    assert train.class_ids is None and train.class_names == () and train.rate == 8000
    assert (train.levels == encode(SAMPLES / 2 ** 15)).all()


def test_test_recordings_and_names(read):
    train, test = read(test=[False, True, False], names=['a', 'b', 'c'])
    assert train.lengths.tolist() == [30, 50] and train.names == ('a', 'c')
    assert test.names == ('b',) and test.levels == encode(SAMPLES[30:31] / 2 ** 15)
    assert read(test=[False] * 3).test is None and read(test=[True] * 3).train is None


def test_each_recording_is_resampled_by_itself(read):
    train = read(16000, 64, rate=np.array([22050.0])).train
    sound = (SAMPLES / 2 ** 15).astype('f')
    expected = [soxr.resample(part, 22050, 16000) for part in np.split(sound, [30, 31])]
    assert (train.levels == encode(np.concatenate(expected), 64)).all() and train.rate == 16000
    assert train.lengths.tolist() == [len(one) for one in expected]
    assert read(rate=192000).train.lengths.tolist() == [1, 1, 2]     # one sample of each is kept


@pytest.mark.parametrize('arrays, key, ids, names', [
    (dict(classes=['b', 'a', 'b']), None, [1, 0, 1], ('a', 'b')),
    (dict(classes=np.array([2, 0, 2], 'u1')), None, [2, 0, 2], ('0', '1', '2')),
    (dict(classes=[1, 0, 1], class_names=['x', 'y']), None, [1, 0, 1], ('x', 'y')),
    (dict(digits=[1, 0, 1]), None, None, ()),
    (dict(digits=[1, 0, 1], classes=[0, 0, 0]), 'digits', [1, 0, 1], ('0', '1')),
    (dict(speaker=[1, 0, 1], speakers=['x', 'y', 'z']), 'speaker', [1, 0, 1], ('x', 'y', 'z')),
    (dict(speaker=[1, 0, 1], speaker_names=['x', 'y']), 'speaker', [1, 0, 1], ('x', 'y')),
    (dict(digit=[1, 0, 1], digits=[7, 7, 7]), 'digit', [1, 0, 1], ('0', '1'))])
def test_classes(read, arrays, key, ids, names):
    train = read(8000, 256, key, **arrays).train
    assert train.class_names == names
    assert (None if train.class_ids is None else train.class_ids.tolist()) == ids


@pytest.mark.parametrize('words, arrays', [
    ('samples must be int16', dict(samples=SAMPLES.astype('u1'))),
    ('samples must be int16', dict(samples=SAMPLES.astype('i4'))),
    ('samples must be int16', dict(samples=SAMPLES.reshape(9, 9))),
    ('samples must be int16', dict(samples=SAMPLES[:0])),
    ('within', dict(samples=SAMPLES.astype('f'))),
    ('within', dict(samples=np.full(81, np.nan))),
    ('lengths must be', dict(lengths=[30, 50])), ('lengths must be', dict(lengths=[0, 31, 50])),
    ('lengths must be', dict(lengths=[-1, 32, 50])), ('lengths must be', dict(lengths=[])),
    ('lengths must be', dict(lengths=[30.0, 1, 50])), ('lengths must be', dict(lengths=[[81]])),
    ('lengths must be', dict(lengths=np.array([2 ** 63, 2 ** 63, 81], 'u8'))),
    ('rate', dict(rate=0)), ('rate', dict(rate=-8000)), ('rate', dict(rate=2.5e9)),
    ('rate', dict(rate=np.nan)), ('rate', dict(rate='fast')), ('rate', dict(rate=[8000, 8000])),
    ('rate', dict(rate=8000.5)),
    ('test must be', dict(test=[True])), ('test must be', dict(test=[0, 1, 2])),
    ('test must be', dict(test=[0.0, 1.0, 0.0])),
    ('names must be', dict(names=['a'])), ('names must be', dict(names=[1, 2, 3])),
    ('classes must be', dict(classes=[0, 1])), ('classes must be', dict(classes=[0, -1, 1])),
    ('classes must be', dict(classes=[0.0, 1.0, 0.0])), ('classes must be', dict(classes=['a'])),
    ('classes must be', dict(classes=[0, 1, 2 ** 16])),
    ('names of its classes', dict(classes=[0, 1, 2], class_names=['a', 'b'])),
    ('names of its classes', dict(classes=[0, 1, 1], class_names=['a', 'a']))])
def test_what_is_wrong_is_named(read, words, arrays):
    with pytest.raises(ValueError, match=f'sounds.npz: .*{words}') as error:
        read(**arrays)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['samples', 'lengths', 'rate'])
def test_what_is_missing_is_named(read, name):
    with pytest.raises(ValueError, match=f'sounds.npz: .*contains no {name}'):
        read(omit=[name])
    with pytest.raises(ValueError, match="no 'digits', which --classes names, but lengths"):
        read(8000, 256, 'digits')
