"""The options of train.py that depend on the family of the model: its sizes and its recipe."""
from wavenet import cli
from wavenet.families import registry

# Options whose defaults are fields of `wavenet.families.family.Recipe`
RECIPE = ('batchsize', 'learning_rate', 'lr_decay', 'average', 'clip', 'weight_decay', 'dropout',
          'levels')


def add(group):
    """Adds the options of all families to a parser or a group of its options.

    An option of several families is added once. Its default is None, because the default depends on
    the family: see `fill_in`.
    """
    for options in _options().values():
        option = next(iter(options.values()))
        if option.default is False:
            kind = dict(action='store_true', default=None)
        elif option.choices:
            kind = dict(choices=option.choices, metavar=option.metavar)
        else:
            kind = dict(type=cli.whole_number(option.least, option.most), metavar=option.metavar)
        group.add_argument(*option.flags, help=_help(options), **kind)


def fill_in(parser, args):
    """Fills in the defaults of the family `args.model` for the options that were not given.

    An option that this family does not have is a mistake.
    """
    family = registry.get(args.model)
    for flag, options in _options().items():
        name = flag.lstrip('-')
        if family.name in options:
            if getattr(args, name) is None:
                setattr(args, name, options[family.name].default)
        elif getattr(args, name) is not None:
            parser.error(f'{flag} is for --model {cli.listed(options)}')
    for name in RECIPE:
        if getattr(args, name) is None:
            setattr(args, name, getattr(family.recipe, name))


def defaults(name):
    """The default of an option of the recipe as a text, such as '16' or '0; gated 1'."""
    values = {family.name: getattr(family.recipe, name) for family in registry.every().values()}
    first = next(iter(values.values()))
    others = [f'{family} {value:g}' for family, value in values.items() if value != first]
    return '; '.join([f'{first:g}', *others])


def _options():
    """{flag: {name of a family: its Option}}"""
    result = {}
    for family in registry.every().values():
        for option in family.options:
            result.setdefault(option.flags[0], {})[family.name] = option
    return result


def _help(options):
    """The help of an option, with the defaults, of the families that have it."""
    texts = [option.help if option.default is False else f'{option.help} (default: '
             f'{option.default})' for option in options.values()]
    if len(set(texts)) == 1 and len(options) == len(registry.every()):
        return texts[0]
    return '; '.join(f'{name}: {text}' for name, text in zip(options, texts))
