"""Recordings from sound files, folders, .npz files, and the embedded speech."""
import numpy as np
import pytest

from wavenet.data.load_sound import SPEECH, load_recordings
from wavenet.data.sound import decode, encode, levels_of_sound, write_wav
from wavenet.data.sound_files import read_sound_file

soundfile = pytest.importorskip('soundfile')
pytest.importorskip('soxr')


def tone(length, rate=8000, pitch=440):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(length) / rate)


@pytest.fixture
def folder(tmp_path):
    """Two classes of five recordings each, of 100 samples and more."""
    for name in 'ann', 'bob':
        (tmp_path / name).mkdir()
        for n in range(5):
            write_wav(str(tmp_path / name / f'{n}.wav'), tone(100 + n, pitch=200 + 90 * n))
    return tmp_path


def test_decode_is_the_inverse_of_encode():
    for levels in 2, 24, 256:
        targets = np.arange(levels)
        assert (encode(decode(targets, levels), levels) == targets).all()
    assert decode(encode(np.zeros(3))).tolist() == [0, 0, 0]


def test_the_embedded_speech():
    train, test = load_recordings('speech')
    assert (len(train), len(test), train.rate) == (4, 1, 8000)
    assert train.levels.dtype == np.uint8 and train.class_ids is None
    with np.load(SPEECH) as npz:
        assert (np.concatenate([train.levels, test.levels]) == npz['levels']).all()
    other, _ = load_recordings('speech', rate=4000, levels=16)
    assert other.rate == 4000 and 12 < other.levels.max() < 16
    np.testing.assert_allclose(other.lengths, train.lengths / 2, atol=1)


@pytest.mark.parametrize('subtype', ['PCM_U8', 'PCM_16', 'PCM_24', 'PCM_32', 'FLOAT', 'DOUBLE'])
def test_wav_of_every_width(tmp_path, subtype):
    """The author's code makes noise of 8 bits and nothing of floats."""
    path, sound = str(tmp_path / 'a.wav'), tone(500)
    soundfile.write(path, sound, 8000, subtype)
    levels = read_sound_file(path)
    assert abs(levels.astype(int) - levels_of_sound(sound)).max() <= (
        60 if subtype == 'PCM_U8' else 2)        # 8 bits know few values near silence
    assert abs(decode(levels) - sound).max() < 0.03


@pytest.mark.parametrize('name', ['a.flac', 'a.ogg', 'a.mp3'])
def test_other_formats_and_other_rates_and_stereo(tmp_path, name):
    path = str(tmp_path / name)
    left = tone(32000, 16000)
    soundfile.write(path, np.stack([left, 0.5 * left], axis=1), 16000)
    levels = read_sound_file(path, rate=8000)
    assert abs(len(levels) - 16000) <= 1200       # MP3 may pad
    middle = decode(levels)[4000:12000]
    assert np.abs(middle).max() == pytest.approx(0.375, abs=0.03)             # the mean
    pitch = np.abs(np.fft.rfft(middle)).argmax() * 8000 / len(middle)
    assert pitch == pytest.approx(440, abs=2)


def test_a_folder_of_classes(folder):
    train, test = load_recordings(str(folder))
    assert train.class_names == test.class_names == ('ann', 'bob')
    assert len(train) == 9 and len(test) == 1
    for part in train, test:
        for i, (name, class_id) in enumerate(zip(part.names, part.class_ids)):
            assert name.startswith(('ann', 'bob')[class_id])
            assert (part[i] == read_sound_file(str(folder / name))).all()
    again, _ = load_recordings(str(folder))
    assert again.names == train.names and sorted(train.names) == list(train.names)


def test_bad_files_are_left_out_with_a_line_each(folder, capsys):
    (folder / 'ann' / 'no.wav').write_bytes(b'RIFF and nothing more')
    soundfile.write(str(folder / 'bob' / 'nan.wav'), np.array([0, np.nan]), 8000, 'FLOAT')
    soundfile.write(str(folder / 'bob' / 'empty.wav'), np.zeros(0), 8000)
    train, test = load_recordings(str(folder))
    assert len(train) + len(test) == 10
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for name, line in zip(('no.wav', 'empty.wav', 'nan.wav'), lines):
        assert name in line and 'left out' in line
    with pytest.raises(ValueError, match='no.wav'):
        load_recordings(str(folder), strict=True)


def test_a_header_that_claims_hours_takes_no_memory(tmp_path):
    path = tmp_path / 'a.wav'
    write_wav(str(path), tone(50))
    content = bytearray(path.read_bytes())
    content[40:44] = (2 ** 31 - 2).to_bytes(4, 'little')      # bytes of samples
    path.write_bytes(content)
    assert len(read_sound_file(str(path))) == 50


def test_a_recording_of_one_sample(tmp_path):
    path = str(tmp_path / 'a.wav')
    write_wav(path, np.array([0.5]))
    assert (read_sound_file(path) == levels_of_sound(np.array([0.5]))).all()
    assert len(read_sound_file(path, rate=1000)) == 1


def test_an_npz_file(tmp_path):
    sounds = [tone(n) for n in (3, 1, 5)]
    path = str(tmp_path / 'a.npz')
    np.savez(path, samples=np.concatenate(sounds).astype('f'), lengths=[3, 1, 5], rate=8000,
             test=[False, True, False], digits=[2, 0, 1], classes=['x', 'y', 'x'])
    train, test = load_recordings(path)
    assert (train.lengths.tolist(), test.lengths.tolist()) == ([3, 5], [1])
    assert abs(train[1].astype(int) - levels_of_sound(sounds[2])).max() <= 1
    assert train.class_names == ('x', 'y') and train.class_ids.tolist() == [0, 0]
    train, _ = load_recordings(path, classes='digits')
    assert train.class_ids.tolist() == [2, 1]


@pytest.mark.parametrize('change, message', [
    (dict(lengths=[3, 2]), 'lengths'), (dict(rate=0), 'rate'), (dict(rate=[1, 2]), 'rate'),
    (dict(samples=np.full(6, np.nan)), 'NaN'), (dict(test=[1, 2]), 'test'),
    (dict(classes=[-1, 0]), 'classes'), (dict(samples=np.zeros((2, 3))), 'samples')])
def test_a_wrong_npz_is_named(tmp_path, change, message):
    path = str(tmp_path / 'a.npz')
    np.savez(path, **{**dict(samples=np.zeros(6, 'i2'), lengths=[3, 3], rate=8000), **change})
    with pytest.raises(ValueError, match=message) as raised:
        load_recordings(path)
    assert 'a.npz' in str(raised.value) and '\n' not in str(raised.value)


def test_one_recording_is_divided_by_time(tmp_path):
    path = str(tmp_path / 'a.wav')
    write_wav(path, tone(101))
    train, test = load_recordings(path)
    assert train.lengths.tolist() == [90] and test.lengths.tolist() == [11]
    assert (np.concatenate([train.levels, test.levels]) == read_sound_file(path)).all()


@pytest.mark.parametrize('source, more, message', [
    ('nowhere', {}, 'unknown dataset'), ('speech', dict(rate=0), '--rate'),
    ('speech', dict(levels=1), 'levels'), ('speech', dict(classes='x'), '--classes')])
def test_wrong_arguments(source, more, message):
    with pytest.raises(ValueError, match=message):
        load_recordings(source, **more)
