import html.parser
import json
import os
import re
import subprocess
import sys

import pytest

import author_stand_in
from helpers import ROOT
from wavenet.compare import checkout

SMALL = ('--hidden_dim', 6, '--blocks_num', 2, '--out_hidden_dim', 5, '--batchsize', 4,
         '--iteration', 9, '--count', 2)
COMPARED = ['parameters', 'masks', 'binarize', 'quantisize', 'convert_to_rgb', 'sample_from',
            'logits', 'what a changed value reaches', 'loss', 'gradients, float64',
            'gradients, float32',
            '9 optimizer steps, float64', 'parameters after them', '8 optimizer steps, float32',
            '9 optimizer steps, float32', "the author's model, loaded here",
            "the author's snapshot, loaded here", 'our model, loaded there', 'generation']


@pytest.fixture
def compare(tmp_path):
    """Runs the command as a user does, in an empty folder."""
    def run(*args, **env):
        return subprocess.run(
            [sys.executable, '-m', 'wavenet.compare'] + [str(arg) for arg in args],
            cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=ROOT, **env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True, timeout=600)
    return run


def contents(folder):
    return {str(path): (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes())
            for path in folder.glob('**/*')}


def check_page(page, rows):
    """It is whole, needs no other file, and holds each row and the pictures."""
    found = []

    class Page(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            attributes = dict(attributes)
            if tag not in ('meta', 'br', 'img', 'path', 'use'):
                found.append(tag)
            for name in ('src', 'href', 'xlink:href'):
                assert attributes.get(name, '#').startswith(('#', 'data:image/png;base64,')), tag

        def handle_endtag(self, tag):
            if tag not in ('path', 'use'):
                assert found.pop() == tag

    Page().feed(page)
    assert found == []
    assert 'width=device-width' in page and 'prefers-color-scheme: dark' in page
    assert '@import' not in page and 'url(http' not in page and '$' not in page
    for row in rows:
        assert '<th scope="row">{}</th>'.format(html.escape(row['name'])) in page
    assert page.count('<img') >= 3 + 2 * 3 and page.count('<svg') == 1


def test_the_same_model_agrees(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    before = contents(author)
    done = compare('--author', author, *SMALL)
    assert (done.returncode, done.stderr) == (0, '')
    assert contents(author) == before
    assert sorted(os.listdir(str(tmp_path / 'comparison'))) == ['comparison.json', 'report.html']

    summary = json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
    assert summary['verdict'] == 'agrees' and summary['model'] == "the post's PixelCNN"
    assert summary['author']['commit'] == 'no git checkout'
    assert summary['author']['chainer'][0] == '7' and len(summary['author']['restored']) >= 4
    assert [row['name'] for row in summary['rows']] == COMPARED
    for row in summary['rows']:
        assert row['verdict'] == 'agrees' and row['difference'] <= row['tolerance'], row
        assert row['name'] in done.stdout
    assert len(summary['losses']['author']) == len(summary['losses']['here']) == 9
    for times in summary['times'].values():
        assert {'author', 'here'} == times.keys()
        assert all(side['seconds'] > 0 and side['peak_mb'] > 10 and side['part'] == 1
                   for side in times.values())
    titles = [one['title'] for one in summary['known']]
    assert titles[0] == 'Generation runs on a GPU only'
    assert all(title in done.stdout for title in titles)
    assert max(map(len, done.stdout.split('\n')[:24])) <= 80
    check_page((tmp_path / 'comparison' / 'report.html').read_text(), summary['rows'])


MASK = 'self.mask[:, :, kernel[0] // 2, kernel[1] // 2] = color_in < color_out'
FAULTS = {
    'a mask that lets G see B': (
        {MASK: MASK + """
        sees = (color_out - (mask == 'B') == 1) & (color_in == 2)
        self.mask[sees, kernel[0] // 2, kernel[1] // 2] = 1"""},
        {'masks', 'logits', 'what a changed value reaches', 'loss', 'gradients, float64',
         '8 optimizer steps, float32', 'generation'}),
    'biases ignored': (
        {'self.mask, self.b, self.stride': 'self.mask, None, self.stride'},
        {'logits', 'loss', 'gradients, float64', '9 optimizer steps, float64', 'generation'}),
    'another rounding in quantize': (
        {"(np.searchsorted(np.arange(levels) / levels, images, side='right') - 1)":
         '(images * (levels - 1) + 0.5)'}, {'quantisize'}),
    'another draw from the same probabilities': (
        {'np.random.choice(len(p), p=p)': 'len(p) - 1 - np.random.choice(len(p), p=p[::-1])'},
        {'sample_from', 'generation'}),
    'another name of a parameter': (
        {'            conv4=': '            conv3=', 'self.conv4(': 'self.conv3('},
        {'parameters', 'masks'}),
}


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_found(compare, tmp_path, name):
    replaced, expected = FAULTS[name]
    author = author_stand_in.write(tmp_path / 'author', *replaced.items())
    done = compare('--author', author, *SMALL)
    assert (done.returncode, done.stderr) == (1, '')
    summary = json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
    differing = {row['name'] for row in summary['rows'] if row['verdict'] == 'differs'}
    assert differing >= expected
    assert differing.isdisjoint({'binarize', 'convert_to_rgb', "the author's model, loaded here"})
    assert 'logits' in expected or not differing - expected
    assert all(line in done.stdout for line in expected) and 'Something differs.' in done.stdout


def test_a_part_of_the_generation_is_said_to_be_one(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    done = compare('--author', author, *SMALL + ('--seconds', 0.01))
    assert (done.returncode, done.stderr) == (0, '')
    summary = json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
    part = summary['times']['4 pictures']['author']['part']
    drawn = round(part * 192)
    assert 0 < part < 1
    assert summary['rows'][-1]['detail'] == '{} values of each of 4 pictures'.format(drawn)
    page = (tmp_path / 'comparison' / 'report.html').read_text()
    for shown in (done.stdout, page):
        assert '{:.3g} % of the values, and scaled'.format(100 * part) in shown


def without(name):
    def change(author):
        (author / name).unlink()
    return change


def appended(name, text):
    def change(author):
        with open(str(author / name), 'a') as file:
            file.write(text)
    return change


@pytest.mark.parametrize('change, args, message', [
    (without('infer.py'), (), "author is not the author's repository: it has no infer.py"),
    (without('wavenet/utils.py'), (), 'it has no wavenet/utils.py'),
    (appended('wavenet/utils.py', 'del quantisize'), (), 'its wavenet.utils has no quantisize'),
    (appended('wavenet/utils.py', 'import no_such_thing.part'), (),
     'cannot import no_such_thing, which wavenet/models.py'),
    (appended('wavenet/models.py', 'import wavenet.mask'), (), 'it has no wavenet.mask'),
    (appended('wavenet/models.py', 'class ResidualBlock:\n    def __init__(self, size): pass'), (),
     'holds neither of the models that are compared.*ResidualBlock.size'),
    (appended('wavenet/models.py', 'PixelCNN.__call__ = None'), (),
     "the author's code could not be run by .*: TypeError"),
    (appended('wavenet/models.py', '('), (), 'SyntaxError'),
    (None, ('--author_python', 'no-such-python'), 'no-such-python: there is no such program'),
    (None, ('--author_python', '/bin/true'), '/bin/true: it is no Python'),
    (None, ('--author_python', '/bin/false'), '/bin/false'),
    (None, ('--dataset', 'none-such'), "unknown dataset 'none-such'"),
    (None, ('--batchsize', 2000), '--batchsize 2000: there are 1500 images'),
    (None, ('--out', 'author/comparison'), "in the author's checkout nothing is written"),
    (None, ('--out', 'author'), "in the author's checkout nothing is written"),
    (None, ('--out', 'file'), 'file'),
    (None, ('--levels', 1), 'levels'),
])
def test_what_cannot_be_compared_is_said_in_one_line(compare, tmp_path, change, args, message):
    author = author_stand_in.write(tmp_path / 'author')
    (tmp_path / 'file').write_text('kept')
    (tmp_path / 'comparison').mkdir()
    (tmp_path / 'comparison' / 'report.html').write_text('of before')
    if change:
        change(author)
    before = contents(author)
    done = compare('--author', 'author', *SMALL + args)
    assert done.returncode == 2 and done.stdout == ''
    line, = done.stderr.splitlines()
    assert line.startswith('python -m wavenet.compare: error: ')
    assert re.search(message, line), line
    assert contents(author) == before
    assert (tmp_path / 'comparison' / 'report.html').read_text() == 'of before'
    assert (tmp_path / 'file').read_text() == 'kept'


def test_the_interpreter_lacks_numpy(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    bare = tmp_path / 'bare'
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(bare)], check=True)
    done = compare('--author', author, '--author-python', bare / 'bin' / 'python')
    assert done.returncode == 2
    assert 'bare/bin/python cannot import numpy, which the author' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_commit_of_a_checkout_is_said(tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    assert checkout.commit(str(author)) == 'no git checkout'

    def git(*args):
        return subprocess.run(
            ('git', '-C', str(author), '-c', 'user.name=a', '-c', 'user.email=a@b') + args,
            check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout

    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'first', '--date', '2017-02-03T12:00:00')
    name = git('rev-parse', 'HEAD')[:7]
    before = contents(author)
    assert checkout.commit(str(author)).startswith('commit {} of 20'.format(name))
    assert checkout.commit(str(author / 'wavenet')) == 'no git checkout'
    assert contents(author) == before
    (author / 'train.py').write_text('')
    assert checkout.commit(str(author)).endswith(', with changed files')


def test_what_one_side_lacks_is_not_called_equal(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author', ('self.mask', 'self.seen'))
    done = compare('--author', author, *SMALL)
    assert done.returncode == 2
    assert done.stderr == (
        'python -m wavenet.compare: there is nothing to compare on one of the sides for: masks\n')
    assert 'Not everything could be compared' in done.stdout
    summary = json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
    assert [row['name'] for row in summary['rows'] if row['verdict'] != 'agrees'] == ['masks']


def test_the_gated_model_agrees(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    with open(str(author / 'wavenet' / 'models.py'), 'a') as file:
        file.write(author_stand_in.GATED)
    done = compare('--author', author, *SMALL)
    assert (done.returncode, done.stderr) == (0, '')
    summary = json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
    assert summary['verdict'] == 'agrees' and summary['model'] == 'Gated PixelCNN'
    assert [row['name'] for row in summary['rows']] == COMPARED
    known = {one['title']: one for one in summary['known']}
    assert list(known)[1:6] == [
        'bits/dim is divided twice', 'Gated: mask A twice in the first block',
        'Gated: a blind spot is left', 'Gated: in grayscale the row above is not seen',
        'Gated: one embedding of the class for both gates of both stacks']
    # 1 + 3 columns of the first block, and one more by each of the others
    assert 'reached 4 pixels' in known['Gated: a blind spot is left']['theirs']
    assert 'reached 6 pixels' in known['Gated: a blind spot is left']['here']
    gray = known['Gated: in grayscale the row above is not seen']
    assert 'reached no pixels' in gray['theirs'] and 'reached 6 pixels' in gray['here']


def test_a_fault_of_the_gated_model_is_found(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    text, fault = 'F.sigmoid(h_s + label)', 'F.sigmoid(h_s)'
    assert text in author_stand_in.GATED
    with open(str(author / 'wavenet' / 'models.py'), 'a') as file:
        file.write(author_stand_in.GATED.replace(text, fault))
    done = compare('--author', author, *SMALL)
    assert (done.returncode, done.stderr) == (1, '')
    summary = json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
    differing = {row['name'] for row in summary['rows'] if row['verdict'] == 'differs'}
    assert differing >= {'logits', 'loss', 'gradients, float64', 'generation'}
    assert differing.isdisjoint({'parameters', 'masks', 'what a changed value reaches'})
