"""Trains a model: `python train.py --help`."""
import sys

try:
    from wavenet.commands import train
except ImportError as error:  # a package is not installed
    print(f'train.py: error: {error}', file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:     # Ctrl-C, while the packages are imported
    print('train.py: interrupted', file=sys.stderr)
    sys.exit(130)

if __name__ == '__main__':
    sys.exit(train.main())
