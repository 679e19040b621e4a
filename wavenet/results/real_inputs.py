"""Why real inputs did not work for the author of the post, measured.

"Initially I started with real values as inputs and labels as outputs. However, model didn't work
for me until i switched to binarized MNIST (input are either zero or ones). I don't have any
explanation for that."

A model that was trained with real inputs and one that was trained with quantized inputs are both
tested with both. The labels, which they predict, are the same, so the likelihoods compare.
"""
import chainer
import chainer.functions as F
import matplotlib.image
import numpy as np
from chainer.backends import cuda

from wavenet import evaluate, pictures
from wavenet.data.load import load_dataset
from wavenet.results import mistakes

INPUTS = {'quantized': None, 'real': 'real-inputs'}  # and the mistake that makes them
STAGES = ('levels2', 'real-inputs', 'levels8-gray', 'real-inputs8')


def measure(model, args, samples):
    """What tells a model that was trained with real inputs from another.

    Args:
        model: a `PixelCNN` of grayscale pictures.
        args: the options that train.py had.
        samples: that were drawn from the model, (B, 1, H, W).

    Returns: a dict. For both kinds of INPUTS: `nats` and `error`, of the test set, and `start`, the
        mean of -log p of the values at which a stroke starts, see `starts`. `ink` and `test_ink`:
        the means of the pixels' values in the samples and in the quantized test set.
    """
    result = {'ink': float(samples.mean())}
    for inputs, mistake in INPUTS.items():
        with mistakes.made(mistake):
            _, test = load_dataset(args.dataset, args.channels, args.levels, args.data,
                                    test_limit=args.test_limit)
        test.to_device(model.device)
        likelihood = evaluate.likelihood(model, test, args.batchsize)
        result[inputs] = {'nats': likelihood.nats, 'error': likelihood.nats_error,
                          'start': start_nats(model, test, args.batchsize)}
    result['test_ink'] = float(test.targets.mean()) / (args.levels - 1)
    return result


def start_nats(model, dataset, batchsize):
    """The mean of -log p over all values at which a stroke starts."""
    total = count = 0
    for start in range(0, len(dataset), batchsize):
        x, labels, _ = dataset.batch(range(start, min(start + batchsize, len(dataset))))
        with chainer.using_device(model.device), chainer.no_backprop_mode():
            nats = F.softmax_cross_entropy(model(x), labels, reduce='no')         # (B, 1, H, W)
        where = starts(labels)
        total += float(cuda.to_cpu(nats.array)[where].sum())
        count += int(where.sum())
    return total / count


def starts(labels):
    """Where there is ink, and none at the four neighbours that come before: bool, of the shape of
    the labels (B, 1, H, W)."""
    ink = cuda.to_cpu(labels) > 0
    height, width = ink.shape[2:]
    before = np.pad(ink, [(0, 0)] * 2 + [(1, 0), (1, 1)])
    neighbours = [before[:, :, 1:, :width]] + [
        before[:, :, :height, shift:shift + width] for shift in range(3)]
    return ink & ~np.logical_or.reduce(neighbours)


def figure(results, paths):
    """The samples of the models of STAGES, with what was measured.

    Args:
        results: what `measure` gave for each.
        paths: of their samples.
    """
    page = pictures.page(12, 4)
    for column, (name, result, path) in enumerate(zip(STAGES, results, paths)):
        axes = page.add_subplot(1, 4, column + 1)
        axes.imshow(matplotlib.image.imread(path))
        axes.axis('off')
        axes.set_title('{}\nnats per image: {:.1f} on quantized,\n{:.1f} on real inputs'.format(
            name, result['quantized']['nats'], result['real']['nats']), fontsize=10)
    page.tight_layout()
    return page


def table(results):
    """What was measured, in Markdown."""
    row = '| {} | {} | {} | {} | {} | {} |\n'
    lines = [row.format('trained on', 'nll on quantized inputs', 'on real inputs',
                        'where strokes start, on quantized', 'on real', 'ink in samples (test set)'),
             '| --- ' * 6 + '|\n']
    for name in STAGES:
        result = results[name]['inputs']
        lines.append(row.format(
            name, *['{nats:.2f} ± {error:.2f}'.format(**result[inputs]) for inputs in INPUTS],
            *['{start:.2f}'.format(**result[inputs]) for inputs in INPUTS],
            '{ink:.3f} ({test_ink:.3f})'.format(**result)))
    return ''.join(lines)
