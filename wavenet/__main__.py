"""`python -m wavenet`: the versions in use, and what Chainer needed to run on them."""
import sys

import chainer
import numpy as np

import wavenet
from wavenet import compat

print(f'wavenet {wavenet.__version__}, Python {sys.version.split()[0]}, NumPy {np.__version__}, '
      f'Chainer {chainer.__version__}')
for line in compat.RESTORED:
    print('restored', line)
