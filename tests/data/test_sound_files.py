import os
import shutil
import sys

import numpy as np
import pytest
import soundfile
import soxr

from data.sounds import waves, write_sounds
from wavenet.data import sound_files
from wavenet.data.sound import encode, levels_of_sound
from wavenet.data.sound_files import read_sound_file, read_sound_folder

# Single files


def read_waveform(path, rate=8000):
    """What becomes levels, float32 (T,)."""
    return np.concatenate(list(sound_files._blocks(path, rate)))


WIDTHS = {'PCM_U8': 1 / 128, 'PCM_16': 2 ** -15, 'PCM_24': 2 ** -23, 'PCM_32': 2 ** -24,
          'FLOAT': 2 ** -24, 'DOUBLE': 2 ** -24}


@pytest.mark.parametrize('subtype', WIDTHS)
def test_wav_of_every_width(tmp_path, subtype):
    path, sound = tmp_path / 'sound.wav', waves(1000)
    soundfile.write(path, sound, 8000, subtype=subtype)
    read = read_waveform(path)
    assert read.dtype == np.float32 and read.shape == (1000,)
    assert abs(read - sound).max() <= WIDTHS[subtype]
    assert (read_sound_file(path) == levels_of_sound(read.astype('d'))).all()


@pytest.mark.parametrize('ending, subtype, length', [
    ('.flac', 'PCM_16', 16000), ('.flac', 'PCM_24', 16000), ('.ogg', 'VORBIS', 16000),
    ('.opus', 'OPUS', 16000), ('.mp3', 'MPEG_LAYER_III', 16000)])
def test_compressed_files(tmp_path, ending, subtype, length):
    path, sound = tmp_path / ('sound' + ending), 0.5 * np.sin(np.arange(length) / 10)
    kind = {'.opus': 'OGG'}.get(ending)
    soundfile.write(path, sound, 16000, subtype=subtype, format=kind)
    read = read_waveform(path, 16000)
    assert len(read) == length and abs(read - sound).mean() < 0.02
    assert len(read_sound_file(path)) == length // 2


def test_the_decoder_of_mp3_says_nothing(tmp_path, capfd):
    path = tmp_path / 'sound.mp3'
    soundfile.write(path, waves(50000), 8000)
    path.write_bytes(path.read_bytes()[:2000])             # libmpg123 has much to say of this
    capfd.readouterr()
    assert 1000 < len(read_sound_file(path)) < 50000
    print('still there', file=sys.stderr)
    assert capfd.readouterr().err == 'still there\n'


@pytest.mark.parametrize('subtype', WIDTHS)
def test_silence_is_the_middle_level_in_every_width(tmp_path, subtype):
    for rate in (8000, 44100):
        soundfile.write(tmp_path / 'sound.wav', np.zeros((500, 2)), rate, subtype=subtype)
        assert set(read_sound_file(tmp_path / 'sound.wav')) == {128}
        assert set(read_sound_file(tmp_path / 'sound.wav', levels=15)) == {7}


def test_channels_become_their_mean(tmp_path):
    path, sound = tmp_path / 'sound.wav', waves(1000, channels=3)
    soundfile.write(path, sound, 8000, subtype='FLOAT')
    assert abs(read_waveform(path) - sound.mean(axis=1)).max() < 1e-7
    soundfile.write(path, np.stack([sound[:, 0], -sound[:, 0]], axis=1), 8000, subtype='FLOAT')
    assert (read_sound_file(path) == 128).all()


@pytest.mark.parametrize('rate, new_rate', [(16000, 8000), (44100, 8000), (11025, 8000),
                                            (8000, 22050), (48000, 16000)])
def test_resampling(tmp_path, monkeypatch, rate, new_rate):
    path, sound = tmp_path / 'sound.wav', waves(5000).astype('f')
    soundfile.write(path, sound, rate, subtype='FLOAT')
    expected = soxr.resample(sound, rate, new_rate)
    assert np.array_equal(read_waveform(path, new_rate), expected)
    assert (read_sound_file(path, new_rate) == encode(expected)).all()
    monkeypatch.setattr(sound_files, 'BLOCK', 100)       # block by block, it is the same
    parts = read_waveform(path, new_rate)
    assert len(parts) == len(expected) and abs(parts - expected).max() < 1e-6


@pytest.mark.parametrize('length', [1, 2, 3, 7])
@pytest.mark.parametrize('rate', [8000, 48000, 1000])
def test_recordings_of_few_samples(tmp_path, length, rate):
    path = tmp_path / 'sound.wav'
    soundfile.write(path, np.full(length, 0.5), rate)
    levels = read_sound_file(path)
    assert abs(len(levels) - length * 8000 / rate) < 1 and len(levels)


