"""Images of your own: from files of the usual formats, a folder of them, or an .npz file."""
import math
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from wavenet import cli, devices
from wavenet.data.images import Images
from wavenet.data.pixels import INTENSITY, luminance, read_levels, resize
from wavenet.data.split import Parts
from wavenet.pictures import LEVELS, SCALE
from wavenet.storage.files import open_regular
from wavenet.storage.npz import IMAGES_RATIO, open_npz
from wavenet.utils import MAX_LABELS

ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.ppm', '.pgm')

FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM')
MAX_PIXELS = 1 << 24  # of one image, 4096 × 4096
MAX_CLASSES = 1 << 16
# Names of folders that hold a part of a data set
PART_NAMES = {'train': 'train', 'training': 'train', 'test': 'test', 'testing': 'test',
              'val': 'test', 'valid': 'test', 'validation': 'test'}


def read_images(paths, channels, labels_of=None):
    """Reads image files of one size, such as images to complete.

    Args:
        paths: of the files.
        channels: 3 or 1. Grayscale is copied to three channels; RGB becomes its luminance.
        labels_of: for files of labels, the number of levels; see `_decode_labels`.

    Returns: float32 (N, channels, H, W) in [0, 1]; labels divided by the largest one.

    Raises: ValueError that names the file.
    """
    images = _read_files(paths, bool(labels_of))
    if labels_of:
        return label_inputs(paths[0], images, channels, labels_of)
    return intensities(images, channels)


def intensities(pixels, channels):
    """Pixels, uint8 (N, 1 or 3, H, W), as float32 (N, channels, H, W) in [0, 1]; see
    `read_images`."""
    if channels == 1 and pixels.shape[1] == 3:
        pixels = luminance(pixels)
    return np.broadcast_to(INTENSITY[pixels], (len(pixels), channels) + pixels.shape[2:])


def label_inputs(source, pixels, channels, levels):
    """Labels (N, 1 or 3, H, W) as float32 (N, channels, H, W), divided by levels - 1. Raises: as
    `check_labels`."""
    check_labels(source, pixels, channels, levels)
    inputs = pixels[:, :channels].astype('f') / (levels - 1)
    return np.broadcast_to(inputs, (len(pixels), channels) + pixels.shape[2:])


def check_labels(source, pixels, channels, levels):
    """Raises: ValueError unless pixels are labels from 0 to levels - 1, with these channels."""
    most = int(pixels.max())
    if most >= levels:
        raise ValueError(f'{source}: its largest label is {most}, and labels of {levels} levels '
                         f'are 0 to {levels - 1}: train with --levels {most + 1} or more')
    if pixels.shape[1] > channels and (pixels != pixels[:, :1]).any():
        raise ValueError(f'{source}: it has {pixels.shape[1]} channels, which labels keep: train '
                         f'with --channels {pixels.shape[1]}')


def read_image_file(path, labels=False, size=None):
    """Reads one image file: `Images` without classes; labels and size as of `read_folder`.

    Raises: ValueError that names the file."""
    return Images(_read_files([path], labels, size), np.zeros(1, 'i'))


def read_folder(folder, labels=False, size=None):
    """Reads the image files in a folder and its subfolders, in the order of their names.

    Subfolders that are all named as parts of a data set, such as train and test, are its parts:
    each holds image files, or a subfolder for each class. Otherwise each subfolder is a class of
    its name. Files beside subfolders are the class ''. Folders without images do not count.
    With `labels` the values are labels, see `_decode_labels`. With a `size`, photographs of any
    sizes become size × size pixels, see `pixels.resize`.

    Returns: `Parts`.

    Raises: ValueError or OSError that names the file or the folder.
    """
    names = {path.name.lower() for path in _subfolders(folder)
             if any(map(_image_files, [path, *_subfolders(path)]))}
    if not names or not names <= PART_NAMES.keys() or _image_files(Path(folder)):
        return Parts(*_read_classes([Path(folder)], labels, size))
    parts = {}
    for path in _subfolders(folder):
        part = PART_NAMES.get(path.name.lower())
        if part in parts:
            raise ValueError(f'{folder}: {parts[part].name} and {path.name} are both images to '
                             f'{part} on: leave one of them out')
        if path.name.lower() in names:
            parts[part] = path
    found = dict(zip(parts, _read_classes(list(parts.values()), labels, size)))
    return Parts(found.get('train'), found.get('test'))


