"""Sound as levels: equal to what the author's code computes, see tests/data/README.md."""
import os
import wave

import numpy as np
import pytest

from helpers import DATA
from wavenet.data.sound import (
    decode,
    encode,
    inverse_mulaw,
    levels_of_sound,
    mulaw,
    sound_of_levels,
    write_wav,
)


@pytest.fixture
def reference():
    with np.load(os.path.join(DATA, 'wavenet_author.npz')) as npz:
        return {name: npz[name] for name in npz.files}


@pytest.mark.parametrize('mu', [255, 23])
def test_mulaw_is_the_authors(reference, mu):
    sound = reference['mulaw/in']
    np.testing.assert_allclose(mulaw(sound, mu), reference[f'mulaw/out_mu{mu}'], rtol=1e-14)
    np.testing.assert_allclose(inverse_mulaw(sound, mu), reference[f'inverse_mulaw/out_mu{mu}'],
                               rtol=1e-14)


def test_mulaw_and_its_inverse():
    sound = np.linspace(-1, 1, 1001)
    assert abs(inverse_mulaw(mulaw(sound)) - sound).max() < 1e-14
    assert mulaw(0.0) == 0 and mulaw(1.0) == 1 and mulaw(-1.0) == -1
    assert mulaw(0.01) > 0.2                                  # quiet sounds get more levels


def test_levels_are_the_authors_where_he_has_any(reference):
    """Sounds whose µ-law, moved to [0, 1], is what he quantizes."""
    values = reference['quantisize/in']
    inside = (values >= 0) & (values <= 1)
    assert inside.sum() > 50
    # Values on an edge between two levels move by rounding on their way to a sound and back
    sound = inverse_mulaw(values * 2 - 1)
    for levels in 24, 256:
        on_edge = abs(values * levels - np.rint(values * levels)) < 1e-9
        here = inside & ~on_edge
        assert here.sum() > 5
        assert (levels_of_sound(sound[here], levels)
                == reference[f'quantisize/out_levels{levels}'][here]).all()


def test_what_is_too_loud_is_clipped():
    levels = levels_of_sound(np.array([-1.5, -1, 0, 1, 1.5]))
    assert levels.tolist() == [0, 0, 128, 255, 255] and levels.dtype == np.int32
    with pytest.raises(ValueError):
        levels_of_sound(np.array([np.nan]))


def test_all_levels_come_back():
    for levels in 2, 24, 256:
        targets = np.arange(levels)
        sound = sound_of_levels(targets, levels)
        assert sound.dtype == np.int16 and sound[0] == -32767 and sound[-1] == 32767
        assert (np.diff(sound.astype(int)) > 0).all()
        # Level 0 plays as -1, the lower end of its bin, and the last level as 1, the upper end
        assert abs(levels_of_sound(sound / 32767, levels) - targets).max() <= 1


def test_sound_and_files_are_the_authors(reference, tmp_path):
    targets = reference['samples/levels']
    sound = sound_of_levels(targets, int(reference['config/levels']))
    assert (sound == reference['samples/audio_int16']).all()
    path = str(tmp_path / 'sound.wav')
    write_wav(path, sound[0], int(reference['samples/wav_rate']))
    assert (tmp_path / 'sound.wav').read_bytes() == reference['samples/wav0_bytes'].tobytes()
    assert os.listdir(tmp_path) == ['sound.wav']


# Recordings: a byte a sample

@pytest.mark.parametrize('levels', [2, 3, 24, 255, 256])
def test_levels_are_encoded_as_they_were_decoded(levels):
    targets = np.arange(levels)
    sound = decode(targets, levels)
    assert sound.dtype == np.float32 and abs(sound).max() <= 1 and (np.diff(sound) > 0).all()
    encoded = encode(sound, levels)
    assert encoded.dtype == np.uint8 and (encoded == targets).all()


@pytest.mark.parametrize('levels', [2, 3, 24, 255, 256])
def test_silence_is_the_middle_level_and_stays_silent(levels):
    silence = encode(np.array([0.0, -0.0]), levels)
    assert silence.tolist() == [levels // 2] * 2 and (decode(silence, levels) == 0).all()


def test_decoded_sound_is_near(monkeypatch):
    sound = np.random.RandomState(0).uniform(-1, 1, 1000)
    near = decode(encode(sound))
    # Half a level of 1 / 128: times the slope of the inverse of µ-law, ln 256 (|sound| + 1 / 255)
    assert (abs(near - sound) < 0.022 * (abs(sound) + 1 / 255)).all()
    whole = encode(sound)
    monkeypatch.setattr('wavenet.data.sound.PART', 7)
    assert (encode(sound) == whole).all() and (levels_of_sound(sound) == whole).all()


def test_encoded_sound_is_clipped_and_has_no_nan():
    loud = np.array([-np.inf, -1.001, -1, 1, 1.001, np.inf], "f")
    assert encode(loud).tolist() == [0] * 3 + [255] * 3
    with pytest.raises(ValueError):
        encode(np.array([0, np.nan]))
    assert len(encode(np.empty(0))) == 0


def test_floating_sound_is_written_with_16_bits(tmp_path):
    path = str(tmp_path / 'sound.wav')
    write_wav(path, np.array([-2, -1, -0.25, 0, 1e-4, 1], 'f'), 11025)
    with wave.open(path) as wav:
        assert wav.getparams()[:4] == (1, 2, 11025, 6)
        assert np.frombuffer(wav.readframes(6), '<i2').tolist() == [
            -32767, -32767, -8192, 0, 3, 32767]
    with pytest.raises(ValueError, match='sound.wav.*NaN'):
        write_wav(path, np.array([np.nan]))
