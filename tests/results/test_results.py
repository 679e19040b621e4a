"""python -m wavenet.results, with small stages."""
import itertools
import json
import os
import pathlib
import shlex
import signal
import threading
import time

import chainer.training.trainer
import numpy as np
import pytest
from PIL import Image

import in_process
from wavenet import cli, evaluate, serialization
from wavenet.commands import train as train_command
from wavenet.data.load import load_dataset
from wavenet.results import __main__ as results
from wavenet.results import mistakes, presets, training_process
from wavenet.results.training_process import TrainingFailed

TINY = '--dataset digits --channels 1 --levels 4 -d 2 -n 1 --test_limit 20 '
OUT = pathlib.Path('out', 'results')


def small_stage(length, mistake=None, options=TINY):
    return presets.Stage('an image', options, length, length, mistake)


@pytest.fixture
def run_with_processes(tmp_path, monkeypatch, capfd):
    """Runs the command in this process, with other stages, in an empty folder.

    Returns: a function that takes the stages and the options, and returns the exit status, the
        standard output and the standard error.
    """
    monkeypatch.chdir(tmp_path)
    numpy_errors = np.geterr()
    # A shell makes background jobs, which these tests may be, ignore SIGINT
    handlers = {number: signal.signal(number, handler) for number, handler in (
        (signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))}

    def run(stages, *args):
        for module in (results, results.page):
            monkeypatch.setattr(module, 'STAGES', stages)
        monkeypatch.setattr('sys.argv', ['results.py', *map(str, args)])
        try:
            status = results.main()
        except SystemExit as end:
            status = end.code
        return (status, *capfd.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    np.seterr(**numpy_errors)


@pytest.fixture
def run(run_with_processes, monkeypatch):
    """The same; the trainings run in this process, too, which saves the time to start others."""
    monkeypatch.setattr(training_process, 'run', train_here)
    return run_with_processes


def train_here(name, command):
    """Does what `training_process.run` does, without a process."""
    print(f'{name}: python {shlex.join(command)}')
    result = in_process.run(command, os.getcwd())
    for line in result.stderr.splitlines():
        cli.say(f'{name}: {line}')
    if result.returncode:
        raise TrainingFailed(line)


@pytest.fixture
def clock(monkeypatch):
    """A clock for Chainer's Trainer that advances by a second whenever it is read."""
    monkeypatch.setattr(chainer.training.trainer, '_get_time', itertools.count().__next__)


def result(name):
    return json.loads((OUT / name / 'result.json').read_text())


def page():
    return (OUT / 'index.md').read_text('utf-8')


# The presets

@pytest.mark.parametrize('gpu', [-1, 0])
@pytest.mark.parametrize('name', sorted(presets.STAGES))
def test_a_preset_has_options_of_train(name, gpu):
    args = results.make_parser().parse_args(['--gpu', str(gpu), '--images', 'folder'])
    stage = presets.STAGES[name]
    options = train_command.make_parser().parse_args(results.preset_options(stage, args))
    assert stage.mistake in [None, *mistakes.MISTAKES]
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
              'wrong': small_stage('--iteration 2', 'no-colour-masks',
                                   '--dataset digits -d 2 -n 1')}
    status, out, err = run(stages, 'wrong', 'right')
    assert (status, err) == (0, '')
    assert out.splitlines()[-1] == 'out/results/index.md'
    assert sorted(os.listdir(OUT)) == ['index.md', 'losses.png', 'right', 'samples.png', 'wrong']
    assert {'samples.png', 'model.npz', 'log', 'result.json'} <= set(os.listdir(OUT / 'right'))
    for name, cells in (('right', 10), ('wrong', 4)):
        with Image.open(OUT / name / 'samples.png') as image:
            assert image.size == (cells * 9 * 2,) * 2
    for name in ('losses.png', 'samples.png'):
        with Image.open(OUT / name) as image:
            assert len(np.unique(np.asarray(image))) > 20

    right = result('right')
    assert (right['iteration'], right['images'], right['levels']) == (6, 20, 4)
    assert [iteration for iteration, _ in right['curve']] == [3, 6]
    model = serialization.load_model('out/results/right/model.npz')
    _, test = load_dataset('digits', 1, 4, test_limit=20)
    assert evaluate.likelihood(model, test).nats == pytest.approx(right['nats'], rel=1e-6)
    assert right['curve'][-1][1] == pytest.approx(right['nats'], rel=1e-5)
    with mistakes.registered():
        model = serialization.load_model('out/results/wrong/model.npz')
    _, test = load_dataset('digits', 3, 2)
    assert evaluate.likelihood(model, test).nats == pytest.approx(result('wrong')['nats'], rel=1e-6)

    rows = {line.split(' | ')[0][2:]: line for line in page().splitlines() if line.startswith('| ')}
    assert f'{right["nats"]:.2f} ± {right["nats_error"]:.2f}' in rows['right']
    assert '(right/samples.png)' in rows['right'] and '(wrong/samples.png)' in rows['wrong']
    assert '-m wavenet.results right' in rows['right'] and '--interval 3' in rows['right']
    assert 'CPU' in rows['right'] and 'not run' in rows['not-asked-for']


