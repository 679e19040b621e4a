"""`python -m wavenet.compare` with a repository that has the interface of the author's."""
import ast
import html.parser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import author_stand_in
from comparing import Done, contents, read_summary, run_and_leave_as_it_was
from fork_author import ROOT
from wavenet.compare import checkout, differences, page, sides

SMALL = ('--hidden_dim', 6, '--blocks_num', 2, '--out_hidden_dim', 5, '--batchsize', 4,
         '--iteration', 9, '--count', 2)
COMPARED = ['parameters', 'masks', 'binarize', 'quantisize', 'convert_to_rgb', 'sample_from',
            'logits', 'what a changed value reaches', 'loss', 'gradients, float64',
            'gradients, float32',
            '9 optimizer steps, float64', 'parameters after them', '8 optimizer steps, float32',
            '9 optimizer steps, float32', "the author's model, loaded here",
            "the author's snapshot, loaded here", 'our model, loaded there', 'generation']


@pytest.fixture
def compare_in_processes(tmp_path):
    """Runs the command as a user does, in an empty folder."""
    def run(*args):
        done = subprocess.run(
            [sys.executable, '-m', 'wavenet.compare', *map(str, args)], cwd=tmp_path,
            env=dict(os.environ, PYTHONPATH=ROOT), stdin=subprocess.DEVNULL, capture_output=True,
            text=True)
        return Done(done.returncode, done.stdout, done.stderr)
    return run


def check_page(page, rows):
    """The page is complete, needs no other file, and holds each row and the images."""
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
        assert f'<th scope="row">{html.escape(row["name"])}</th>' in page
    assert page.count('<img') >= 3 + 2 * 3 and page.count('<svg') == 1


def test_the_same_model_agrees(compare_in_processes, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    done = run_and_leave_as_it_was(compare_in_processes, author, *SMALL)
    assert sorted(os.listdir(str(tmp_path / 'comparison'))) == ['comparison.json', 'report.html']

    summary = read_summary(tmp_path)
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
    assert [one['title'] for one in summary['known']] == [
        one.title for one in differences.of_commit(None)]
    text = (tmp_path / 'comparison' / 'report.html').read_text()
    for one in summary['known']:
        assert one['title'] in done.stdout
        assert all(html.escape(one[name]) in text for name in ('title', 'theirs', 'here'))
    assert html.escape(summary['author']['cpu_error']) in text
    lines = done.stdout.splitlines()
    assert lines[-1] == os.path.join('comparison', 'report.html')
    assert max(map(len, lines)) <= 80
    check_page(text, summary['rows'])


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
    'another sample from the same probabilities': (
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
    assert (done.status, done.stderr) == (1, '')
    summary = read_summary(tmp_path)
    differing = {row['name'] for row in summary['rows'] if row['verdict'] == 'differs'}
    assert differing >= expected
    assert differing.isdisjoint({'binarize', 'convert_to_rgb', "the author's model, loaded here"})
    assert 'logits' in expected or not differing - expected
    assert all(line in done.stdout for line in expected) and 'Something differs.' in done.stdout


def test_the_report_says_if_only_a_part_was_generated(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    done = compare('--author', author, *SMALL, '--seconds', 0.01)
    assert (done.status, done.stderr) == (0, '')
    summary = read_summary(tmp_path)
    part = summary['times']['4 pictures']['author']['part']
    assert 0 < part < 1
    assert summary['rows'][-1]['detail'] == f'{round(part * 192)} values of each of 4 images'
    text = (tmp_path / 'comparison' / 'report.html').read_text()
    for shown in (done.stdout, text):
        assert f'{100 * part:.3g} % of the values, and scaled' in shown


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
    (appended('wavenet/utils.py', 'del quantisize'), (),
     r"error: \S+/author is not the author's repository: its wavenet.utils has no quantisize"),
    (appended('wavenet/utils.py', 'import no_such_thing.part'), (),
     'cannot import no_such_thing, which wavenet/models.py'),
    (appended('wavenet/models.py', 'import wavenet.mask'), (), 'it has no wavenet.mask'),
    (appended('wavenet/models.py', 'class ResidualBlock:\n    def __init__(self, size): pass'), (),
     'holds neither of the models that can be compared.*ResidualBlock.size'),
    (appended('wavenet/models.py', 'PixelCNN.__call__ = None'), (),
     "cannot run the author's code: TypeError"),
    (appended('wavenet/models.py', '('), (), 'SyntaxError'),
    (None, ('--author_python', 'no-such-python'), 'no-such-python: there is no such program'),
    (None, ('--author_python', '/bin/true'), '/bin/true: it ran and wrote no results'),
    (None, ('--author_python', '/bin/false'), '/bin/false cannot run.*status 1'),
    (None, ('--author_python', './killed'), "signal 9 ended the author's code"),
    (None, ('--dataset', 'none-such'), "unknown dataset 'none-such'"),
    (None, ('--batchsize', 2000), '--batchsize 2000: there are 1500 images'),
    (None, ('--out', 'author/comparison'), "in the author's checkout, where nothing is written"),
    (None, ('--out', 'author'), "in the author's checkout, where nothing is written"),
    (None, ('--out', 'file'), 'file'),
    (None, ('--levels', 1), 'levels'),
])
def test_a_comparison_that_fails_says_why_in_one_line(compare, tmp_path, change, args, message):
    author = author_stand_in.write(tmp_path / 'author')
    (tmp_path / 'file').write_text('kept')
    (tmp_path / 'killed').write_text('#!/bin/sh\nkill -9 $$\n')
    (tmp_path / 'killed').chmod(0o755)
    (tmp_path / 'comparison').mkdir()
    (tmp_path / 'comparison' / 'report.html').write_text('of before')
    if change:
        change(author)
    before = contents(author)
    done = compare('--author', 'author', *SMALL, *args)
    assert done.status == 2 and done.stdout == ''
    line, = done.stderr.splitlines()
    assert line.startswith('python -m wavenet.compare: error: ')
    assert re.search(message, line), line
    assert contents(author) == before
    assert (tmp_path / 'comparison' / 'report.html').read_text() == 'of before'
    assert (tmp_path / 'file').read_text() == 'kept'


def test_the_interpreter_lacks_chainer(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    bare = tmp_path / 'bare'
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(bare)], check=True)
    done = compare('--author', author, '--author-python', bare / 'bin' / 'python')
    assert done.status == 2
    assert 'bare/bin/python cannot import chainer, which the author' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_commit_of_a_checkout_is_found(tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    assert checkout.commit(str(author)) == (None, 'no git checkout')

    def git(*args):
        return subprocess.run(
            ['git', '-C', str(author), '-c', 'user.name=a', '-c', 'user.email=a@b', *args],
            check=True, stdout=subprocess.PIPE, text=True).stdout

    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'first', '--date', '2017-02-03T12:00:00')
    before = contents(author)
    commit = checkout.commit(str(author))
    assert commit.name == git('rev-parse', 'HEAD')[:7]
    assert commit.description.startswith(f'commit {commit.name} of 20')
    assert checkout.commit(str(author / 'wavenet')).description == 'no git checkout'
    assert contents(author) == before
    (author / 'infer.py').write_text('')
    assert checkout.commit(str(author)).description.endswith(', with changed files')