def _subfolders(folder):
    return sorted(path for path in Path(folder).iterdir()
                  if path.is_dir() and not path.name.startswith('.'))


def _read_classes(folders, labels, size):
    """Reads folders with the same classes, a list of `Images`."""
    files = [{'' if path == folder else path.name: _image_files(path)
              for path in [folder, *_subfolders(folder)]} for folder in folders]
    names = sorted({name for classes in files for name, paths in classes.items() if paths})
    if not names:
        raise ValueError(f'{folders[0]}: no image files in this folder or its subfolders '
                         f'({", ".join(ENDINGS)})')
    parts = []
    for classes in files:
        paths = [classes.get(name, []) for name in names]
        class_ids = np.repeat(np.arange(len(names)), [len(some) for some in paths])
        pixels = _read_files([path for some in paths for path in some], labels, size)
        parts.append(Images(pixels, class_ids, None if names == [''] else tuple(names)))
    return parts


def _image_files(folder):
    return sorted(path for path in folder.iterdir()
                  if path.suffix.lower() in ENDINGS and not path.name.startswith('.')
                  and path.is_file())


def _read_files(paths, labels=False, size=None):
    """Image files as uint8 (N, C, H, W), or uint16 for labels above 255. C is 3 if any of the
    images has colours, otherwise 1.

    Raises: ValueError that names the file; MemoryError if all together are too large.
    """
    images = []
    transparent = 0
    for path in paths:
        image, was_transparent = _read_image(path, labels, size)
        if not images:
            what = f'{len(paths)} images of {image.shape[2]}×{image.shape[1]}'
            devices.check_memory(len(paths) * image.nbytes, what, '--size N makes them smaller')
        transparent += was_transparent
        images.append(image)
        (_, height, width), (_, first_height, first_width) = image.shape, images[0].shape
        if (height, width) != (first_height, first_width):
            raise ValueError(f'{path}: all images must have one size, but this one is '
                             f'{width}×{height} and others are {first_width}×{first_height}; '
                             '--size N makes them N×N')
    if transparent:
        cli.say(f'transparent pixels become white, in {transparent} of {len(paths)} images')
    channels = max(len(image) for image in images)
    all_images = np.empty((len(images), channels, *images[0].shape[1:]),
                          max(image.dtype for image in images))
    for number, image in enumerate(images):
        all_images[number] = image
        images[number] = None  # so that memory does not hold all of them twice
    return all_images


def _read_image(path, labels=False, size=None):
    """An image file as uint8 (1, H, W) or (3, H, W), labels also as uint16, and whether any of it
    was transparent; that becomes white."""
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter('ignore')  # about transparency of palettes, and large images
            pixels, was_transparent = _decode(file, labels)
            if size:
                pixels = resize(pixels, size)
    except Exception as error:  # a damaged file can raise almost anything
        reason = (f'it has none of the formats {", ".join(FORMATS)}'
                  if isinstance(error, UnidentifiedImageError) else error)
        raise ValueError(f'{path}: cannot be read as an image ({reason})') from error
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return pixels, was_transparent


def _decode(file, labels):
    """The pixels of an open image file, uint8 (H, W) or (H, W, 3), turned upright as its camera
    says; and whether any of it was transparent."""
    # Only these formats: to read some others, Pillow starts a program
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f'it has more than {MAX_PIXELS} pixels')
        # An MPO file is a camera's JPEG with further images behind the first
        if getattr(image, 'is_animated', False) and image.format != 'MPO':
            raise ValueError('it contains more than one image')
        if labels:
            return _decode_labels(image), False
        gray = image.mode in ('1', 'L', 'LA')
        if image.mode.startswith(('I', 'F')) or _has_16_bits(image):
            raise ValueError('it has more than 8 bits per channel: save it with 8, for example '
                             "with ImageMagick's `mogrify -depth 8`")
        levels, scale = image.info.get(LEVELS), image.info.get(SCALE, '1')
        was_transparent = False
        image = ImageOps.exif_transpose(image)
        if 'A' in image.mode or 'transparency' in image.info:
            image = image.convert('RGBA')
            was_transparent = image.getextrema()[3][0] < 255
            white = Image.new('RGBA', image.size, 'white')
            image = Image.alpha_composite(white, image)
        pixels = np.asarray(image.convert('L' if gray else 'RGB'))
    if isinstance(levels, str) and levels.isdigit() and 2 <= int(levels) <= 256:
        pixels = read_levels(pixels, int(levels))
        if isinstance(scale, str) and scale.isdigit() and int(scale) > 1:
            pixels = pixels[::int(scale), ::int(scale)]
    return pixels, was_transparent


