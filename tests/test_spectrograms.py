"""Pictures of sounds."""
import io

import numpy as np
import pytest
from PIL import Image

from wavenet import spectrograms


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def draw(sounds, rate=8000, **options):
    file = io.BytesIO()
    spectrograms.draw(file, sounds, rate, **options)
    return np.asarray(Image.open(file).convert('RGB')).astype(int)


def tone(frequency, length=4000, rate=8000):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(length) / rate)


@pytest.mark.parametrize('frequency', [500, 1000, 3000])
def test_a_tone_is_a_line_at_its_frequency(frequency):
    image = spectrograms._decibels(tone(frequency))
    row = image.mean(axis=1).argmax()
    assert row / (len(image) - 1) == pytest.approx(frequency / 4000, abs=0.01)
    assert image.max() == pytest.approx(20 * np.log10(0.5), abs=2.5)     # half of full scale
    assert image.min() == spectrograms.FLOOR


def test_int16_is_drawn_as_floating_sound():
    sound = tone(700)
    ints = np.rint(sound * 32768).astype('i2')
    assert (draw([ints]) == draw([ints / 32768])).all()
    assert (draw([ints]) != draw([ints // 4])).any()


def test_any_lengths_silence_and_more_sounds_than_are_shown():
    for length in 1, 2, 100, 257, 20000:
        assert len(np.unique(draw([tone(700, length)]))) > 20
    assert len(np.unique(draw([np.zeros(500)]))) > 5
    two = draw([tone(300), tone(600, 99)], titles=['a', 'b'])
    assert two.shape[0] > draw([tone(300)]).shape[0]
    many = [tone(300, 300)] * 20
    assert (draw(many) == draw(many[:spectrograms.MOST])).all()


def test_a_line_ends_what_was_given():
    with_line, without = draw([tone(300)], kept=2000), draw([tone(300)])
    columns = np.flatnonzero((abs(with_line - without) > 60).any(axis=2).mean(axis=0) > 0.3)
    assert 0 < len(columns) < 8
    assert columns.mean() / with_line.shape[1] == pytest.approx(0.53, abs=0.03)
