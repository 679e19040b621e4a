"""Measures why real inputs did not work for the author of the post.

"Initially I started with real values as inputs and labels as outputs. However, model didn't work
for me until i switched to binarized MNIST (input are either zero or ones). I don't have any
explanation for that."

Here a model is trained on real inputs, and another one on quantized inputs. Both are tested on both
kinds. The targets are the same, so the likelihoods compare.
"""
import chainer
import chainer.functions as F
import numpy as np
from chainer.backends import cuda

from wavenet import pictures, plots, utils
from wavenet.data.images import Batch, ImageDataset
from wavenet.data.load import load_dataset
from wavenet.data.pixels import INTENSITY
from wavenet.likelihood import likelihood

STAGES = ('levels2', 'real-inputs', 'levels8-gray', 'real-inputs8')


class RealInputs(ImageDataset):
    """An `ImageDataset` whose inputs are the images as they are; its targets are quantized.

    "Initially I started with real values as inputs and labels as outputs. However, model didn't
    work for me".
    """

    def __init__(self, images, class_ids, channels, levels, binarize=False, **options):
        if binarize or options.get('labels'):
            raise ValueError('real inputs are intensities, not binarized and not labels')
        super().__init__(images, class_ids, channels, levels, binarize=True, **options)
        self.targets = utils.quantize(INTENSITY, levels).astype('u1')[self.intensities]

    def to_device(self, device):
        super().to_device(device)
        self.intensities = device.send(self.intensities)

    def batch(self, numbers):
        """A `Batch` with x in {0, 1 / 255, …, 1}, and targets and class ids as they always are."""
        _, targets, class_ids = super().batch(numbers)
        xp = self.device.xp
        images = self.intensities[xp.asarray(np.asarray(numbers) % len(self))]
        x = xp.asarray(INTENSITY)[images]                         # (B, 1 or C, H, W)
        x = xp.ascontiguousarray(xp.broadcast_to(x, targets.shape))
        return Batch(x, targets, class_ids)


INPUTS = {'quantized': ImageDataset, 'real': RealInputs}


def measure(model, training, samples):
    """Measures a model on both kinds of inputs.

    Args:
        model: a `PixelCNN` of grayscale images.
        training: the options of train.py, a namespace.
        samples: images that the model generated, (B, 1, H, W) in [0, 1].

    Returns: a dict.
        'quantized', 'real': for these inputs of the test set, a dict of `nats` per image, their
            standard `error`, and `start`, the mean nats of the values where a stroke starts, see
            `starts`.
        'ink', 'test_ink': the mean value of the samples, and of the quantized test set.
    """
    result = {'ink': float(samples.mean())}
    for inputs, dataset_class in INPUTS.items():
        _, test = load_dataset(training.dataset, training.channels, training.levels, training.data,
                               test_limit=training.test_limit, dataset_class=dataset_class)
        test.to_device(model.device)
        measured = likelihood(model, test, training.batchsize)
        result[inputs] = {'nats': measured.nats, 'error': measured.nats_error,
                          'start': start_nats(model, test, training.batchsize)}
    result['test_ink'] = float(test.targets.mean()) / (training.levels - 1)
    return result


def start_nats(model, dataset, batchsize):
    """Returns the mean nats of all values where a stroke starts."""
    total = count = 0
    for start in range(0, len(dataset), batchsize):
        x, targets, _ = dataset.batch(range(start, min(start + batchsize, len(dataset))))
        with chainer.using_device(model.device), chainer.no_backprop_mode():
            nats = F.softmax_cross_entropy(model(x), targets, reduce='no')         # (B, 1, H, W)
        where = starts(targets)
        total += float(cuda.to_cpu(nats.array)[where].sum())
        count += int(where.sum())
    return total / count


def starts(targets):
    """Finds where strokes start: pixels with ink whose four neighbours before them have none.

    Args:
        targets: integers (B, 1, H, W) on any device; 0 means no ink.

    Returns: bool (B, 1, H, W), a NumPy array.
    """
    ink = cuda.to_cpu(targets) > 0
    height, width = ink.shape[2:]
    padded = np.pad(ink, [(0, 0)] * 2 + [(1, 0), (1, 1)])
    left = padded[:, :, 1:, :width]
    above = [padded[:, :, :height, shift:shift + width] for shift in range(3)]
    return ink & ~np.logical_or.reduce([left, *above])


def figure(results, paths):
    """Draws the samples of the models of STAGES with their nats. Returns: a Matplotlib figure.

    Args:
        results: what `measure` returned for each model.
        paths: image files of their samples.
    """
    page = plots.new_figure(12, 4)
    for column, (name, result, path) in enumerate(zip(STAGES, results, paths)):
        axes = page.add_subplot(1, 4, column + 1)
        axes.imshow(pictures.read(path))
        axes.axis('off')
        axes.set_title(f'{name}\nnats per image: {result["quantized"]["nats"]:.1f} on quantized,\n'
                       f'{result["real"]["nats"]:.1f} on real inputs', fontsize=10)
    page.tight_layout()
    return page


def table(results):
    """Returns the measurements of STAGES as a table in Markdown.

    Args:
        results: {name of a stage: a dict that holds what `measure` returned as 'inputs'}.
    """
    row = '| {} | {} | {} | {} | {} | {} |\n'
    lines = [row.format('trained on', 'nll on quantized inputs', 'on real inputs',
                        'where strokes start, on quantized', 'on real',
                        'mean value of the samples (of the test set)'),
             '| --- ' * 6 + '|\n']
    for name in STAGES:
        result = results[name]['inputs']
        lines.append(row.format(
            name, *['{nats:.2f} ± {error:.2f}'.format(**result[inputs]) for inputs in INPUTS],
            *['{start:.2f}'.format(**result[inputs]) for inputs in INPUTS],
            '{ink:.3f} ({test_ink:.3f})'.format(**result)))
    return ''.join(lines)
