"""How much memory a training needs, before it starts.

Linux grants more memory than there is, and kills a process that uses it. So a training that cannot
fit is refused.
"""
import math

from wavenet import devices

BASE = 150e6         # bytes of Python, NumPy, Chainer
BYTES = 4            # of a value, float32
COPIES = 6           # weights, masks, gradients, two moments of the gradients, the best weights
OUTPUT_COPIES = 4    # outputs, their probabilities and gradients


def needed(family, config, shape, batchsize, average=False):
    """The memory of a training in bytes, without its images.

    It follows measurements, see docs/speed.md: a step holds as many values for each pixel as the
    layers have feature maps, times `Family.held_maps`, and a few copies of the outputs.

    Args:
        family, config: of the model.
        shape: (C, H, W) of an image, or (1, T) of a window of sound.
        batchsize: number of images in a batch, of this process.
        average: whether there is an average of the weights.

    Returns: (bytes that do not depend on the batch, bytes of a batch).
    """
    channels, *size = shape
    shapes = family.shapes(config)
    values = sum(math.prod(shape) for shape in shapes.values())
    outputs = config.out_dims * channels
    maps = family.maps(config) if family.maps else sum(
        shape[0] for shape in shapes.values() if len(shape) > 2) - outputs        # of convolutions
    held = family.held_maps * maps + OUTPUT_COPIES * outputs
    return (BASE + (COPIES + average) * BYTES * values,
            BYTES * held * batchsize * math.prod(size))


def check(family, config, shape, args, device):
    """Raises: MemoryError if a training with these options needs more memory than there is."""
    fixed, of_batch = needed(family, config, shape, args.batchsize, bool(args.average))
    limit, whose = devices.memory_limit(device)
    if fixed + of_batch <= limit:
        return
    sizes = [option.flags[0] for option in family.options
             if not option.choices and option.default is not False]
    cure = f'a smaller {" or ".join(sizes)}'
    fits = int((limit - fixed) * args.batchsize // of_batch)
    *size, width = shape[1:]
    what = f'images of {width}×{size[0]}' if size else f'windows of {width} samples'
    if fits >= 1:
        cure = f'at most --batchsize {fits} fits'
    elif fixed < limit and size:
        cure = 'give smaller images (--size N), or ' + cure
    else:
        cure = 'give ' + cure
    raise MemoryError(
        f'training with --batchsize {args.batchsize} on {what} would need about '
        f'{_gigabytes(fixed + of_batch)}, {whose} {_gigabytes(limit)}: {cure}')


def _gigabytes(size):
    return f'{size / 1e9:.2g} GB' if size < 10e9 else f'{size / 1e9:,.0f} GB'
