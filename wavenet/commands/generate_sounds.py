"""What generate.py does for models of sound: the plan, and the files."""
import io
import os
import re
import sys
from typing import NamedTuple, Optional

import numpy as np

from wavenet import cli, devices, sounds, spectrograms
from wavenet.commands import classes, sample_files
from wavenet.data.sound import joined, write_wav
from wavenet.data.sound_files import check_option, read_sound_file
from wavenet.storage import files

SECONDS = 2                # of a sound, if the options do not say it
ENDINGS = '.wav', '.npy', '.npz'
STANDARD_OUTPUT = '-'
NUMBERED = r'\d{5,}\.wav'  # names of files of --separate


class Plan(NamedTuple):
    """What is to be generated.

    Attributes:
        shape: (B, T).
        class_ids: classes of the sounds, (B,); None for a model without classes.
        given: the argument of that name of `sampling.generate`.
        kept: samples that are given at the beginning.
    """

    shape: tuple
    class_ids: Optional[np.ndarray]
    given: Optional[tuple]
    kept: int

    unit = 'sample'

    @property
    def places(self):
        """The number of samples of a sound."""
        return self.shape[1]


def add_options(parser):
    """Adds the options that only models of sound have."""
    add = parser.add_argument
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        '--seconds', type=cli.positive_number, metavar='X',
        help=f'seconds of sound to generate (default: {SECONDS})')
    length.add_argument(
        '--length', type=cli.whole_number(1), metavar='N', help='samples of sound to generate')
    add('--rate', type=cli.whole_number(1), metavar='N',
        help="samples a second of the .wav file (default: the training recordings'); another rate "
             'plays the sound faster or slower')
    add('--continue', dest='continued', metavar='FILE',
        help='continue this recording: what is kept of it, and then the sound that is generated')


def check(args, writes):
    """Checks the options of a model of sound before anything is generated.

    Args:
        args: the options of generate.py.
        writes: whether this process will write files.

    Raises: ValueError or OSError if an output file has a wrong ending, cannot be written, or would
        replace the recording to continue.
    """
    if args.output is None:
        args.output = 'samples' if args.separate else 'sound.wav'
    if args.separate:
        _check_folder(args.output)
        return
    if args.output == STANDARD_OUTPUT:
        return
    if not args.output.lower().endswith(ENDINGS):
        raise ValueError(f'--output {args.output}: the ending must be {" or ".join(ENDINGS)}')
    if args.continued and os.path.realpath(args.continued) == os.path.realpath(args.output):
        raise ValueError(f'--output {args.output}: the recording to continue would be overwritten')
    if writes:
        for path in outputs(args):
            with cli.naming('--output', args.output):
                files.check_target(path)


def _check_folder(folder):
    if folder == STANDARD_OUTPUT:
        raise ValueError('--separate writes many files: --output is their folder')
    sample_files.check_folder_name(folder, (*ENDINGS, '.png'))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f'--output {folder}: with --separate it is a folder, but a file has this '
                         'name')
    if os.path.isdir(folder) and any(re.fullmatch(NUMBERED, name) for name in os.listdir(folder)):
        raise ValueError(f'--output {folder}: this folder holds samples already: give another one')


def outputs(args):
    """The files of --output: of a .wav, there is a picture beside it."""
    path, ending = os.path.splitext(args.output)
    return [args.output, *([f'{path}.png'] if ending.lower() == '.wav' else [])]


def make_plan(args, model):
    """What the options ask for, a `Plan`.

    Raises: ValueError for options that do not fit the model, or the recording to continue;
        MemoryError if the machine has too little memory.
    """
    with cli.naming('--model', args.model):
        rate = sounds.rate_of(model)
    label, trained = classes.of_label(args, model), classes.trained(model)
    if args.rate:
        check_option(args.rate)
    has_classes = model.num_classes > 1
    batch = args.number or (args.count or 1) * (
        len(trained) if has_classes and label is None else 1)
    length = args.length or max(1, round((args.seconds or SECONDS) * rate))
    kept = np.empty(0, 'f')
    if args.continued:
        with cli.naming('--continue', args.continued):
            kept = _kept(args, model, rate)
    size = len(kept) + length
    # Random numbers, samples, and copies on the way to a file; the queues of those at once
    queues = 4 * model.config.receptive_field * model.config.hidden_dim
    devices.check_memory(batch * size * (8 + 4 + 16) + min(batch, args.batchsize) * queues,
                         f'{batch} sounds of {size} samples')
    class_ids = None
    if has_classes:
        class_ids = np.full(batch, label) if label is not None else np.resize(trained, batch)
    given = None
    if args.continued:
        start = np.broadcast_to(np.pad(kept, (0, length)), (batch, size))
        given = start, len(kept)
    return Plan((batch, size), class_ids, given, len(kept))


def _kept(args, model, rate):
    """What is kept of the recording to continue, floating (T,), level / (levels - 1)."""
    levels = model.distribution.levels
    recording = read_sound_file(args.continued, rate, levels)
    if args.keep is not None:
        count = round(float(args.keep) * rate)
        if count > len(recording):
            raise ValueError(f'--keep {args.keep}: it is {len(recording) / rate:.3g} seconds long')
        recording = recording[:count]
    return recording.astype('f') / (levels - 1)


def describe(plan, model):
    """What a user might not expect: nothing."""
    return []


def write(args, samples, plan, model):
    """Writes the sounds, floating (B, T), as the options say, and prints the names of the files."""
    rate = args.rate or sounds.rate_of(model)
    waveforms = [sounds.waveform(model, sample) for sample in samples]
    kind = os.path.splitext(args.output)[1].lower()
    if args.separate:
        _write_each(args.output, waveforms, rate, plan)
    elif args.output == STANDARD_OUTPUT:
        content = io.BytesIO()
        write_wav(content, joined(waveforms, rate), rate)
        sys.stdout.buffer.write(content.getvalue())
        sys.stdout.buffer.flush()
        return
    elif kind == '.wav':
        wav, picture = outputs(args)
        write_wav(wav, joined(waveforms, rate), rate)
        with files.atomic_write(picture) as file:
            spectrograms.draw(file, waveforms, rate, _titles(plan, model), plan.kept)
    else:
        _write_arrays(args.output, kind, samples, plan, model, rate)
    print(args.output)


def _titles(plan, model):
    """The class of each sound, or nothing."""
    names = model.about.get('class_names')
    return names and plan.class_ids is not None and [names[k] for k in plan.class_ids] or None


def _write_each(folder, waveforms, rate, plan):
    """Writes 00000.wav, 00000.png, 00001.wav, … into a folder."""
    files.make_folder(folder)
    digits = max(5, len(str(len(waveforms) - 1)))
    for number, waveform in enumerate(waveforms):
        path = os.path.join(folder, f'{number:0{digits}}')
        write_wav(f'{path}.wav', waveform, rate)
        with files.atomic_write(f'{path}.png') as file:
            spectrograms.draw(file, [waveform], rate, kept=plan.kept)


def _write_arrays(path, kind, samples, plan, model, rate):
    """Writes the levels (N, T) as an .npy; with rate and classes, as an .npz."""
    levels = model.distribution.levels
    targets = np.rint(samples * (levels - 1)).astype('u1')
    arrays = {'levels': targets, 'rate': rate}
    if plan.class_ids is not None:
        arrays['classes'] = plan.class_ids
        if model.about.get('class_names'):
            arrays['class_names'] = np.array(model.about['class_names'])
    with files.atomic_write(path) as file:
        if kind == '.npy':
            np.save(file, targets)
        else:
            np.savez(file, **arrays)