def _decode_labels(image):
    """The labels of an open image, uint8 or uint16 (H, W), or uint8 (H, W, 3): its values as they
    are; the numbers of the colours where it has a palette; in a PNG file of generate.py, the levels
    that it shows.
    """
    if image.format in ('JPEG', 'MPO', 'WEBP'):
        raise ValueError(f'a {image.format} does not keep labels as they are: save them as PNG')
    is_deep = image.mode.startswith('I')                     # gray, with 16 bits or 32
    if image.mode not in ('1', 'L', 'P', 'RGB') and not is_deep:
        raise ValueError(f'labels are whole numbers in a palette, gray or RGB, not {image.mode}')
    if not is_deep and _has_16_bits(image):
        raise ValueError('labels in RGB have 8 bits per channel')
    levels, scale = image.info.get(LEVELS), image.info.get(SCALE, '1')
    labels = np.asarray(ImageOps.exif_transpose(image))
    if labels.min() < 0 or labels.max() >= MAX_LABELS:
        raise ValueError(f'labels are from 0 to {MAX_LABELS - 1}, here {labels.min()} to '
                         f'{labels.max()}')
    if isinstance(levels, str) and levels.isdigit() and 2 <= int(levels) <= MAX_LABELS:
        white = 65535 if is_deep else 255
        if int(levels) > white + 1:
            raise ValueError(f'it shows {levels} levels with 8 bits, so they cannot be told')
        labels = np.rint(labels * ((int(levels) - 1) / white))
        if isinstance(scale, str) and scale.isdigit() and int(scale) > 1:
            labels = labels[::int(scale), ::int(scale)]
    return labels.astype('u2' if is_deep else 'u1')


def _has_16_bits(image):
    """Whether the channels of an open image have 16 bits, of which Pillow would drop the lower."""
    return any(
        isinstance(part, str) and ';16' in part  # the raw mode, such as RGB;16B
        or image.format == 'PPM' and isinstance(part, int) and part > 255  # the largest value
        for tile in image.tile for part in (
            tile[3] if isinstance(tile[3], tuple) else [tile[3]]))


def read_npz(path, labels=False):
    """Reads images from an .npz file.

    The file holds `train_x`, uint8 (N, H, W), (N, C, H, W) or (N, H, W, C) with C 1 or 3, `test_x`,
    or both; Keras' names `x_train` and `x_test` do as well. The classes, `train_y` and `test_y`,
    are whole numbers (N,) from 0; without them, the data has no classes. `class_names` may hold
    their names. `axes`, 'NHW', 'NCHW' or 'NHWC', says how to read a shape that can be read in two
    ways. With `labels`, the images may be of any type of whole numbers, from 0 to 65,535.

    Returns: `Parts`.

    Raises: ValueError or OSError that names the file.
    """
    with open_npz(path, IMAGES_RATIO) as npz:
        names = {name: name for name in npz.files}
        names.update({f'{part}_{array}': f'{array}_{part}' for part in ('train', 'test')
                      for array in 'xy' if f'{array}_{part}' in npz.files})
        arrays = {name: npz[names[name]] for name in (
            'train_x', 'train_y', 'test_x', 'test_y', 'axes', 'class_names')
            if name in names}
    if labels:
        for name in {'train_x', 'test_x'} & arrays.keys():
            arrays[name] = _as_labels(f'{path}: {name}', arrays[name])
    if 'train_x' not in arrays and 'test_x' not in arrays:
        raise ValueError(f'{path}: contains no train_x and no test_x, uint8 (N, H, W), '
                         '(N, C, H, W) or (N, H, W, C)')
    dtypes = ('|u1', '<u2') if labels else ('|u1',)
    parts = Parts(*(_check_arrays(path, arrays, part, dtypes) if f'{part}_x' in arrays else None
                    for part in ('train', 'test')))
    if 'train_y' not in arrays and 'test_y' not in arrays:
        return parts
    there = [part for part in parts if part is not None]
    names = _class_names(path, arrays, 1 + max(int(part.class_ids.max()) for part in there))
    return Parts(*(part and part._replace(class_names=names) for part in parts))