def test_overshoot_is_clipped(tmp_path):
    square = np.where(np.arange(4000) // 50 % 2, 1.0, -1.0)
    soundfile.write(tmp_path / 'sound.wav', square, 16000, subtype='PCM_16')
    assert abs(soxr.resample(square, 16000, 8000)).max() > 1.05
    levels = read_sound_file(tmp_path / 'sound.wav')
    assert levels.min() == 0 and levels.max() == 255
    assert (levels[:24] < 20).all()                         # nothing of -1 becomes loud at 255
    soundfile.write(tmp_path / 'loud.wav', 1.5 * square, 8000, subtype='FLOAT')
    assert set(read_sound_file(tmp_path / 'loud.wav')) == {0, 255}


def bad_files(folder):
    """Writes files that cannot be read. Returns: words of their errors by name."""
    write_sounds(folder, [100])
    good = (folder / '00.wav').read_bytes()
    for name, sound, rate in (
            ('empty.wav', np.zeros(0), 8000), ('nan.wav', [0, np.nan], 8000),
            ('inf.wav', [0, -np.inf], 8000), ('loud.wav', [0, 32767.], 8000),
            ('slow.wav', np.zeros(9), 999)):
        soundfile.write(folder / name, sound, rate, subtype='FLOAT')
    soundfile.write(folder / 'aiff.wav', np.zeros(9), 8000, format='AIFF')
    for name, content in {
            'nothing.wav': b'', 'text.mp3': b'text', 'header.wav': good[:44],
            'cut.wav': good[:30], '0 Hz.wav': good[:24] + bytes(4) + good[28:]}.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / 'pipe.wav')
    return {'empty.wav': 'no samples', 'nan.wav': 'NaN', 'inf.wav': 'NaN or beyond',
            'loud.wav': 'beyond 64', 'slow.wav': '999 Hz', 'aiff.wav': 'AIFF',
            'nothing.wav': 'none of the formats WAV', 'text.mp3': 'none of the formats WAV',
            'header.wav': 'no samples', 'cut.wav': '', '0 Hz.wav': '', 'pipe.wav': 'regular'}


def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path, capfd):
    write_sounds(tmp_path / 'good', [9])
    read_sound_file(tmp_path / 'good/00.wav')
    open_files = len(os.listdir('/proc/self/fd'))
    for name, words in bad_files(tmp_path).items():
        with pytest.raises((ValueError, OSError)) as error:
            read_sound_file(tmp_path / name)
        text = str(error.value)
        assert str(tmp_path / name) in text and words in text and '\n' not in text
        assert '<' not in text and text.count(str(tmp_path)) == 1
        del error
    assert len(os.listdir('/proc/self/fd')) == open_files
    assert capfd.readouterr() == ('', '')


def test_a_file_that_is_cut_off_keeps_what_is_there_or_is_refused(tmp_path):
    for name, subtype in (('a.wav', 'PCM_16'), ('a.flac', 'PCM_16'), ('a.ogg', 'VORBIS')):
        soundfile.write(tmp_path / name, waves(50000), 8000, subtype=subtype)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:len(content) // 2])
    assert 24000 < len(read_sound_file(tmp_path / 'a.wav')) < 25000
    assert 15000 < len(read_sound_file(tmp_path / 'a.ogg')) < 25000
    with pytest.raises(ValueError, match='a.flac: cannot be read as sound'):
        read_sound_file(tmp_path / 'a.flac')


@pytest.mark.parametrize('claimed', [0, 2 ** 31 - 2, 2 ** 32 - 1])
def test_sizes_that_lie(tmp_path, claimed):
    write_sounds(tmp_path, [50])
    content = bytearray((tmp_path / '00.wav').read_bytes())
    good = read_sound_file(tmp_path / '00.wav')
    content[40:44] = claimed.to_bytes(4, 'little')         # the bytes of samples
    (tmp_path / '00.wav').write_bytes(content)
    if claimed:
        assert (read_sound_file(tmp_path / '00.wav') == good).all()
    else:
        with pytest.raises(ValueError, match='no samples'):
            read_sound_file(tmp_path / '00.wav')


def test_recordings_of_many_hours_are_refused_before_they_are_read(tmp_path, monkeypatch):
    soundfile.write(tmp_path / 'a.wav', np.zeros(1001), 8000)
    monkeypatch.setattr(sound_files, 'MAX_SAMPLES', 1000)
    with monkeypatch.context() as patched:
        patched.delattr(soundfile.SoundFile, 'read')
        with pytest.raises(ValueError, match='a.wav.*longer than 1000 samples at 8000 Hz'):
            read_sound_file(tmp_path / 'a.wav')
    monkeypatch.setattr(sound_files, 'MAX_SAMPLES', 1001)
    assert len(read_sound_file(tmp_path / 'a.wav')) == 1001


@pytest.mark.parametrize('name', ['soundfile', 'soxr'])
def test_a_missing_package_is_named(tmp_path, monkeypatch, name):
    write_sounds(tmp_path, [100])
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=f'sound needs the package {name}.*pip install {name}'):
        read_sound_file(tmp_path / '00.wav')


# Folders

def test_a_folder_of_recordings(tmp_path):
    sounds = write_sounds(tmp_path, [50, 1, 300])
    for name in ('notes.txt', '.hidden.wav'):
        (tmp_path / name).write_text('no sound')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'a folder.wav').mkdir()
    train, test = read_sound_folder(str(tmp_path))
    assert test is None and train.class_ids is None and train.class_names == ()
    assert train.names == ('00.wav', '01.wav', '02.wav') and train.rate == 8000
    assert [len(one) for one in train] == [50, 1, 300]
    for one, sound in zip(train, sounds):
        assert (one == levels_of_sound(sound / 2 ** 15)).all()


