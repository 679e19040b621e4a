import subprocess
import sys

import numpy as np
import pytest
import soundfile

from data.sounds import waves, write_sounds
from helpers import ROOT
from wavenet.data.load_sound import SPEECH, load_recordings
from wavenet.data.sound import encode

# The embedded speech


def test_speech():
    train, test = load_recordings('Speech')
    with np.load(SPEECH) as npz:
        assert (np.concatenate([train.levels, test.levels]) == npz['levels']).all()
        assert train.names + test.names == tuple(npz['names'])
        assert 'LibriVox' in str(npz['source']) and 'Public domain' in str(npz['licence'])
    assert train.lengths.tolist() == [56800, 23920, 42400, 48400]
    assert test.lengths.tolist() == [26320]
    assert train.rate == 8000 and train.class_ids is None and train.levels.dtype == np.uint8
    assert SPEECH.stat().st_size < 180_000


def test_speech_costs_as_many_bits_as_counts_of_its_levels_say():
    train, test = load_recordings('speech')
    counts = 1 + np.bincount(train.levels, minlength=256)
    bits = -np.log2(counts / counts.sum())[test.levels].mean()
    assert abs(bits - 7.526) < 0.01


def test_speech_at_another_rate_and_with_other_levels():
    train, test = load_recordings('speech', 16000, 24)
    assert train.rate == 16000 and train.levels.max() == 22
    assert test.lengths.tolist() == [2 * 26320]
    assert load_recordings('speech', 4000)[1].lengths.tolist() == [26320 // 2]
    silent = load_recordings('speech', levels=16)[0].levels
    assert 0.2 < (abs(silent.astype(int) - 8) <= 1).mean()          # most of speech is not loud


# Recordings of one's own

def test_a_tenth_of_a_folder_or_an_npz_is_held_out(tmp_path):
    sounds = write_sounds(tmp_path / 'sounds', range(10, 35))
    np.savez(tmp_path / 'sounds.npz', samples=np.concatenate(sounds), rate=8000,
             lengths=[len(sound) for sound in sounds])
    tests = []
    for name in ('sounds', 'sounds.npz'):
        train, test = load_recordings(str(tmp_path / name))
        assert len(train) + len(test) == 25 and len(test) in (2, 3)
        tests.append(test.levels.tolist())
    assert tests[0] == tests[1]
    other = load_recordings(str(tmp_path / 'sounds'), split_seed=1)[1]
    assert other.levels.tolist() != tests[0]


def test_one_sound_file_is_divided_in_time(tmp_path):
    sound = waves(1000).astype('f')
    soundfile.write(tmp_path / 'sound.wav', sound, 8000, subtype='FLOAT')
    train, test = load_recordings(str(tmp_path / 'sound.wav'))
    assert (train.levels == encode(sound[:900])).all()
    assert (test.levels == encode(sound[900:])).all()
    assert train.names == test.names == ('sound.wav',)


def test_test_recordings_of_the_data_are_kept(tmp_path):
    write_sounds(tmp_path / 'train', [10] * 3)
    write_sounds(tmp_path / 'test', [20] * 2)
    assert [len(part) for part in load_recordings(str(tmp_path))] == [3, 2]


def test_classes_of_an_npz(tmp_path):
    path = str(tmp_path / 'sounds.npz')
    np.savez(path, samples=np.zeros(9, 'i2'), lengths=[2, 3, 4], rate=8000, digits=[3, 0, 3],
             test=[0, 0, 1])
    train, test = load_recordings(path, classes='digits')
    assert train.class_ids.tolist() == [3, 0] and test.class_ids.tolist() == [3]
    assert train.class_names == test.class_names == ('0', '1', '2', '3')
    for source in ('speech', str(tmp_path)):
        with pytest.raises(ValueError, match='--classes digits.*npz'):
            load_recordings(source, classes='digits')


def test_a_bad_file_is_a_warning_or_an_error(tmp_path, capsys):
    write_sounds(tmp_path, [100, 100])
    (tmp_path / 'bad.wav').write_text('no sound')
    assert sum(map(len, load_recordings(str(tmp_path)))) == 2
    assert capsys.readouterr().err.count('\n') == 1
    with pytest.raises(ValueError, match='bad.wav'):
        load_recordings(str(tmp_path), strict=True)


@pytest.mark.parametrize('rate', [0, 999, 10 ** 7])
def test_rates_have_limits(rate):
    with pytest.raises(ValueError, match=f'--rate {rate}: .*1000 to 1000000'):
        load_recordings('speech', rate)


@pytest.mark.parametrize('levels', [1, 257])
def test_levels_have_limits(levels):
    with pytest.raises(ValueError, match='levels'):
        load_recordings('speech', levels=levels)


def test_what_is_no_data_is_named(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset of sound 'nowhere'.*'speech'"):
        load_recordings('nowhere')
    soundfile.write(tmp_path / 'a.wav', np.zeros(1), 8000)
    with pytest.raises(ValueError, match='a.wav: at least 2 recordings'):
        load_recordings(str(tmp_path / 'a.wav'))
    np.savez(tmp_path / 'a.npz', samples=np.zeros(9, 'i2'), lengths=[9], rate=8000, test=[True])
    with pytest.raises(ValueError, match='a.npz: there are only test recordings'):
        load_recordings(str(tmp_path / 'a.npz'))


def test_images_do_not_wait_for_the_packages_of_sound():
    code = ('import sys, wavenet.commands.train, wavenet.data.load_sound; '
            'print([name for name in ("soundfile", "soxr") if name in sys.modules])')
    found = subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    assert found == '[]\n'
