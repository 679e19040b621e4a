"""Trains a model: `python train.py --help`."""
import sys

from wavenet.commands import train

if __name__ == '__main__':
    sys.exit(train.main())
