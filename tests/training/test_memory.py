"""The memory of a training, which is estimated before it starts."""
import resource

import numpy as np
import pytest

from helpers import check_error
from wavenet import devices
from wavenet.commands import train as train_command
from wavenet.families import registry
from wavenet.training import memory


def estimate(*options, shape=(3, 28, 28)):
    args = train_command.make_parser().parse_args(list(map(str, options)))
    family = registry.get(args.model)
    return sum(memory.needed(family, family.configure(args, 1), shape, args.batchsize))


@pytest.mark.parametrize('options, shape, measured', [
    ([], (3, 28, 28), 610), ([], (3, 64, 64), 2392), (['--channels', 1], (1, 64, 64), 2366),
    (['-b', 4], (3, 64, 64), 775), (['-d', 32, '-n', 6], (3, 64, 64), 356),
    (['--levels', 256], (3, 28, 28), 740), (['--levels', 256, '-d', 16, '-n', 2], (3, 64, 64), 982),
    (['--model', 'gated', '-d', 64], (3, 28, 28), 639),
    (['--model', 'gated', '-d', 64], (3, 64, 64), 2793),
    (['--model', 'gated', '--levels', 256, '-d', 16, '-n', 2], (3, 64, 64), 1035),
    # On the recordings of the package, whose largest windows are these
    (['--model', 'wavenet'], (1, 9957), 2768), (['--model', 'wavenet', '-b', 4], (1, 9957), 761),
    (['--model', 'wavenet', '--stacks_num', 2, '-b', 8], (1, 6888), 689),
    (['--model', 'wavenet', '-d', 64, '-b', 4], (1, 9957), 1343)])
def test_it_is_what_was_measured(options, shape, measured):
    """The most memory that train.py had, in MiB: docs/speed.md."""
    assert estimate(*options, shape=shape) / 2 ** 20 == pytest.approx(measured, rel=0.25)


@pytest.fixture
def limit(monkeypatch):
    def to(size):
        monkeypatch.setattr(devices, 'memory_limit', lambda device=None: (size, 'this machine has'))
    return to


def test_a_batch_that_does_not_fit_is_refused_with_one_that_does(train, limit):
    limit(0.2e9)
    options = ['-d', 64, '-n', 15]
    check_error(train('--dataset', 'digits', *options, '--batchsize', 1500),
                '--batchsize 1500 on images of 8×8', 'this machine has 0.2 GB',
                'at most --batchsize ')
    result = train('--dataset', 'digits', *options, '--batchsize', 1500)
    fits = result.stderr.split('--batchsize ')[2].split()[0]
    family = registry.get('pixelcnn')
    args = train_command.make_parser().parse_args(['--channels', '1', *map(str, options)])
    config = family.configure(args, 1)
    for count, is_less in ((int(fits), True), (int(fits) + 1, False)):
        assert (sum(memory.needed(family, config, (1, 8, 8), count)) <= 0.2e9) == is_less


def test_what_helps_depends_on_what_is_large(train, limit, tmp_path):
    limit(0.2e9)
    check_error(train('-d', 3000, '--iteration', 1), 'smaller --hidden_dim')
    path = str(tmp_path / 'large.npz')
    images = np.zeros((2, 1000, 1000), 'u1')
    images[1] = 255
    np.savez(path, train_x=images, test_x=images)
    check_error(train('--dataset', path, '--batchsize', 1), 'images of 1000×1000', '--size N')


def test_the_limit_is_the_least_one(tmp_path, monkeypatch):
    """Of the control groups of both versions, and of all groups above this one."""
    groups = {'proc/self/cgroup': '4:cpu,memory:/a/b\n0::/c/d\n2:pids:/x\n',
              'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
              'sys/fs/cgroup/memory/a/memory.limit_in_bytes': '5000\n',
              'sys/fs/cgroup/memory/a/b/memory.limit_in_bytes': '9223372036854771712\n',
              'sys/fs/cgroup/c/memory.max': '6000\n', 'sys/fs/cgroup/c/d/memory.max': 'max\n',
              'sys/fs/cgroup/x/memory.max': '1\n'}
    for name, text in groups.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert devices.cgroup_limit(tmp_path) == 5000
    (tmp_path / 'sys/fs/cgroup/c/memory.max').write_text('400\n')
    assert devices.cgroup_limit(tmp_path) == 400
    # In a container, the path is that of the host, and the group is the root of its tree
    (tmp_path / 'proc/self/cgroup').write_text('0::/../../host\n')
    (tmp_path / 'sys/fs/cgroup/memory.max').write_text('300\n')
    assert devices.cgroup_limit(tmp_path) == 300
    assert devices.cgroup_limit(tmp_path / 'nowhere') == float('inf')

    monkeypatch.setattr(devices, 'cgroup_limit', lambda: 400)
    limit, words = devices.memory_limit()
    assert limit == 400 and 'control group' in words
    monkeypatch.setattr(devices, 'cgroup_limit', lambda: float('inf'))
    assert devices.memory_limit()[1] == 'this machine has'
    monkeypatch.setattr(resource, 'getrlimit', lambda which: (123, 456))
    assert devices.memory_limit() == (123, 'ulimit -v allows')
