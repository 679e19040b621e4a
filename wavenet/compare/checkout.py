"""Which commit a folder is at."""
import os
import subprocess

STATES = {'f9705a7': "the post's state", '917345c': 'the newest, with Gated PixelCNN'}


def commit(folder):
    """The commit of a git checkout, with its date, in words; a reason where there is none.

    Git is asked to write nothing, not even what it remembers of files that are unchanged.
    """
    try:
        top = _git(folder, 'rev-parse', '--show-toplevel')
        if os.path.realpath(top) != os.path.realpath(folder):
            return 'no git checkout'
        name, date = _git(folder, 'log', '-1', '--format=%H %cs').split()
        changed = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    except (OSError, subprocess.CalledProcessError, ValueError):
        return 'no git checkout'
    words = ['commit {} of {}'.format(name[:7], date)]
    words += [STATES[name[:7]]] if name[:7] in STATES else []
    words += ['with changed files'] if changed else []
    return ', '.join(words)


def _git(folder, *args):
    return subprocess.run(
        ('git', '--no-optional-locks', '-C', folder) + args, check=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout.strip()
