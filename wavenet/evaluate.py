"""The likelihood of a test set, as the papers measure it: `python -m wavenet.evaluate --help`.

From Python: `evaluate.likelihood(model, dataset)`.
"""
import sys

from wavenet.likelihood import Likelihood, check_fit, image_nats, likelihood

__all__ = ['Likelihood', 'check_fit', 'image_nats', 'likelihood']

if __name__ == '__main__':
    from wavenet.commands import evaluate
    sys.exit(evaluate.main('python -m wavenet.evaluate'))
