"""`python -m wavenet`: the versions in use, and what Chainer needed to run on them."""
import sys

import chainer
import numpy as np

from wavenet import compat

print('Python {}, NumPy {}, Chainer {}'.format(
    sys.version.split()[0], np.__version__, chainer.__version__))
for line in compat.RESTORED:
    print('restored', line)
