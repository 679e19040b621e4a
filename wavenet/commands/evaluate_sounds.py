"""Measures the likelihood of test recordings: nats and bits per sample."""
import csv
import io
import math
import sys

import numpy as np
import tqdm

from wavenet import cli, devices, sounds
from wavenet.commands import classes
from wavenet.data.load import Origin
from wavenet.data.load_sound import load_test_windows
from wavenet.families import registry
from wavenet.functions.nats import nats_of_mean
from wavenet.sound_likelihood import check_fit, recording_nats, summarize
from wavenet.storage import files


def load(args, model, device):
    """Loads the test recordings on a device, a `SoundDataset`, and limits the batch.

    Raises: ValueError or OSError that says what to do; MemoryError if a batch needs more memory
        than the machine has.
    """
    with cli.naming('--model', args.model):
        rate = sounds.rate_of(model)
    with cli.naming('--dataset', args.dataset):
        origin = Origin(model.about.get('data'), model.about.get('split'))
        test = load_test_windows(
            args.dataset, model.config.receptive_field, rate, model.distribution.levels,
            args.classes, bool(args.strict), test_limit=args.test_limit, origin=origin)
        if args.marginal:
            test.forget_classes()
        else:
            classes.number(args, model, test)
    with cli.naming('--model', args.model):
        check_fit(model, test)
    args.batchsize = min(args.batchsize, len(test))
    # A few of the widest layers at once, and the outputs with their probabilities
    shapes = registry.get(model.family).shapes(model.config)
    values = 4 * max(shape[0] for shape in shapes.values()) + 3 * model.distribution.levels
    devices.check_memory(4 * args.batchsize * test.shape[1] * values,
                         f'a batch of {args.batchsize} windows')
    test.to_device(device)
    return test


def measure(args, model, device):
    """Measures as the options say, and prints a table."""
    given = classes.marginal(args, model)
    if args.classify:
        given = classes.trained(model)
    test = load(args, model, device)
    print(describe(args, model, test))
    print(f'{"":34}{"nats/sample":>12}{"error":>8}{"bits/sample":>12}{"error":>8}')
    with tqdm.tqdm(total=len(test) * len(given or [0]), unit='window', leave=False,
                   dynamic_ncols=True, disable=not cli.shows_progress(sys.stderr)) as bar:
        nats = recording_nats(model, test, args.batchsize, given, bar.update)
    lengths = test.recordings.lengths
    if args.marginal:
        nats = nats_of_mean(nats)
    elif args.classify:
        of_classes, nats = nats, classes.of_own(nats, given, test.class_ids)
    print(table_row(test, summarize(nats, lengths)), flush=True)
    if args.classify:
        print(classes.describe_accuracy(of_classes, given, test.class_ids))
    if args.per_image:
        write_table(args.per_image, test, nats)
        print(args.per_image)


def describe(args, model, test):
    """One line that says which model is measured, and on which recordings."""
    seconds = test.recordings.lengths.sum() / test.rate
    return (f'{classes.describe_model(args, model)}; test recordings of {args.dataset}: '
            f'{test.amount}, {seconds:,.4g} s, {test.rate} Hz, {test.levels} levels')


def table_row(test, result):
    """A line of the table for a `SoundLikelihood`."""
    what = f'{result.samples:,} samples'
    return (f'{what:34}{result.nats:12.4f}{_error(result.nats_error):>8}'
            f'{result.bits:12.4f}{_error(result.bits_error):>8}')


def _error(error):
    return '-' if math.isnan(error) else f'{error:.4f}'


def write_table(path, test, nats):
    """Writes the nats of each recording as a .csv file, with its name, class, and samples."""
    names = test.class_names or [''] * test.num_classes
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(['recording', 'class', 'samples', 'nats'])
    for name, class_id, length, of_recording in zip(
            test.recordings.names, np.asarray(test.class_ids).tolist(),
            test.recordings.lengths.tolist(), nats.tolist()):
        table.writerow([name, names[class_id], length, of_recording])
    with files.atomic_write(path) as file:
        file.write(text.getvalue().encode())