def test_only_what_has_changed_is_done_again(run):
    stage = {'stage': small_stage('--iteration 3')}
    assert run(stage)[0] == 0
    before = (OUT / 'stage/model.npz').stat().st_mtime_ns
    assert run(stage) == (0, 'stage: done before\nout/results/index.md\n', '')
    assert (OUT / 'stage/model.npz').stat().st_mtime_ns == before
    # A run of the changed preset that is killed at once leaves this; the snapshots are older
    (OUT / 'stage/preset.json').write_text(json.dumps(shlex.split(TINY + '--iteration 4')))
    for options in ('--iteration 4', '--iteration 4 --seed 1'):
        status, out, err = run({'stage': small_stage(options)})
        assert (status, err) == (0, '') and '--resume' not in out
        assert result('stage')['iteration'] == 4


def test_it_goes_on_where_it_stopped(run_with_processes, monkeypatch):
    stage = {'stage': small_stage('--iteration 15 --interval 1')}

    def stop():
        while not (OUT / 'stage/model.npz').exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    status, _, err = run_with_processes(stage)
    thread.join()
    assert status == 130 and err.count('\n') == 1 and 'interrupted in stage' in err
    assert not (OUT / 'stage/result.json').exists()
    assert len(json.loads((OUT / 'stage/log').read_text())) < 15      # the signal was passed on
    monkeypatch.setattr(training_process, 'run', train_here)
    status, out, err = run_with_processes(stage)
    assert status == 0 and 'going on from' in err
    assert run_with_processes(stage, '--out', 'whole')[0] == 0
    whole = pathlib.Path('whole/stage/model.npz').read_bytes()
    assert whole == (OUT / 'stage/model.npz').read_bytes()


def test_a_budget(run, clock):
    stages = {'stage': small_stage('--epoch 100')}
    status, _, err = run(stages, '--budget', 0.2)
    assert (status, err) == (0, '')
    first = result('stage')
    assert not first['complete'] and first['minutes'] >= 0.2 and first['iteration'] <= 12
    assert 'stopped before the end' in page()
    assert run(stages, '--budget', 0.2)[1].startswith('stage: done before')
    assert run(stages, '--budget', 0.5)[0] == 0
    assert result('stage')['minutes'] >= 0.5 and result('stage')['iteration'] > first['iteration']


def test_a_budget_that_is_not_needed(run):
    assert run({'stage': small_stage('--iteration 2')}, '--budget', 60)[0] == 0
    assert result('stage')['complete'] and result('stage')['iteration'] == 2
    assert 'stopped before the end' not in page()


def test_a_preset_of_some_minutes(run, clock):
    stages = {'stage': small_stage('--epoch 100 --minutes 0.5')}
    assert run(stages, '--budget', 0.2)[0] == 0
    assert not result('stage')['complete'] and 0.2 <= result('stage')['minutes'] < 0.5
    assert run(stages)[0] == 0
    assert result('stage')['complete'] and result('stage')['minutes'] >= 0.5
    assert run(stages)[1].startswith('stage: done before')


