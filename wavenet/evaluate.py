"""The likelihood of a test set, as the papers measure it: `python -m wavenet.evaluate --help`."""
import sys

from wavenet.commands.evaluate import main
from wavenet.likelihood import Likelihood, check_fit, image_nats, likelihood

__all__ = ['Likelihood', 'check_fit', 'image_nats', 'likelihood']

if __name__ == '__main__':
    sys.exit(main())
