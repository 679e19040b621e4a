"""generate.py from models of sound: .wav files, pictures, arrays, continuations."""
import os

import numpy as np
import pytest
import soundfile
from PIL import Image

from data.sounds import waves
from families.wavenet.test_model import random_wavenet
from helpers import DATA, check_error
from wavenet import sampling, serialization, sounds
from wavenet.data.sound import sound_of_levels
from wavenet.data.sound_files import read_sound_file

RATE = 1000


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def generate(command):
    return lambda *args: command('generate.py', '--seed', 3, *args)


def save(form='paper', num_classes=0, levels=16, **about):
    model = random_wavenet(form, num_classes, levels)
    serialization.save_model('model.npz', model, **{'rate': RATE, **about})
    return serialization.load_model('model.npz')


@pytest.mark.parametrize('form', ['paper', 'author'])
def test_sounds_one_after_the_other_and_their_picture(generate, form):
    model = save(form)
    result = generate('--model', 'model.npz', '--seconds', 0.2, '--number', 2)
    assert (result.returncode, result.stdout) == (0, 'sound.wav\n'), result.stderr
    sound, rate = soundfile.read('sound.wav', dtype='int16')
    samples = sampling.generate(model, (2, 200), 3)
    expected = sounds.waveform(model, samples)
    assert rate == RATE and sound.dtype == np.int16
    assert (sound[:200] == expected[0]).all() and (sound[450:] == expected[1]).all()
    assert (sound[200:450] == 0).all()
    if form == 'author':       # the audio of his infer_wavenet.py
        assert (sound[:200] == sound_of_levels(np.rint(samples[0] * 15), 16)).all()
    with Image.open('sound.png') as image:
        assert len(np.unique(image)) > 50 and image.size[1] > 400


@pytest.mark.parametrize('name', ['author_wavenet_2', 'author_wavenet_snapshot_iter_2'])
def test_the_authors_files_generate_sound(generate, name):
    path = os.path.join(DATA, name)
    result = generate('--model', path, '--length', 60, '--number', 1)
    assert (result.returncode, result.stdout) == (0, 'sound.wav\n'), result.stderr
    sound, rate = soundfile.read('sound.wav', dtype='int16')
    samples = sampling.generate(serialization.load_model(path, data='sound'), (1, 60), 3)[0]
    assert rate == 8000 and (sound == sound_of_levels(np.rint(samples * 255))).all()
    assert len(np.unique(sound)) > 30


def test_the_loop_the_ranks_and_the_batches_give_the_same(generate, tmp_path):
    save()
    options = ['--model', 'model.npz', '--length', 70, '--number', 3]
    files = [(), ('--method', 'naive'), ('--batchsize', 2)]
    for number, more in enumerate(files):
        assert generate(*options, *more, '--output', f'{number}.wav').returncode == 0
    first, *others = [(tmp_path / f'{n}.wav').read_bytes() for n in range(len(files))]
    assert all(other == first for other in others)


def test_continuing_a_recording(generate):
    model = save()
    soundfile.write('given.wav', waves(4000, channels=2), 8000)       # stereo, another rate
    result = generate('--model', 'model.npz', '--continue', 'given.wav', '--keep', 0.3,
                      '--seconds', 0.1, '--number', 2, '--output', 'more.npz')
    assert result.returncode == 0, result.stderr
    kept = read_sound_file('given.wav', RATE, 16)[:300]
    with np.load('more.npz') as npz:
        levels = npz['levels']
        assert levels.shape == (2, 400) and npz['rate'] == RATE
    assert (levels[:, :300] == kept).all() and (levels[0] != levels[1]).any()
    given = np.zeros((2, 400), 'f')
    given[:, :300] = kept / np.float32(15)
    expected = sampling.generate(model, (2, 400), 3, given=(given, 300))
    assert (levels == np.rint(expected * 15)).all()
    # All of it, unless --keep says less
    result = generate('--model', 'model.npz', '--continue', 'given.wav', '--length', 1)
    assert result.returncode == 0
    sound, _ = soundfile.read('sound.wav', dtype='int16')
    assert len(sound) == 501
    assert (sound[:500] == sounds.waveform(
        model, read_sound_file('given.wav', RATE, 16) / np.float32(15))).all()


