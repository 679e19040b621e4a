"""Downloads from servers that break off, lie, or stall: real ones, on this machine."""
import gzip
import hashlib
import http.server
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from helpers import ROOT, idx, write_mnist
from wavenet.data import downloads, fetch
from wavenet.data.load import load_dataset

CONTENT = np.random.RandomState(0).bytes(300000)


class Server:
    """One file under any name. Records the ranges that it is asked for.

    Args:
        content: of the file; a dict for several names.
        ends: for each request in its turn, the number of bytes after which it breaks off.
        ranges: whether it knows of ranges.
        pause: seconds before each 10,000 bytes.
        length: whether it says how long the file is.
    """

    def __init__(self, content=CONTENT, ends=(), ranges=True, pause=0, length=True):
        server, self.asked, ends = self, [], list(ends)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers.get('Range')
                server.asked.append(asked)
                body = content[self.path.strip('/')] if isinstance(content, dict) else content
                start = int(asked[6:-1]) if asked and ranges else 0
                if start >= len(body):
                    return self.send_error(416)
                self.send_response(206 if start else 200)
                if start:
                    self.send_header('Content-Range', f'bytes {start}-{len(body) - 1}/{len(body)}')
                if length:
                    self.send_header('Content-Length', str(len(body) - start))
                self.end_headers()
                end = start + (ends.pop(0) if ends else len(body))
                for position in range(start, min(end, len(body)), 10000):
                    time.sleep(pause)
                    try:
                        self.wfile.write(body[position:min(end, position + 10000)])
                    except OSError:
                        return                             # the other side has had enough

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f'http://127.0.0.1:{self._server.server_port}/'

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve():
    servers = []

    def serve(*args, **kwargs):
        servers.append(Server(*args, **kwargs))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def check(url, content):
    if content != CONTENT:
        raise ValueError('something else')
    return content


def get(*servers, limit=1 << 20):
    return fetch.fetch([server.url for server in servers], limit, check)


@pytest.fixture
def nowhere(serve):
    """An address where nobody answers"""
    server = serve()
    server.close()
    server.close = lambda: None
    return server


def test_the_next_address_goes_on(serve, capsys):
    first, second = serve(ends=[120000]), serve()
    assert get(first, second) == CONTENT
    assert first.asked == [None] and second.asked == ['bytes=120000-']
    assert 'broke off' in capsys.readouterr().err


def test_the_only_address_goes_on(serve, nowhere):
    server = serve(ends=[100000, 50000, 1])
    assert get(nowhere, server, nowhere) == CONTENT
    assert server.asked == [None, 'bytes=100000-', 'bytes=150000-', 'bytes=150001-']


def test_a_server_without_ranges_sends_all(serve, capsys):
    first, second = serve(ends=[120000]), serve(ranges=False)
    assert get(first, second) == CONTENT
    assert 'sends the whole file' in capsys.readouterr().err


def test_parts_that_do_not_fit_are_thrown_away(serve, capsys):
    first, second = serve(CONTENT[::-1], ends=[120000]), serve()
    assert get(first, second) == CONTENT
    assert second.asked == ['bytes=120000-', None]
    assert 'from the beginning' in capsys.readouterr().err
    third = serve(CONTENT[::-1] + b'longer', ends=[300001])
    assert get(third, second) == CONTENT                   # there is no such range in its file


def test_wrong_content_is_not_used(serve):
    with pytest.raises(OSError, match='something else'):
        get(serve(b'x'))
    assert get(serve(b'x'), serve()) == CONTENT


def test_an_end_without_a_length_is_noticed_by_the_check(serve):
    assert get(serve(ends=[5000], length=False), serve(length=False)) == CONTENT


def test_an_endless_file_is_not_waited_for(serve):
    with pytest.raises(OSError, match='more than 100000 bytes'):
        get(serve(), limit=100000)


def test_an_address_that_breaks_off_again_and_again_is_given_up(serve):
    server = serve(ends=[1] * 1000)
    with pytest.raises(OSError, match='it ended after'):
        get(server)
    assert len(server.asked) == fetch.ATTEMPTS


