import json
import os

import numpy as np
import pytest
from PIL import Image

from wavenet import curve

LOG = [{'iteration': n, 'epoch': 0, 'main/nll': 100.0 / n, 'validation/main/nll': 90.0 / n}
       for n in (10, 100, 1000)]


def test_the_curves_are_the_logs():
    axes, = curve.plot({'a, ': LOG, 'b, ': LOG[:1]}).axes
    curves = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert curves == {
        'a, test': [[n, 90 / n] for n in (10, 100, 1000)],
        'a, training': [[n, 100 / n] for n in (10, 100, 1000)],
        'b, test': [[10, 9]], 'b, training': [[10, 10]]}


def test_the_axis_says_what_the_losses_are_of():
    of_sound = [{**entry, curve.BITS: entry[curve.TEST] / np.log(2)} for entry in LOG]
    of_images = [{**entry, curve.BITS: entry[curve.TEST] / 784 / np.log(2)} for entry in LOG]
    for logs, label in (([LOG], 'nats per image'), ([of_images], 'nats per image'),
                        ([of_sound, of_sound], 'nats per sample'), ([of_sound, LOG], 'nats')):
        axes, = curve.plot({str(n): log for n, log in enumerate(logs)}).axes
        assert axes.get_ylabel() == label


def test_the_image(command, tmp_path):
    (tmp_path / 'log').write_text(json.dumps(LOG))
    result = command('-m', 'wavenet.curve', 'log')
    assert (result.returncode, result.stdout, result.stderr) == (0, 'curve.png\n', '')
    with Image.open(tmp_path / 'curve.png') as image:
        assert image.size == (700, 400) and len(np.unique(np.asarray(image))) > 50


@pytest.mark.parametrize('content', [
    '', 'x', '[]', '{}', 'null', '[1]', '[{}]', '[' * 100000, json.dumps(LOG)[:-1],
    json.dumps(LOG + [dict(LOG[0], **{'main/nll': float('nan')})]),
    json.dumps(LOG + [dict(LOG[0], **{'main/nll': 'x'})]),
    json.dumps(LOG + [dict(LOG[0], **{'main/nll': 10 ** 400})]),
    json.dumps(LOG + [dict(LOG[0], iteration=0)])])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / 'log'
    path.write_text(content)
    with pytest.raises(ValueError, match='log: not a log of train.py'):
        curve.read_log(str(path))


@pytest.mark.parametrize('args, named', [
    (['log', '-o', 'a.txt'], '.png'), (['log', '-o', 'nowhere/a.png'], 'nowhere'),
    (['nowhere'], 'nowhere'), (['.'], '.'), ([], 'LOG')])
def test_a_users_mistake(command, tmp_path, args, named):
    (tmp_path / 'log').write_text(json.dumps(LOG))
    result = command('-m', 'wavenet.curve', *args)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert named in result.stderr and 'error: ' in result.stderr
    assert os.listdir(str(tmp_path)) == ['log']