def test_a_stage_that_fails(run):
    stages = {'bad': small_stage('', options='--dataset a|b'), 'good': small_stage('--iteration 1')}
    status, out, err = run(stages)
    assert status == 1 and err.count('\n') == 1
    assert 'bad: train.py: error: --dataset a|b: unknown dataset' in err
    assert result('good')['iteration'] == 1
    assert "unknown dataset 'a\\|b'" in page()             # a bar would end the cell of the table
    # A result of another program does not count; existing files stay
    (OUT / 'bad').mkdir(exist_ok=True)
    (OUT / 'bad/result.json').write_text('{"nats": 3}')
    good = result('good')
    status, _, err = run(dict(stages, good=small_stage('--dataset nothing')), 'good')
    assert status == 1 and result('good') == good
    assert (OUT / 'good/model.npz').exists()


def test_own_images(run, tmp_path):
    np.savez(tmp_path / 'images.npz',
             train_x=np.random.RandomState(0).randint(0, 256, (30, 5, 4, 3)).astype('u1'))
    own_images = presets.STAGES['own-images']._replace(on_cpu='-d 2 -n 1 --iteration 1')
    stages = {'own-images': own_images, 'other': small_stage('--iteration 1')}
    assert run(stages, 'own-images', '--images', 'images.npz')[0] == 0
    assert result('own-images')['values'] == 60 and result('own-images')['images'] == 3
    status, out, _ = run(stages)                                 # without the path: only the other
    assert status == 0 and 'own-images' not in out and result('other')


def test_the_experiment_of_real_inputs(run, monkeypatch):
    monkeypatch.setattr(results.real_inputs, 'STAGES', ('a', 'b'))
    assert run({'a': small_stage('--iteration 3'),
                'b': small_stage('--iteration 3', 'real-inputs')})[0] == 0
    assert (OUT / 'real_inputs.png').exists() and '## Real inputs' in page()
    for name, own in (('a', 'quantized'), ('b', 'real')):  # its own inputs are one of the two kinds
        inputs = result(name)['inputs']
        assert inputs[own]['nats'] == pytest.approx(result(name)['nats'])
        assert f'| {name} | {inputs["quantized"]["nats"]:.2f} ± ' in page()


@pytest.mark.parametrize('args, words', [
    (['nothing'], ['nothing', 'cifar10']), (['own-images'], ['--images']),
    (['--budget', 0], ['--budget']), (['--gpu', 99], ['--gpu -1']), (['--out', 'file'], ['file']),
    (['--device', 'cpu'], ['--device']), (['--data', '.'], ['--data .', 'mnist'])])
def test_a_users_mistake(command, tmp_path, args, words):
    (tmp_path / 'file').write_text('')
    run = command('-m', 'wavenet.results', *args)
    assert (run.returncode, run.stdout, run.stderr.count('\n')) == (2, '', 1)
    assert all(word in run.stderr for word in words)
    assert os.listdir(tmp_path) == ['file']


def test_the_folder_of_a_data_set(tmp_path):
    folders = [tmp_path / name for name in 'abc']
    for folder, name in zip(folders, ('x', 'test_batch.bin', 't10k-images-idx3-ubyte.gz')):
        folder.mkdir()
        (folder / name).touch()
    assert results.find_data('cifar10', folders) == folders[1]
    assert results.find_data('mnist', folders) == folders[2]
    assert results.find_data('mnist', folders[:2]) is results.find_data('mine', folders) is None


def test_a_wrong_preset_loses_nothing(run):
    good = {'one': small_stage('--iteration 4')}
    assert run(good, '--budget', 1e-9)[0] == 0
    before = sorted(os.listdir(OUT / 'one'))
    status, _, err = run({'one': small_stage('--iteration 4 --nonsense')}, 'one')
    assert status == 1 and 'one: error: unrecognized arguments: --nonsense' in err
    assert sorted(os.listdir(OUT / 'one')) == before
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
