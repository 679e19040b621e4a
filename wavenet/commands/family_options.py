"""The options of train.py that depend on the family of the model: its sizes, its recipe."""
from wavenet import cli
from wavenet.families import registry

RECIPE = ('batchsize', 'learning_rate', 'lr_decay', 'average', 'clip', 'weight_decay')


def add(parser):
    """Adds the options of all families. An option that several have is added once; its default
    depends on the family, so the parser's is None, see `fill_in`."""
    for flag, options in _options().items():
        option = next(iter(options.values()))
        words = {} if option.choices else {'type': cli.whole_number(option.least)}
        parser.add_argument(*option.flags, choices=option.choices, metavar=option.metavar,
                            help=_help(options), **words)


def fill_in(parser, args):
    """Fills in the defaults of the family that `args.model` names, for options that were not given.
    An option that this family does not have is an error."""
    family = registry.get(args.model)
    for flag, options in _options().items():
        name = flag.lstrip('-')
        if family.name in options:
            if getattr(args, name) is None:
                setattr(args, name, options[family.name].default)
        elif getattr(args, name) is not None:
            parser.error(f'{flag} is for --model {" and ".join(options)}')
    for name in RECIPE:
        if getattr(args, name) is None:
            setattr(args, name, getattr(family.recipe, name))


def defaults(name):
    """The defaults of an option of the recipe, in words: "16", or "0; gated 1"."""
    values = {family.name: getattr(family.recipe, name) for family in registry.FAMILIES.values()}
    first = next(iter(values.values()))
    others = [f'{family} {value:g}' for family, value in values.items() if value != first]
    return '; '.join([f'{first:g}'] + others)


def _options():
    """{flag: {name of a family: its Option}}"""
    result = {}
    for family in registry.FAMILIES.values():
        for option in family.options:
            result.setdefault(option.flags[0], {})[family.name] = option
    return result


def _help(options):
    """What an option says in each family, and its default"""
    words = [f'{option.help} (default: {option.default})' for option in options.values()]
    if len(set(words)) == 1 and len(options) == len(registry.FAMILIES):
        return words[0]
    return '; '.join(f'{name}: {text}' for name, text in zip(options, words))
