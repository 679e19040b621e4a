"""The options of train.py that depend on the kind of data, images or sound: whether they exist, and
their defaults."""
from wavenet.families import registry

# Option → its default; None where the family says it. Those of the other kind may not be given.
DEFAULTS = {
    'images': dict(dataset='mnist', samples=16, data=None, size=None, channels=None,
                   labels=False, binarize=False, flip=False, loss='softmax', dropout=None),
    'sound': dict(dataset='speech', samples=4, rate=8000, classes=None, strict=False)}


def fill_in(parser, args):
    """Fills in the defaults of the kind of the model `args.model`, for options that were not given.

    An option that is only for the other kind is a mistake. In `args` it then has the default of
    that kind.
    """
    kind = 'sound' if registry.get(args.model).data == 'sound' else 'images'
    other, = DEFAULTS.keys() - {kind}
    for name in DEFAULTS[other].keys() - DEFAULTS[kind].keys():
        if getattr(args, name) is not None:
            parser.error(f'--{name} is for models of {other}')
    for name, default in {**DEFAULTS[other], **DEFAULTS[kind]}.items():
        if getattr(args, name) is None:
            setattr(args, name, default)


def default(name):
    """The defaults of an option as a text, such as '16; sound: 4'."""
    return f'{DEFAULTS["images"][name]}; sound: {DEFAULTS["sound"][name]}'