def test_subfolders_are_classes_however_deep(tmp_path):
    write_sounds(tmp_path / 'b', [10, 20])
    write_sounds(tmp_path / 'a/2/deep', [40], ending='.FLAC')
    write_sounds(tmp_path / 'a/1', [30])
    for name in ('5.wav', '3.wav', '4.wav'):
        shutil.copy(tmp_path / 'a/1/00.wav', tmp_path / 'a/1' / name)
    write_sounds(tmp_path / 'a/.hidden', [9])
    write_sounds(tmp_path / '.hidden', [9])
    train = read_sound_folder(tmp_path).train
    assert train.class_names == ('a', 'b') and train.class_ids.tolist() == [0] * 5 + [1] * 2
    assert train.names == ('a/1/00.wav', 'a/1/3.wav', 'a/1/4.wav', 'a/1/5.wav',
                           'a/2/deep/00.FLAC', 'b/00.wav', 'b/01.wav')
    assert train.lengths.tolist() == [30] * 4 + [40, 10, 20]
    write_sounds(tmp_path, [5])
    train = read_sound_folder(tmp_path).train
    assert train.class_names == ('', 'a', 'b')
    assert train.class_ids.tolist() == [0] + [1] * 5 + [2] * 2


def test_folders_of_parts_are_the_split(tmp_path):
    write_sounds(tmp_path / 'train/b', [10])
    write_sounds(tmp_path / 'train/c/1', [20, 30])
    write_sounds(tmp_path / 'Test/a', [40])                # a class that only the tests have
    write_sounds(tmp_path / 'Test/c', [50])
    train, test = read_sound_folder(tmp_path)
    assert train.class_names == test.class_names == ('a', 'b', 'c')
    assert train.class_ids.tolist() == [1, 2, 2] and test.class_ids.tolist() == [0, 2]
    assert train.lengths.tolist() == [10, 20, 30] and test.lengths.tolist() == [40, 50]
    write_sounds(tmp_path / 'val', [1])
    with pytest.raises(ValueError, match='Test and val are both recordings to test on'):
        read_sound_folder(tmp_path)


def test_parts_without_classes(tmp_path):
    write_sounds(tmp_path / 'training', [10, 20])
    write_sounds(tmp_path / 'valid', [30])
    train, test = read_sound_folder(tmp_path)
    assert train.class_ids is None and test.class_ids is None and len(train) == 2
    write_sounds(tmp_path / 'bus', [40])                   # now they are classes
    assert read_sound_folder(tmp_path).train.class_names == ('bus', 'training', 'valid')


def test_links_do_not_lead_in_circles(tmp_path):
    write_sounds(tmp_path / 'a', [10])
    (tmp_path / 'a/again').symlink_to(tmp_path / 'a')
    assert read_sound_folder(tmp_path).train.names == ('a/00.wav',)


def test_bad_files_are_left_out_with_a_line_each(tmp_path, capfd):
    bad = bad_files(tmp_path)
    del bad['pipe.wav']                                    # no file, so it does not count
    write_sounds(tmp_path / 'class', [20])
    (tmp_path / 'none').mkdir()
    (tmp_path / 'none/a.wav').write_text('no sound')
    train = read_sound_folder(tmp_path).train
    assert train.names == ('00.wav', 'class/00.wav') and train.class_names == ('', 'class')
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == '' and len(lines) == len(bad) + 1
    for name in [*bad, 'none/a.wav']:
        assert sum(f'{tmp_path}/{name}' in line and ' warning: ' in line for line in lines) == 1


def test_strict_refuses_the_first_bad_file(tmp_path, capfd):
    bad_files(tmp_path)
    with pytest.raises(ValueError, match='0 Hz.wav'):
        read_sound_folder(tmp_path, strict=True)
    assert capfd.readouterr() == ('', '')


def test_a_folder_without_good_files_is_one_line(tmp_path, capfd):
    with pytest.raises(ValueError, match='no sound files'):
        read_sound_folder(tmp_path)
    (tmp_path / 'a.wav').write_text('no sound')
    with pytest.raises(ValueError, match=r'a.wav: cannot be read as sound \([^;]*\)$'):
        read_sound_folder(tmp_path)
    (tmp_path / 'b.wav').write_text('no sound')
    (tmp_path / 'c.wav').write_text('no sound')
    with pytest.raises(ValueError, match='a.wav.*nor can the 2 others'):
        read_sound_folder(tmp_path)
    assert capfd.readouterr() == ('', '')


def test_more_recordings_than_memory_are_refused(tmp_path, monkeypatch):
    write_sounds(tmp_path, [100, 100])
    monkeypatch.setattr('wavenet.devices.memory_limit', lambda: (150, 'this machine has'))
    with pytest.raises(MemoryError, match='recordings'):
        read_sound_folder(tmp_path)