def titles(commit):
    return [difference.title for difference in differences.of_commit(commit)]


def test_the_known_differences_are_those_of_the_commit():
    post, newest = titles('f9705a7'), titles('917345c')
    assert '--gradclip does nothing' in post and '--gradclip does nothing' not in newest
    assert 'bits/dim is divided twice' in newest and 'bits/dim is divided twice' not in post
    assert 'generation needs a GPU' in post and 'generation needs a GPU' in newest
    for other in (None, '0123456'):
        assert 'generation needs a GPU (f9705a7 and 917345c)' in titles(other)
        assert '--gradclip does nothing (f9705a7)' in titles(other)
        assert 'bits/dim is divided twice (917345c)' in titles(other)
        assert len(titles(other)) == len({*post, *newest})


def test_the_known_differences_are_those_of_the_documentation():
    text = Path(ROOT, 'docs', 'compare.md').read_text()
    table = text[text.index('## Known differences'):].replace('`', '')
    rows = re.findall(r'^\| (.*?) \|.*\| (\w+) \|$', table, re.MULTILINE)[1:]
    assert [(title, ' and '.join(commits)) for title, _, _, commits in differences.DIFFERENCES] == [
        (title, commit.replace('both', 'f9705a7 and 917345c')) for title, commit in rows]


@pytest.mark.parametrize('fault, fails', [
    ((), True), ((('chainer.cuda.cupy.zeros', "__import__('numpy').zeros"),), False)])
def test_generation_without_a_gpu_is_tried(fast_sides, tmp_path, fault, fails):
    author = author_stand_in.write(tmp_path / 'author', *fault)
    about = sides.Sides(str(author), None, str(tmp_path)).describe()
    assert bool(about['cpu_error']) == fails
    assert ('His generation loop needs a GPU' in page.changes(about)) == fails


@pytest.mark.parametrize('name', ['author.py', 'author_wavenet.py', 'old_names.py', 'on_host.py',
                                  'sound_tasks.py', 'steps.py', 'tasks.py'])
def test_the_files_of_the_authors_side_keep_to_python_3_5(name):
    source = Path(sides.__file__).with_name(name).read_text()
    tree = ast.parse(source, feature_version=(3, 5))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree))


def test_what_one_side_lacks_is_not_called_equal(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author', ('self.mask', 'self.seen'))
    done = compare('--author', author, *SMALL)
    assert done.status == 2
    assert done.stderr == (
        'python -m wavenet.compare: one side has nothing to compare for: masks\n')
    assert 'Not everything could be compared' in done.stdout
    summary = read_summary(tmp_path)
    assert [row['name'] for row in summary['rows'] if row['verdict'] != 'agrees'] == ['masks']


def test_the_gated_model_agrees(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    with open(str(author / 'wavenet' / 'models.py'), 'a') as file:
        file.write(author_stand_in.GATED)
    done = compare('--author', author, *SMALL)
    assert (done.status, done.stderr) == (0, '')
    summary = read_summary(tmp_path)
    assert summary['verdict'] == 'agrees' and summary['model'] == 'Gated PixelCNN'
    assert [row['name'] for row in summary['rows']] == COMPARED


def test_a_fault_of_the_gated_model_is_found(compare, tmp_path):
    author = author_stand_in.write(tmp_path / 'author')
    text, fault = 'F.sigmoid(h_s + label)', 'F.sigmoid(h_s)'
    assert text in author_stand_in.GATED
    with open(str(author / 'wavenet' / 'models.py'), 'a') as file:
        file.write(author_stand_in.GATED.replace(text, fault))
    done = compare('--author', author, *SMALL)
    assert (done.status, done.stderr) == (1, '')
    summary = read_summary(tmp_path)
    differing = {row['name'] for row in summary['rows'] if row['verdict'] == 'differs'}
    assert differing >= {'logits', 'loss', 'gradients, float64', 'generation'}
    assert differing.isdisjoint({'parameters', 'masks', 'what a changed value reaches'})
