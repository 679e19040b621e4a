"""Generates images from a model that train.py has saved: `python generate.py --help`."""
import sys

from wavenet.commands import generate

if __name__ == '__main__':
    sys.exit(generate.main())
