"""What tests of `python -m wavenet.compare` share, beside the fixtures in conftest.py."""
import json
from typing import NamedTuple


class Done(NamedTuple):
    status: int
    stdout: str
    stderr: str


def read_summary(folder):
    return json.loads((folder / 'comparison' / 'comparison.json').read_text())


def contents(folder):
    return {str(path): (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes())
            for path in folder.glob('**/*')}


def run_and_leave_as_it_was(compare, author, *options):
    """Compares a stand-in of the author's code, which must succeed and touch none of its files."""
    before = contents(author)
    done = compare('--author', author, *options)
    assert (done.status, done.stderr) == (0, '')
    assert contents(author) == before
    return done