def test_classes(generate):
    save(num_classes=3, class_names=['ann', 'bob', 'cy'], trained_classes=[0, 2])
    options = ['--model', 'model.npz', '--length', 30, '--output', 'x.npz']
    for more, classes in (([], [0, 2]), (['--count', 2], [0, 2, 0, 2]),
                          (['--number', 3], [0, 2, 0]), (['--label', 'cy'], [2]),
                          (['--label', '1', '--number', 2], [1, 1])):
        assert generate(*options, *more).returncode == 0
        with np.load('x.npz') as npz:
            assert npz['classes'].tolist() == classes
            assert npz['class_names'].tolist() == ['ann', 'bob', 'cy']
    check_error(generate(*options, '--label', 'dan'), "--label dan: the model has classes 'ann'")


def test_files_of_each_sound(generate, tmp_path):
    save()
    result = generate('--model', 'model.npz', '--length', 300, '--number', 2, '--separate')
    assert (result.returncode, result.stdout) == (0, 'samples\n')
    assert sorted(path.name for path in (tmp_path / 'samples').iterdir()) == [
        '00000.png', '00000.wav', '00001.png', '00001.wav']
    assert soundfile.info('samples/00001.wav').frames == 300
    check_error(generate('--model', 'model.npz', '--separate'), 'holds samples already')


def test_a_sound_of_one_sample_and_another_rate(generate):
    save()
    assert generate('--model', 'model.npz', '--length', 1, '--rate', 16000).returncode == 0
    info = soundfile.info('sound.wav')
    assert (info.frames, info.samplerate) == (1, 16000)


@pytest.mark.parametrize('options, words', [
    (['--height', 3], '--height is for models of images; model.npz is one of sound'),
    (['--gif', 'x.gif'], '--gif is for models of images'),
    (['--seconds', 0], '--seconds'),
    (['--seconds', 1, '--length', 2], '--length'),
    (['--output', 'x.png'], '--output x.png: the ending must be .wav or .npy or .npz'),
    (['--output', 'no/x.wav'], '--output no/x.wav'),
    (['--keep', 1], 'seconds that --continue keeps'),
    (['--keep', 'top'], '--keep is for --complete and --continue'),
    (['--continue', 'given.wav', '--keep', 'top'], "a number above 0; got 'top'"),
    (['--continue', 'given.wav', '--keep', 9], '--keep 9: it is 0.5 seconds long'),
    (['--continue', 'no.wav'], '--continue no.wav'),
    (['--continue', 'given.wav', '--output', 'given.wav'], 'would be overwritten'),
    (['--continue', 'given.wav', '--complete', 'x.png'], 'give one'),
    (['--rate', 3], '--rate 3'),
    (['--separate', '--output', 'x.wav'], 'give a name without the ending'),
    (['--label', 'x'], '--label x: the model has no classes')])
def test_mistakes(generate, options, words):
    save()
    soundfile.write('given.wav', waves(500), RATE)
    check_error(generate('--model', 'model.npz', *options), words)


def test_a_strangers_rate(generate):
    save(rate=[8000])
    check_error(generate('--model', 'model.npz'), '--model model.npz: its sampling rate is [8000]')


def test_sound_options_are_not_of_images(generate):
    for option, value in (('--seconds', 1), ('--rate', 8000), ('--continue', 'x.wav')):
        check_error(generate('--model', 'mnist', option, value),
                    f'{option} is for models of sound; mnist is one of images')


def test_memory(generate):
    save()
    check_error(generate('--model', 'model.npz', '--seconds', 1e12), 'sounds of')
