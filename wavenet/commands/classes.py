"""The classes of a model: those that generate.py makes, and those of what evaluate measures."""
import numpy as np

from wavenet.families import registry


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


def marginal(args, model):
    """The numbers of the classes of --marginal, those that had training images; or None.

    Raises: ValueError for a model without classes.
    """
    if not args.marginal:
        return None
    if model.num_classes < 2:
        raise ValueError(f'--marginal is for models with classes, {args.model} has none')
    return model.about.get('trained_classes') or list(range(model.num_classes))


def number(args, model, test):
    """Numbers the classes of a test set as the model does: classes of the same name are the same.

    Without names in the model's file, as earlier versions wrote it, classes are taken by number.

    Raises: ValueError for examples without classes, or with a class that the model does not have.
    """
    if model.num_classes < 2:
        test.forget_classes()
        return
    if test.class_names is None:
        raise ValueError(f'{args.dataset}: it has no classes, and the model has '
                         f'{model.num_classes}: put the {test.examples} into folders of the names '
                         'of their classes, give their numbers in an .npz file, or --marginal for '
                         'the mean over all classes')
    names = model.about.get('class_names')
    if not names:
        return
    numbers = {name: number for number, name in enumerate(names)}
    used = np.unique(test.class_ids)
    unknown = [test.class_names[number] for number in used
               if test.class_names[number] not in numbers]
    if unknown:
        raise ValueError(f'{args.dataset}: the model has no class {unknown[0]!r}; it has '
                         f'{", ".join(names)}')
    to_model = np.array([numbers.get(name, 0) for name in test.class_names], 'i')
    test.class_ids = to_model[test.class_ids]
    test.class_names, test.num_classes = tuple(names), len(names)


def of_own(nats, given, class_ids):
    """The nats of examples given each of the classes `given`, (K, N) → given their own, (N,).

    Raises: ValueError for an example of another class.
    """
    other = np.setdiff1d(class_ids, given)
    if len(other):
        raise ValueError(f'--classify: the model had no training data of class {other[0]}')
    places = np.searchsorted(given, class_ids)
    return nats[places, np.arange(len(class_ids))]


def describe_accuracy(nats, given, class_ids):
    """One line: how many classes Bayes' rule names right, if all are equally frequent.

    Args:
        nats: of the examples given each class, (K, N).
        given: the numbers of the classes, (K,).
        class_ids: the true classes, (N,).
    """
    right = np.asarray(given)[nats.argmin(axis=0)] == class_ids
    part, count = right.mean(), len(right)
    error = np.sqrt(part * (1 - part) / count)
    return (f"class by Bayes' rule: {right.sum()} of {count} right, {100 * part:.1f} % (standard "
            f'error {100 * error:.1f})')


def describe_model(args, model):
    """The model that is measured, in words."""
    about = model.about
    words = [registry.get(model.family).title]
    if model.num_classes > 1:
        words.append('mean over all classes' if args.marginal else 'conditioned on the class')
    if type(about.get('iteration')) is int:  # a stranger's file may hold anything there
        binarized = ' with --binarize' if about.get('binarize') else ''
        words.append(f'trained for {about["iteration"]} iterations{binarized}')
    if about.get('chosen_on') in ('test', 'validation'):
        words.append(f'chosen on the {about["chosen_on"]} set')
    return ', '.join(words)
