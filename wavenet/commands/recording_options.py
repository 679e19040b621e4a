"""The options that say how recordings are read, of train.py and of the evaluation."""


def add(add):
    """Adds them: `add` is the `add_argument` of a parser or of a group of its options."""
    add('--classes', metavar='KEY',
        help='the array of an .npz file of recordings that holds their classes, such as digits '
             '(default: classes)')
    add('--strict', action='store_true', default=None,
        help='a recording that cannot be read is an error; otherwise it is left out, with a '
             'warning')
