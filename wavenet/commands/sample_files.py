"""The files that generate.py writes: one image of all samples, one of each, or arrays."""
import io
import os
import re
import sys

import numpy as np

from wavenet import cli, pictures
from wavenet.data.pixels import bytes_of_levels
from wavenet.storage import files

ARRAYS = {'.npy': 'npy', '.npz': 'npz'}
STANDARD_OUTPUT = '-'
NUMBERED = r'\d{5,}\.png'  # names of files of --separate


def check(args, writes):
    """Checks the names of the output files before anything is generated.

    Args:
        args: the options of generate.py.
        writes: whether this process will write them.

    Raises: ValueError or OSError if an output file has a wrong ending, cannot be written, or would
        replace one of the images to complete.
    """
    outputs = {'--output': args.output} if args.output != STANDARD_OUTPUT else {}
    if args.separate:
        if args.output == STANDARD_OUTPUT:
            raise ValueError('--separate writes many files: --output is their folder')
        check_folder_name(args.output, (*pictures.IMAGE_FORMATS, *ARRAYS))
        if os.path.exists(args.output) and not os.path.isdir(args.output):
            raise ValueError(f'--output {args.output}: with --separate it is a folder, but a file '
                             'has this name')
        if os.path.isdir(args.output) and any(
                re.fullmatch(NUMBERED, name) for name in os.listdir(args.output)):
            raise ValueError(f'--output {args.output}: this folder holds samples already: give '
                             'another one')
    elif outputs:
        _check_ending('--output', args.output, {**pictures.IMAGE_FORMATS, **ARRAYS})
    if args.gif is not None:
        _check_ending('--gif', args.gif, pictures.ANIMATION_FORMATS)
        outputs['--gif'] = args.gif
    for option, path in outputs.items():
        for source in [*(args.complete or []), *filter(None, [args.mask])]:
            if os.path.realpath(path) == os.path.realpath(source):
                raise ValueError(f'{option} {path}: an image to read would be overwritten')
        if writes and not (args.separate and option == '--output'):
            with cli.naming(option, path):
                files.check_target(path)


def check_folder_name(folder, endings):
    """Raises: ValueError for the folder of --separate if its name is that of a file."""
    if folder.lower().endswith(tuple(endings)):
        raise ValueError(f'--output {folder}: with --separate it is a folder, and this is the name '
                         'of a file: give a name without the ending')


def check_levels(args, model):
    """Raises: ValueError if the files of --separate could not hold the levels of the model."""
    levels = model.distribution.levels
    if args.separate and levels > 256 and model.in_channels > 1:
        raise ValueError(f'--separate: the .png files of colours have 8 bits, too few for {levels} '
                         'levels: give --output samples.npz instead')


def _check_ending(option, path, formats):
    ending = os.path.splitext(path)[1].lower()
    if ending not in formats:
        raise ValueError(f'{option} {path}: the ending must be {" or ".join(formats)}')


def write(args, samples, cells, plan, model):
    """Writes the samples as the options say, and prints the names of the files.

    Args:
        args: the options of generate.py.
        samples: floating (B, C, H, W), on the CPU.
        cells: the samples, or the completions, as cells of one image.
        plan: the `Plan` of the samples.
        model: whose samples they are.
    """
    levels = None if args.raw else model.distribution.levels
    kind = os.path.splitext(args.output)[1].lower()
    # Where --scale does not say it, small images are enlarged, and lines separate the images
    scale = args.scale or -(-pictures.LEAST_WIDTH // cells.shape[-1])
    lines = None if args.scale else cells.shape[0] * cells.shape[1] > 1
    if args.separate:
        _write_each(args.output, samples, args.scale or 1, levels)
    elif kind in ARRAYS:
        _write_arrays(args.output, kind, samples, plan.class_ids, model, args.raw)
    else:
        options = dict(scale=scale, levels=None if plan.completion else levels, lines=lines)
        if args.output == STANDARD_OUTPUT:
            content = io.BytesIO()
            pictures.write(content, 'png', cells, **options)
            sys.stdout.buffer.write(content.getvalue())
            sys.stdout.buffer.flush()
        else:
            pictures.save(args.output, cells, **options)
    if args.output != STANDARD_OUTPUT:
        print(args.output)
    if args.gif:
        kept = plan.completion.kept if plan.completion else None
        pictures.save_animation(args.gif, cells, scale, kept, lines)
        print(args.gif, file=sys.stderr if args.output == STANDARD_OUTPUT else sys.stdout)


def _write_each(folder, samples, scale, levels):
    """Writes 00000.png, 00001.png, … into a folder."""
    files.make_folder(folder)
    digits = max(5, len(str(len(samples) - 1)))
    for number, sample in enumerate(samples):
        pictures.save(os.path.join(folder, f'{number:0{digits}}.png'), sample[None, None], scale,
                      levels, durable=False)


def _write_arrays(path, kind, samples, class_ids, model, raw):
    """Writes the levels (N, H, W) or (N, H, W, C) as an .npy; with classes, and with intensities
    unless they are labels, as an .npz. With `raw`, the values in [0, 1] instead of levels."""
    levels = model.distribution.levels
    samples = samples[:, 0] if samples.shape[1] == 1 else samples.transpose(0, 2, 3, 1)
    if raw:
        arrays = {'values': samples}
    else:
        targets = np.rint(samples * (levels - 1)).astype('u1' if levels <= 256 else 'u2')
        arrays = {'levels': targets}
        if not model.config.one_hot:
            arrays['images'] = bytes_of_levels(levels)[targets]
    if class_ids is not None:
        arrays['classes'] = class_ids
        if model.about.get('class_names'):
            arrays['class_names'] = np.array(model.about['class_names'])
    with files.atomic_write(path) as file:
        if kind == '.npy':
            np.save(file, samples if raw else targets)
        else:
            np.savez(file, **arrays)
