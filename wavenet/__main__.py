"""`python -m wavenet`: the commands, the versions in use, what Chainer needed to run on them."""
import sys

import chainer
import numpy as np

from wavenet import compat
from wavenet.storage import pretrained
from wavenet.version import __version__

COMMANDS = {
    'python train.py, or wavenet-train': 'train a model',
    'python generate.py, or wavenet-generate': 'generate images from a model',
    'python -m wavenet.evaluate, or wavenet-evaluate': 'measure the likelihood of a test set',
    'python -m wavenet.curve': 'plot the losses of trainings from their logs',
    'python -m wavenet.results': 'reproduce the images of the post',
    'python -m wavenet.results.mistakes': "train with one of the post's mistakes",
    'python -m wavenet.figures': 'draw the figures of the model',
    'python -m wavenet.compare': "compare with the author's code",
}

print('Commands; --help of each lists its options:')
for command, what in COMMANDS.items():
    print(f'  {command:48} {what}')
print('Pretrained models, for --model:', ', '.join(pretrained.names()))
print()
print(f'wavenet {__version__}, Python {sys.version.split()[0]}, NumPy {np.__version__}, '
      f'Chainer {chainer.__version__}')
for line in compat.RESTORED:
    print('restored', line)
