"""Generates images or sound from a model that train.py has saved: `python generate.py --help`."""
import sys

try:
    from wavenet.commands import generate
except ImportError as error:  # a package is not installed
    print(f'generate.py: error: {error}', file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:     # Ctrl-C, while the packages are imported
    print('generate.py: interrupted', file=sys.stderr)
    sys.exit(130)

if __name__ == '__main__':
    sys.exit(generate.main())
