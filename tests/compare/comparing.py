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
