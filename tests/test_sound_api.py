"""wavenet.load of a model of sound: SoundModel."""
import numpy as np
import pytest
import soundfile

import wavenet
from data.sounds import waves, write_sounds
from families.wavenet.test_model import random_wavenet
from wavenet import sampling, serialization, sounds
from wavenet.data.sound import encode
from wavenet.data.sound_files import read_sound_file

RATE, LEVELS = 1000, 16


@pytest.fixture
def model(tmp_path):
    return load(tmp_path)


def load(tmp_path, form='paper', num_classes=0, **about):
    path = str(tmp_path / 'model.npz')
    serialization.save_model(path, random_wavenet(form, num_classes, LEVELS), rate=RATE, **about)
    return wavenet.load(path)


def whole_log_prob(model, levels, k=0):
    levels = levels[None].astype('i')
    logits = model.network(levels, np.array([k], 'i')).array.astype('d')
    return -float(model.network.distribution.nll(logits, levels).array[0])


def test_what_it_is(model, tmp_path):
    assert isinstance(model, wavenet.SoundModel) and model.rate == RATE
    assert (model.levels, model.num_classes, model.class_names) == (LEVELS, 0, None)
    assert repr(model).startswith('<WaveNet: out_dims=16, hidden_dim=4')
    model.save(str(tmp_path / 'copy.npz'))
    copy = wavenet.load(str(tmp_path / 'copy.npz'))
    assert copy.rate == RATE and copy.about == model.about
    assert (copy.sample(2, length=9, seed=1) == model.sample(2, length=9, seed=1)).all()


@pytest.mark.parametrize('form', ['paper', 'author'])
def test_samples(tmp_path, form):
    model, counts = load(tmp_path, form), []
    result = model.sample(3, seconds=0.05, seed=1, progress=counts.append)
    samples = sampling.generate(model.network, (3, 50), 1)
    assert result.dtype == np.int16 and result.shape == (3, 50) and sum(counts) == 50
    assert (result == sounds.waveform(model.network, samples)).all()
    levels = model.sample(3, length=50, seed=1, as_levels=True)
    assert levels.dtype == np.uint8 and (levels == np.rint(samples * 15)).all()
    if form == 'paper':      # what is heard has the same levels
        assert all((encode(one / 32768, LEVELS) == of_one).all()
                   for one, of_one in zip(result, levels))
    assert model.sample(0, length=5).shape == (0, 5) and model.sample(2, length=0).shape == (2, 0)


def test_a_recording_is_continued(model, tmp_path):
    given = waves(30)
    result = model.sample(2, length=10, seed=1, given=given, as_levels=False)
    assert result.shape == (2, 40)
    kept = encode(given, LEVELS)
    assert (result[:, :30] == sounds.waveform(model.network, kept / np.float32(15))).all()
    of_levels = model.sample(2, length=10, seed=1, given=kept, as_levels=True)
    assert (of_levels[:, :30] == kept).all()
    assert (sounds.waveform(model.network, of_levels / np.float32(15)) == result).all()


def test_log_prob_is_that_of_the_whole_recording(model, tmp_path):
    lengths = [1, 700, 6000, 33]
    ints = write_sounds(tmp_path / 'sounds', lengths, RATE)
    levels = [read_sound_file(str(tmp_path / f'sounds/{n:02}.wav'), RATE, LEVELS)
              for n in range(len(lengths))]
    expected = [whole_log_prob(model, one) for one in levels]
    floats = [soundfile.read(str(tmp_path / f'sounds/{n:02}.wav'))[0]
              for n in range(len(lengths))]
    counts = []
    for given in ints, floats:
        np.testing.assert_allclose(model.log_prob(given, progress=counts.append), expected,
                                   rtol=1e-6)
    assert sum(counts) == 2 * 5                       # windows
    np.testing.assert_allclose(model.log_prob(levels, as_levels=True, batchsize=1), expected,
                               rtol=1e-6)
    assert model.log_prob([]).shape == (0,)
    batch = np.array([levels[1][:20], levels[2][:20]])
    np.testing.assert_allclose(model.log_prob(batch, as_levels=True),
                               [whole_log_prob(model, one) for one in batch], rtol=1e-6)


def test_classes(tmp_path):
    model = load(tmp_path, num_classes=3, class_names=['ann', 'bob', 'cy'])
    levels = model.sample(4, length=30, seed=0, as_levels=True, class_ids='bob')
    expected = sampling.generate(model.network, (4, 30), 0, class_ids=np.ones(4, 'i'))
    assert (levels == np.rint(expected * 15)).all()
    ids = [0, 1, 2, 1]
    np.testing.assert_allclose(
        model.log_prob(levels, ids, as_levels=True),
        [whole_log_prob(model, one, k) for one, k in zip(levels, ids)], rtol=1e-6)
    with pytest.raises(ValueError, match='give class_ids'):
        model.log_prob(levels, as_levels=True)
    with pytest.raises(ValueError, match="no class 'dan'; it has ann, bob, cy"):
        model.sample(1, length=3, class_ids='dan')


@pytest.mark.parametrize('arguments, words', [
    (dict(), 'give seconds or length'), (dict(seconds=1, length=1), 'give seconds or length'),
    (dict(length=-1), 'must not be negative'), (dict(length=1, temperature=0), 'temperature'),
    (dict(length=1, class_ids=0), 'unconditional'),
    (dict(length=1, given=[[0.0]]), 'shape'), (dict(length=1, given=[2.0]), r'within|\[-1, 1\]')])
def test_mistakes(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.sample(1, **arguments)


@pytest.mark.parametrize('recording, as_levels, words', [
    ([0.1, np.nan], False, 'floating in'), ([1, 2], False, 'as_levels=True'),
    ([16], True, 'from 0 to 15'), ([-1], True, 'from 0 to 15'), ([0.5], True, 'from 0 to 15'),
    ([], True, 'from 0 to 15|at least one sample'), ([[1]], True, 'shape')])
def test_what_is_no_recording(model, recording, as_levels, words):
    with pytest.raises(ValueError, match=words):
        model.log_prob([np.array(recording)], as_levels=as_levels)


def test_training_from_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sounds(tmp_path / 'sounds', [300, 500, 200, 900], RATE)
    model = wavenet.train('sounds', model='wavenet', rate=RATE, levels=LEVELS, stacks_num=1,
                          layers_num=3, hidden_dim=4, iteration=2, batchsize=2)
    assert isinstance(model, wavenet.SoundModel) and model.about['iteration'] == 2
    assert model.sample(1, seconds=0.1).shape == (1, 100)


@pytest.mark.gpu
def test_on_a_gpu(model):
    levels = model.sample(2, length=40, seed=3, as_levels=True)
    expected = model.log_prob(levels, as_levels=True)
    model.to_device('@cupy:0')
    np.testing.assert_allclose(model.log_prob(levels, as_levels=True), expected, rtol=1e-5)