def test_silence_and_slowness_time_out(serve, monkeypatch, nowhere):
    monkeypatch.setattr(fetch, 'TIMEOUT', 0.2)
    silent, good = serve(pause=30), serve()
    assert get(silent, good) == CONTENT
    monkeypatch.setattr(fetch, 'MINUTE', 0.3)
    monkeypatch.setattr(fetch, 'SLOWEST', 10 ** 6)
    slow = serve(pause=0.1)                                # 100 kB a second
    assert get(slow, good) == CONTENT
    assert good.asked[0] is None and good.asked[1].startswith('bytes=')
    with pytest.raises(OSError, match='refused'):
        get(nowhere)


# Data sets

@pytest.fixture
def mnist(tmp_path, serve):
    """The checksums of a small MNIST, and the contents of its files by their names."""
    folder = tmp_path / 'mnist'
    folder.mkdir()
    arrays = write_mnist(folder)
    sums = {name: hashlib.sha256(idx(array)).hexdigest()
            for name, array in arrays.items()}
    return sums, {path.name: path.read_bytes() for path in folder.iterdir()}


def test_mnist_over_two_addresses(mnist, serve, monkeypatch, tmp_path):
    sums, pages = mnist
    servers = serve(pages, ends=[100, 2000]), serve(pages)
    monkeypatch.setattr(downloads, 'MNIST', downloads.MNIST._replace(
        files=sums, mirrors=[server.url for server in servers]))
    monkeypatch.setattr(downloads, '_cache', lambda name: tmp_path / 'cache')
    assert len(load_dataset('mnist')[0]) == 6
    assert servers[1].asked[0] == 'bytes=100-'


def test_a_bomb_instead_of_mnist_is_not_unpacked(mnist, serve, monkeypatch, tmp_path):
    sums, pages = mnist
    bomb = gzip.compress(bytes(100 << 20))
    monkeypatch.setattr(downloads, 'MNIST', downloads.MNIST._replace(
        files=sums, mirrors=[serve(dict.fromkeys(pages, bomb)).url]))
    monkeypatch.setattr(downloads, '_cache', lambda name: tmp_path / 'cache')
    with pytest.raises(OSError, match='checksum mismatch'):
        load_dataset('mnist')
    assert not (tmp_path / 'cache').exists()


def test_two_processes_on_an_empty_cache(mnist, serve, tmp_path):
    sums, pages = mnist
    server = serve(pages, pause=0.05)
    program = '''
import wavenet, chainer
from wavenet.data import downloads
from wavenet.data.load import load_dataset
downloads.MNIST = downloads.MNIST._replace(files={!r}, mirrors=[{!r}])
chainer.dataset.set_dataset_root({!r})
print(len(load_dataset('mnist')[0]))
'''.format(sums, server.url, str(tmp_path / 'cache'))
    processes = [subprocess.Popen([sys.executable, '-c', program], cwd=ROOT, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, universal_newlines=True)
                 for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, '6\n', '')
    asked = len(server.asked)
    assert asked in (4, 6, 8)                              # the second may have found a file
    names = sorted(path.name for path in (tmp_path / 'cache').rglob('*.*'))
    assert names == ['test.npz', 'train.npz']
    assert subprocess.check_output([sys.executable, '-c', program], cwd=ROOT) == b'6\n'
    assert len(server.asked) == asked                      # nothing is fetched that is there


@pytest.fixture
def forbidden_network(monkeypatch):
    def urlopen(*args, **kwargs):
        raise AssertionError('the network is asked')

    monkeypatch.setattr(fetch.urllib.request, 'urlopen', urlopen)


def test_local_data_is_read_without_the_network(forbidden_network, tmp_path):
    write_mnist(tmp_path)
    for expected, train in ((1500, load_dataset('digits')[0]),
                            (6, load_dataset('mnist', data=str(tmp_path))[0])):
        assert len(train) == expected


def test_files_missing_from_a_given_folder_are_not_downloaded(forbidden_network, tmp_path):
    write_mnist(tmp_path)
    (tmp_path / 't10k-images-idx3-ubyte.gz').unlink()
    with pytest.raises(OSError, match='t10k-images'):
        load_dataset('mnist', data=str(tmp_path))
