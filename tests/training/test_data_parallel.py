"""train.py, run by several processes under mpiexec, and what one process gives."""
import os
import shutil
import signal

import numpy as np
import pytest

from helpers import SMALL, log, parameters, results
from wavenet.training import snapshots

SAID = f'train.py: 2 processes, each on 1 of {os.cpu_count()} cores\n'


@pytest.fixture
def train_by(ranks, images):
    """Runs train.py by so many processes, on the 40 + 10 images, in batches of 16 or 15."""
    def run(size, *args, **env):
        return ranks(size, 'train.py', '--dataset', images, *SMALL + [
            '--batchsize', 16 // size] + list(args), **env)
    return run


def same_to_rounding(tmp_path, one, other):
    entries, others = log(tmp_path, one), log(tmp_path, other)
    assert len(entries) == len(others)
    for name in ['main/nll', 'main/bits/dim', 'validation/main/nll', 'validation/main/bits/dim']:
        np.testing.assert_allclose([entry[name] for entry in others],
                                   [entry[name] for entry in entries], rtol=1e-5, err_msg=name)
    near(tmp_path / one / 'model.npz', tmp_path / other / 'model.npz')


def near(one, other):
    """Adam makes steps of 0.001 of gradients that are nothing but rounding, too: single weights may
    differ by more."""
    expected = parameters(one)
    differences = np.concatenate([(value - expected[name]).ravel()
                                  for name, value in parameters(other).items()])
    assert np.sqrt((differences.astype('d') ** 2).mean()) < 1e-5


# 40 images in batches of 16: epochs end within iterations 3, 5 and 8, and fill these up with the
# images of the next one.

@pytest.mark.parametrize('options', [
    ['--binarize', '--loss', 'sigmoid', '--gradclip', 0.5, '--stats'],
    # Gradients that are parts of other arrays; what clips must be the mean of the ranks
    ['--levels', 8, '--model', 'gated', '--average', 0.9, '--lr_decay', 0.9],
    ['--model', 'gated', '--form', 'author', '--clip', 0.01, '--weight_decay', 0]])
def test_two_ranks_are_one_process_with_batches_of_both(
        train, train_by, tmp_path, options):
    expected = train('--epoch', 3, '--out', 'one', *options)
    result = train_by(2, '--epoch', 3, '--out', 'two', *options)
    assert (result.returncode, result.stderr) == (0, SAID)
    same_to_rounding(tmp_path, 'one', 'two')
    # One of them speaks, draws and writes
    ours, theirs = [[line for line in output.splitlines() if 's a step: about' not in line]
                    for output in (result.stdout, expected.stdout)]   # slow runs say how long
    assert len(ours) == len(theirs) > 5
    assert '\033' not in result.stdout and '\r' not in result.stdout
    assert sorted(results(tmp_path / 'one')) == sorted(results(tmp_path / 'two'))
    assert [os.path.basename(path) for path in snapshots.find(str(tmp_path / 'two'))] == [
        'snapshot_iter_8', 'snapshot_iter_5', 'snapshot_iter_3']


def test_all_ranks_stop_when_the_time_of_the_first_is_over(train_by, tmp_path):
    result = train_by(2, '--epoch', 10 ** 6, '--minutes', 0.02, '--out', 'two')
    assert (result.returncode, result.stderr) == (0, SAID)
    assert log(tmp_path, 'two')[-1]['elapsed_time'] >= 0.02 * 60


def test_one_rank_needs_no_mpiexec(ranks, train, process, images, tmp_path):
    assert train('--iteration', 2, '--out', 'alone').returncode == 0
    result = process('train.py', '--dataset', images, *SMALL, '--iteration', 2, '--out', 'team',
                     '--communicator', 'naive')
    assert (result.returncode, result.stderr) == (0, '')
    assert results(tmp_path / 'team')['model.npz'] == results(tmp_path / 'alone')['model.npz']


@pytest.mark.gpu
def test_nccl(train, train_by, tmp_path):
    assert train('--epoch', 3, '--gpu', 0, '--out', 'one').returncode == 0
    result = train_by(1, '--epoch', 3, '--gpu', 0, '--communicator', 'pure_nccl', '--out', 'nccl')
    assert result.returncode == 0, result.stderr
    same_to_rounding(tmp_path, 'one', 'nccl')


@pytest.mark.gpu
@pytest.mark.parametrize('options', [[], ['--model', 'gated']])
def test_gradients_travel_as_one_array(train_by, tmp_path, options):
    """Where CUDA is a stand-in with a trace. Its all-reduce of one process is a copy."""
    trace = tmp_path / 'trace'
    result = train_by(1, '--iteration', 3, '--gpu', 0, '--communicator', 'pure_nccl',
                      '--samples', 0, *options, FAKECUDA_TRACE=str(trace))
    assert result.returncode == 0, result.stderr
    if not trace.exists():
        pytest.skip('this CUDA writes no trace')
    lines = [line.split() for line in trace.read_text().splitlines()]
    of_step = [n for n, line in enumerate(lines) if line[:2] == ['launch', 'adam']]
    assert len(of_step) == 3
    size = 4 * sum(array.size for array in parameters(tmp_path / 'out/model.npz').values())
    step = lines[of_step[0]:of_step[1]]
    mean, = [n for n, line in enumerate(step) if line[0] == 'd2d' and str(size) in line]
    after = [' '.join(line) for line in step[mean:]]
    assert any('div_by_size' in line for line in after) and len(after) <= 12, after
    # They were joined before, and the parameters are updated by the array that comes back
    assert not any('concatenate' in line for line in after), after


# 10 test images for 3 ranks, in batches of 5: 4, 3 and 3; and 1 image for 2 ranks
@pytest.mark.parametrize('size, options', [(3, []), (2, ['--test_limit', 1])])
def test_each_test_image_counts_once(train, train_by, tmp_path, size, options):
    options = options + ['--iteration', 1, '--learning_rate', 1]
    batch = 16 // size * size
    assert train('--batchsize', batch, '--out', 'one', *options).returncode == 0
    assert train_by(size, '--out', 'more', *options).returncode == 0
    entry, = log(tmp_path, 'one')
    other, = log(tmp_path, 'more')
    for name in ('validation/main/nll', 'validation/main/bits/dim'):
        assert abs(entry[name] / other[name] - 1) < 1e-6


# Resuming

@pytest.mark.parametrize('options', [
    ['--binarize'], ['--model', 'gated'], ['--labels', '--levels', '256', '--channels', '1']])
def test_two_ranks_go_on_to_the_bit_and_one_to_rounding(
        train, train_by, tmp_path, options):
    assert train_by(2, *options, '--iteration', 6, '--out', 'whole').returncode == 0
    assert train_by(2, *options, '--iteration', 4, '--out', 'two').returncode == 0
    shutil.copytree(str(tmp_path / 'two'), str(tmp_path / 'one'))
    result = train_by(2, *options, '--iteration', 6, '--out', 'two', '--resume', 'auto')
    assert (result.returncode, result.stderr) == (
        0, SAID + 'train.py: going on from two/snapshot_iter_4\n')
    whole = results(tmp_path / 'whole')
    assert {name: content for name, content in results(tmp_path / 'two').items()
            if name in ('model.npz', 'samples/epoch_2.png')} == {
        name: whole[name] for name in ('model.npz', 'samples/epoch_2.png')}

    result = train(*options, '--iteration', 6, '--out', 'one', '--resume', 'auto')
    assert result.returncode == 0, result.stderr
    same_to_rounding(tmp_path, 'two', 'one')


def test_two_ranks_go_on_from_what_one_process_left(train, train_by, tmp_path):
    assert train('--iteration', 6, '--out', 'whole').returncode == 0
    assert train('--iteration', 4).returncode == 0
    result = train_by(2, '--iteration', 6, '--resume', 'out/snapshot_iter_4')
    assert result.returncode == 0, result.stderr
    near(tmp_path / 'whole/model.npz', tmp_path / 'out/model.npz')
    # And is at its end
    result = train_by(2, '--iteration', 6, '--resume', 'auto')
    assert result.returncode == 0
    assert 'is at iteration 6 already' in result.stderr.splitlines()[-1]


def test_all_ranks_lose_patience_together(train_by, tmp_path):
    """The learning rate is 0 after a few steps, so the loss stays the same."""
    result = train_by(2, '--epoch', 20, '--patience', 2, '--lr_decay', 1e-9)
    assert result.returncode == 0, result.stderr
    assert '--patience 2: 2 tests without a better loss' in result.stdout
    assert len(log(tmp_path)) < 20 and (tmp_path / 'out/best.npz').exists()


# Signals, as mpiexec gets them

@pytest.fixture
def start_two(mpiexec, ranks, start):
    """Starts train.py by two ranks in the background."""
    return lambda *args: start('--batchsize', 8, '--communicator', 'naive', *args,
                               python=mpiexec(2))


def test_a_signal_ends_all_after_one_snapshot(start_two, train_by, tmp_path):
    process = start_two('--epoch', 10 ** 9)
    refused = train_by(2, '--epoch', 1)
    assert refused.returncode == 2
    assert refused.stderr == SAID + (
        "train.py: error: --out out: another process is writing to this folder\n")
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    said, line = err.splitlines(keepends=True)
    assert process.returncode == 128 + signal.SIGUSR1 and said == SAID
    assert line.startswith('train.py: interrupted at iteration ')
    newest = snapshots.find(str(tmp_path / 'out'))[0]
    assert f'--resume out/{os.path.basename(newest)} ' in line
    assert not list(tmp_path.rglob('*.tmp'))


def test_ctrl_c_ends_all_and_loses_nothing(start_two, train_by, tmp_path):
    # mpiexec lets its processes live for half a second: a snapshot may or may not be written
    process = start_two('--epoch', 10 ** 9)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    iteration = int(snapshots.find(str(tmp_path / 'out'))[0].rsplit('_', 1)[1])
    # Nothing has kept the folder
    options = ['--iteration', iteration + 2]
    result = train_by(2, '--resume', 'auto', *options)
    assert result.returncode == 0
    assert f'going on from out/snapshot_iter_{iteration}\n' in result.stderr
    assert train_by(2, '--out', 'whole', *options).returncode == 0
    assert results(tmp_path / 'out')['model.npz'] == results(tmp_path / 'whole')['model.npz']