def _as_labels(name, array):
    """An array of labels as uint8, or as uint16 if one is above 255. Raises: ValueError."""
    if array.dtype.kind not in 'iub':
        raise ValueError(f'{name} must be whole numbers, the labels, but it is {array.dtype}')
    if array.size and (array.min() < 0 or array.max() >= MAX_LABELS):
        raise ValueError(f'{name} must be labels from 0 to {MAX_LABELS - 1}, but its values are '
                         f'{array.min()} to {array.max()}')
    return array.astype('u2' if array.size and array.max() > 255 else 'u1')


def _check_arrays(path, arrays, part, dtypes):
    """The arrays of 'train' or 'test' as `Images`, whose classes have no names yet."""
    found = arrays[f'{part}_x']
    images = _with_channels(found, _axes(path, arrays, f'{part}_x'))
    if images is None or images.dtype.str not in dtypes or not images.size:
        raise ValueError(
            f'{path}: {part}_x must be uint8 (N, H, W), (N, C, H, W) or (N, H, W, C) with C 1 or 3,'
            f' but it is {found.dtype} {found.shape}')
    class_ids = arrays.get(f'{part}_y', np.zeros(len(images), 'i'))
    if class_ids.shape == (len(images), 1):  # as Keras keeps CIFAR-10's
        class_ids = class_ids[:, 0]
    if class_ids.shape != (len(images),) or class_ids.dtype.kind not in 'iu' \
            or not ((0 <= class_ids) & (class_ids < MAX_CLASSES)).all():
        raise ValueError(f'{path}: {part}_y must be {len(images)} whole numbers, the classes, '
                         f'from 0 on and below {MAX_CLASSES}')
    return Images(images, class_ids)


def _class_names(path, arrays, count):
    """The names of `count` classes or more: those in the file, or else their numbers."""
    names = arrays.get('class_names', np.arange(count).astype(str))
    if names.ndim != 1 or names.dtype.kind != 'U' or len(names) < count \
            or len(set(names.tolist())) < len(names):
        raise ValueError(f'{path}: class_names must be a text for each of its {count} classes, all '
                         'different')
    return tuple(names.tolist())


def _axes(path, arrays, name):
    """How to read the axes of the array of this name: 'NHW', 'NCHW', 'NHWC', or None.

    Raises: ValueError if the shape can be read in two ways and the file does not say which.
    """
    shape = arrays[name].shape
    possible = [axes for axes in ('NHW', 'NCHW', 'NHWC') if len(axes) == len(shape)
                and (axes == 'NHW' or shape[axes.index('C')] in (1, 3))]
    if 'axes' in arrays:
        said = str(arrays['axes'])
        if said not in possible:
            raise ValueError(f'{path}: its axes are {said!r}, which {name} {shape} cannot have')
        return said
    if len(possible) > 1 or possible == ['NHW'] and shape[2] == 3:
        raise ValueError(f'{path}: {name} {shape} can be read in two ways: save also axes=\'NHW\', '
                         "'NCHW' or 'NHWC' in the file")
    return possible[0] if possible else None


def _with_channels(images, axes):
    """Images with these axes as (N, C, H, W); None without axes."""
    if axes is None:
        return None
    if axes == 'NHW':
        return images[:, None]
    return images if axes == 'NCHW' else images.transpose(0, 3, 1, 2)


def read_amat(path, white=255):
    """Reads a file of H. Larochelle's binarized MNIST: a line of 0 and 1 for each image.

    Returns: `Images`, 0 as black and 1 as `white`; square, without classes.

    Raises: ValueError for another file; OSError if it cannot be read.
    """
    with open_regular(path) as file:
        text = np.frombuffer(file.read(), 'u1')
    is_digit = (text == ord('0')) | (text == ord('1'))
    lines = int((text == ord('\n')).sum()) + int(len(text) > 0 and text[-1] != ord('\n'))
    values = text[is_digit] - ord('0')
    side = math.isqrt(len(values) // max(lines, 1))
    others = text[~is_digit]
    if not lines or len(values) != lines * side * side \
            or not np.isin(others, np.frombuffer(b' \t\r\n', 'u1')).all():
        raise ValueError(f'{path}: it must have a line of 0 and 1 for each image, all square and '
                         'of one size')
    return Images((values * white).reshape(lines, 1, side, side), np.zeros(lines, 'i'))
