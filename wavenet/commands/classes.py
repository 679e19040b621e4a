"""The classes of what generate.py makes."""

def of_label(args, model):
    """The number of the class of --label, or None.

    A name goes before a number, so that a class named '10' is found by its name.

    Raises: ValueError for a --label that the model does not have, or one that is missing.
    """
    names = model.about.get('class_names') or [str(n) for n in range(model.num_classes)]
    if model.num_classes < 2:
        known = 'no classes'
    elif names == [str(n) for n in range(len(names))]:
        known = f'classes 0 to {model.num_classes - 1}'
    else:
        known = f'classes {", ".join(map(repr, names))}'
    if args.label is None:
        return None
    if model.num_classes > 1 and args.label in names[:model.num_classes]:
        return names.index(args.label)
    if model.num_classes > 1 and args.label.isdecimal() and int(args.label) < model.num_classes:
        return int(args.label)
    raise ValueError(f'--label {args.label}: the model has {known}')


def trained(model):
    """The numbers of the classes that had training images; all where the file does not say it."""
    numbers = model.about.get('trained_classes')
    return numbers if numbers and model.num_classes else list(range(model.num_classes))
