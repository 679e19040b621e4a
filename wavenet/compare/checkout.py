"""Finds the commit of a checkout."""
import os
import subprocess
from typing import NamedTuple, Optional

from wavenet.compare import differences

STATES = {differences.POST: "the post's state",
          differences.NEWEST: 'the newest'}


class Commit(NamedTuple):
    name: Optional[str]  # its first seven digits; None if the folder is not a git checkout
    description: str


UNKNOWN = Commit(None, 'no git checkout')


def commit(folder):
    """The commit of a git checkout. Nothing is written, not even the cache of git status."""
    try:
        top = _git(folder, 'rev-parse', '--show-toplevel')
        if os.path.realpath(top) != os.path.realpath(folder):
            return UNKNOWN
        name, date = _git(folder, 'log', '-1', '--format=%H %cs').split()
        changed = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    except (OSError, subprocess.CalledProcessError, ValueError):
        return UNKNOWN
    name = name[:7]
    words = [f'commit {name} of {date}']
    if name in STATES:
        words.append(STATES[name])
    if changed:
        words.append('with changed files')
    return Commit(name, ', '.join(words))


def _git(folder, *args):
    return subprocess.run(
        ('git', '--no-optional-locks', '-C', folder) + args, check=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
