"""python -m wavenet.results, with small stages."""
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from wavenet import cli, evaluate, serialization
from wavenet.data.load import load_dataset
from wavenet.commands import train as train_script
from wavenet.results import mistakes, presets, __main__ as results
from wavenet.storage import files



TINY = '--dataset digits --channels 1 --levels 4 -d 2 -n 1 --test_limit 20 '


def small_stage(length, mistake=None, options=TINY):
    return presets.Stage('a picture', options, length, length, mistake)


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs the command in this process, with other stages, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', ROOT)
    numpy_errors = np.geterr()
    # What a shell runs in the background, these tests perhaps, ignores SIGINT
    handlers = {number: signal.signal(number, handler) for number, handler in (
        (signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))}

    def run(stages, *args):
        for module in (results, results.page):
            monkeypatch.setattr(module, 'STAGES', stages)
        monkeypatch.setattr('sys.argv', ['results.py'] + [str(arg) for arg in args])
        try:
            status = cli.run(results.main, results.make_parser())
        except SystemExit as exit:
            status = exit.code
        return (status,) + tuple(capfd.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    np.seterr(**numpy_errors)


def result(name):
    with open(os.path.join('out/results', name, 'result.json')) as file:
        return json.load(file)


def page():
    with open('out/results/index.md', encoding='utf-8') as file:
        return file.read()


# The presets

@pytest.mark.parametrize('gpu', [-1, 0])
@pytest.mark.parametrize('name', sorted(presets.STAGES))
def test_a_preset_is_options_of_train(name, gpu):
    args = results.make_parser().parse_args(['--gpu', str(gpu), '--images', 'folder'])
    stage = presets.STAGES[name]
    options = train_script.make_parser().parse_args(results.preset_options(stage, args))
    assert stage.mistake in [None] + sorted(mistakes.MISTAKES)
    assert options.levels == 2 or not (options.binarize or options.loss == 'sigmoid')
    assert options.dataset in ('mnist', 'cifar10', 'folder')
    if gpu >= 0:  # the sizes of the post
        assert (options.hidden_dim, options.blocks_num, options.out_hidden_dim) == (128, 15, 16)
    assert results.preset_options(stage, args)[0] == '--dataset' and shlex.split(stage.on_gpu)


def test_the_experiment_compares_equal_models():
    for quantized, real in (('levels2', 'real-inputs'), ('levels8-gray', 'real-inputs8')):
        assert presets.STAGES[quantized][1:4] == presets.STAGES[real][1:4]
        assert [presets.STAGES[name].mistake for name in (quantized, real)] == [None, 'real-inputs']


# Runs

def test_a_run_its_files_and_its_page(run):
    stages = {'right': small_stage('--iteration 6 --interval 3'),
              'not-asked-for': small_stage('--iteration 6'),
              'wrong': small_stage('--iteration 2', 'no-colour-masks', '--dataset digits -d 2 -n 1')}
    status, out, err = run(stages, 'wrong', 'right')
    assert (status, err) == (0, '')
    assert out.splitlines()[-1] == 'out/results/index.md'
    assert sorted(os.listdir('out/results')) == [
        'index.md', 'losses.png', 'right', 'samples.png', 'wrong']
    assert {'samples.png', 'model.npz', 'log', 'result.json'} <= set(os.listdir('out/results/right'))
    for name, cells in (('right', 10), ('wrong', 4)):
        with Image.open('out/results/{}/samples.png'.format(name)) as picture:
            assert picture.size == (cells * 9 * 2,) * 2
    for name in ('losses.png', 'samples.png'):
        with Image.open('out/results/' + name) as picture:
            assert len(np.unique(np.asarray(picture))) > 20

    right = result('right')
    assert (right['iteration'], right['images'], right['levels']) == (6, 20, 4)
    assert [iteration for iteration, _ in right['curve']] == [3, 6]
    model = serialization.load_model('out/results/right/model.npz')
    _, test = load_dataset('digits', 1, 4, test_limit=20)
    assert evaluate.likelihood(model, test).nats == pytest.approx(right['nats'], rel=1e-6)
    assert right['curve'][-1][1] == pytest.approx(right['nats'], rel=1e-5)
    with mistakes.made('no-colour-masks'):
        model = serialization.load_model('out/results/wrong/model.npz')
    _, test = load_dataset('digits', 3, 2)
    assert evaluate.likelihood(model, test).nats == pytest.approx(result('wrong')['nats'], rel=1e-6)

    rows = {line.split(' | ')[0][2:]: line for line in page().splitlines() if line.startswith('| ')}
    assert '{:.2f} ± {:.2f}'.format(right['nats'], right['nats_error']) in rows['right']
    assert '(right/samples.png)' in rows['right'] and '(wrong/samples.png)' in rows['wrong']
    assert '-m wavenet.results right' in rows['right'] and '--interval 3' in rows['right']
    assert 'CPU' in rows['right'] and 'not run' in rows['not-asked-for']

    # Again: nothing is done, but for what has changed
    before = os.stat('out/results/right/model.npz').st_mtime_ns
    status, out, err = run(stages, 'right')
    assert (status, err, out) == (0, '', 'right: done before\nout/results/index.md\n')
    assert os.stat('out/results/right/model.npz').st_mtime_ns == before
    changed = dict(stages, right=small_stage('--iteration 4'))
    # As a run of the changed preset leaves it that is killed at once: the snapshots are of the other
    with open('out/results/right/preset.json', 'w') as file:
        json.dump(shlex.split(TINY + '--iteration 4'), file)
    for _ in range(2):
        status, out, err = run(changed, 'right')
        assert (status, err) == (0, '') and '--resume' not in out
        assert result('right')['iteration'] == 4
        changed['right'] = small_stage('--iteration 4 --seed 1')


def test_it_goes_on_where_it_stopped(run):
    whole = {'stage': small_stage('--iteration 12 --interval 1')}
    assert run(whole, '--out', 'whole')[0] == 0

    def stop():
        while not os.path.exists('out/results/stage/model.npz'):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    status, _, err = run(whole)
    thread.join()
    assert status == 130 and err.count('\n') == 1 and 'interrupted in stage' in err
    assert not os.path.exists('out/results/stage/result.json')
    with open('out/results/stage/log') as file:
        assert len(json.load(file)) < 12                             # the signal was passed on
    status, out, err = run(whole)
    assert status == 0 and 'going on from' in err
    with open('whole/stage/model.npz', 'rb') as a, open('out/results/stage/model.npz', 'rb') as b:
        assert a.read() == b.read()


def test_a_budget(run):
    stages = {'stage': small_stage('--epoch 100')}
    status, _, err = run(stages, '--budget', 0.02)
    assert (status, err) == (0, '')
    first = result('stage')
    assert not first['complete'] and 0.02 <= first['minutes'] < 0.1
    assert 'stopped before the end' in page()
    assert run(stages, '--budget', 0.02)[1].startswith('stage: done before')
    assert run(stages, '--budget', 0.04)[0] == 0
    assert result('stage')['minutes'] >= 0.04 and result('stage')['iteration'] > first['iteration']


def test_a_budget_that_is_not_needed(run):
    assert run({'stage': small_stage('--iteration 2')}, '--budget', 60)[0] == 0
    assert result('stage')['complete'] and result('stage')['iteration'] == 2
    assert 'stopped before the end' not in page()


def test_a_preset_of_some_minutes(run):
    stages = {'stage': small_stage('--epoch 100 --minutes 0.06')}
    assert run(stages, '--budget', 0.01)[0] == 0
    assert not result('stage')['complete'] and 0.01 <= result('stage')['minutes'] < 0.06
    assert run(stages)[0] == 0
    assert result('stage')['complete'] and 0.06 <= result('stage')['minutes'] < 0.2
    assert run(stages)[1].startswith('stage: done before')


def test_a_stage_that_fails(run, tmp_path):
    stages = {'bad': small_stage('', options='--dataset a|b'), 'good': small_stage('--iteration 1')}
    status, out, err = run(stages)
    assert status == 1 and err.count('\n') == 1 and 'bad: train.py: error: unknown dataset' in err
    assert result('good')['iteration'] == 1
    assert "unknown dataset 'a\\|b'" in page()                      # a bar would end a table's cell
    # A file that is none of ours counts as none; what there was is left
    os.makedirs('out/results/bad', exist_ok=True)
    with open('out/results/bad/result.json', 'w') as file:
        file.write('{"nats": 3}')
    good = result('good')
    status, _, err = run(dict(stages, good=small_stage('--dataset nothing')), 'good')
    assert status == 1 and result('good') == good
    assert (tmp_path / 'out/results/good/model.npz').exists()


def test_own_images(run, tmp_path):
    np.savez(str(tmp_path / 'images.npz'),
             train_x=np.random.RandomState(0).randint(0, 256, (30, 5, 4, 3)).astype('u1'))
    stages = {'own-images': presets.STAGES['own-images']._replace(on_cpu='-d 2 -n 1 --iteration 1'),
              'other': small_stage('--iteration 1')}
    assert run(stages, 'own-images', '--images', 'images.npz')[0] == 0
    assert result('own-images')['values'] == 60 and result('own-images')['images'] == 3
    status, out, _ = run(stages)                                 # without the path: only the other
    assert status == 0 and 'own-images' not in out and result('other')


def test_the_experiment_of_real_inputs(run, monkeypatch):
    monkeypatch.setattr(results.real_inputs, 'STAGES', ('a', 'b'))
    assert run({'a': small_stage('--iteration 3'),
                'b': small_stage('--iteration 3', 'real-inputs')})[0] == 0
    assert os.path.exists('out/results/real_inputs.png') and '## Real inputs' in page()
    for name, own in (('a', 'quantized'), ('b', 'real')):  # its own inputs are among the two
        assert result(name)['inputs'][own]['nats'] == pytest.approx(result(name)['nats'])
        assert '| {} | {nats:.2f} ± '.format(
            name, **result(name)['inputs']['quantized']) in page()


@pytest.mark.parametrize('args, words', [
    (['nothing'], ['nothing', 'cifar10']), (['own-images'], ['--images']),
    (['--budget', 0], ['--budget']), (['--gpu', 99], ['--gpu -1']), (['--out', 'file'], ['file']),
    (['--device', 'cpu'], ['--device']), (['--data', '.'], ['--data .', 'mnist'])])
def test_a_users_mistake(command, tmp_path, args, words):
    (tmp_path / 'file').write_text('')
    run = command('-m', 'wavenet.results', *args)
    assert (run.returncode, run.stdout, run.stderr.count('\n')) == (2, '', 1)
    assert all(word in run.stderr for word in words)
    assert os.listdir(str(tmp_path)) == ['file']


def test_the_folder_of_a_data_set(tmp_path):
    folders = [str(tmp_path / name) for name in 'abc']
    for folder, name in zip(folders, ('x', 'test_batch.bin', 't10k-images-idx3-ubyte.gz')):
        os.mkdir(folder)
        open(os.path.join(folder, name), 'w').close()
    assert results.find_data('cifar10', folders) == folders[1]
    assert results.find_data('mnist', folders) == folders[2]
    assert results.find_data('mnist', folders[:2]) is results.find_data('mine', folders) is None


def test_a_preset_that_is_none_loses_nothing(run):
    good = {'one': small_stage('--iteration 4')}
    assert run(good, '--budget', 1e-9)[0] == 0
    before = sorted(os.listdir('out/results/one'))
    status, _, err = run({'one': small_stage('--iteration 4 --nonsense')}, 'one')
    assert status == 1 and 'one: error: unrecognized arguments: --nonsense' in err
    assert sorted(os.listdir('out/results/one')) == before
    assert '--resume auto' in run(good, 'one')[1]


def test_another_mistake_is_another_stage(run):
    assert run({'one': small_stage('--iteration 2')}, 'one')[0] == 0
    status, out, _ = run({'one': small_stage('--iteration 2', 'relu-after')}, 'one')
    assert status == 0 and '--mistake relu-after' in out


def test_a_curve_is_a_share_of_a_uniform_guess():
    done = {name: dict(values=10, levels=4, batchsize=batchsize, curve=[[5, 7.0], [10, 6.0]])
            for name, batchsize in (('levels4', 16), ('levels8-gray', 8))}
    lines = results.page.loss_curves(done).axes[0].lines
    for line, batchsize in zip(lines, (16, 8)):
        x, y = line.get_data()
        assert list(x) == [5 * batchsize, 10 * batchsize]
        np.testing.assert_allclose(y, np.array([7, 6]) / (10 * np.log(4)))


def test_the_training_ends_when_its_parent_is_killed(tmp_path):
    code = ('import sys; sys.path.insert(0, {!r}); from wavenet.results import presets, __main__ as results; '
            'results.STAGES = {{"one": presets.Stage("", {!r}, "--iteration 1000000", "")}}; '
            'results.run_stage("one", results.make_parser().parse_args([]), None)').format(ROOT, TINY)
    parent = subprocess.Popen([sys.executable, '-c', code], cwd=str(tmp_path),
                              env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.DEVNULL)
    folder = tmp_path / 'out/results/one'
    wait_until((folder / 'samples').exists)
    with pytest.raises(BlockingIOError):
        files.lock(str(folder))
    parent.kill()
    parent.wait()

    def is_free():
        try:
            return files.lock(str(folder))
        except BlockingIOError:
            return None
    wait_until(is_free)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
