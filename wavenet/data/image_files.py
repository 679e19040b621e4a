"""Images of your own: from files of the usual formats, a folder of them, or an .npz file."""
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from wavenet.data.images import Images
from wavenet.data.pixels import INTENSITY, luminance
from wavenet.storage.files import open_regular
from wavenet.storage.npz import IMAGES_RATIO, open_npz

ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.ppm', '.pgm')

FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM')
MAX_PIXELS = 1 << 24  # of one image, 4096 × 4096


def read_images(paths, channels):
    """Reads image files of one size, such as images to complete.

    Args:
        paths: of the files.
        channels: 3 or 1. Grayscale is copied to three channels; RGB becomes its luminance.

    Returns: float32 (N, channels, H, W) in [0, 1].

    Raises: ValueError that names the file.
    """
    images = _read_files(paths)
    if channels == 1 and images.shape[1] == 3:
        images = luminance(images)
    return np.broadcast_to(INTENSITY[images], (len(images), channels) + images.shape[2:])


def read_folder(folder):
    """Reads the image files in a folder and its subfolders, in the order of their names.

    The files in the folder itself are the first class; each subfolder is one class. Folders without
    images do not count.

    Returns: `Images`.

    Raises: ValueError or OSError that names the file or the folder.
    """
    subfolders = sorted(path for path in Path(folder).iterdir()
                        if path.is_dir() and not path.name.startswith('.'))
    classes = [_image_files(path) for path in [Path(folder), *subfolders]]
    classes = [paths for paths in classes if paths]
    if not classes:
        raise ValueError(
            f'{folder}: no image files in this folder or its subfolders ({", ".join(ENDINGS)})')
    class_ids = np.repeat(np.arange(len(classes)), [len(paths) for paths in classes])
    return Images(_read_files([path for paths in classes for path in paths]), class_ids)


def _image_files(folder):
    return sorted(path for path in folder.iterdir()
                  if path.suffix.lower() in ENDINGS and not path.name.startswith('.')
                  and path.is_file())


def _read_files(paths):
    """Image files as uint8 (N, C, H, W). C is 3 if any of the images has colours, otherwise 1."""
    images = []
    for path in paths:
        image = _read_image(path)
        images.append(image)
        (_, height, width), (_, first_height, first_width) = image.shape, images[0].shape
        if (height, width) != (first_height, first_width):
            raise ValueError(f'{path}: all images must have one size, but this one is '
                             f'{width}×{height} and others are {first_width}×{first_height}')
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels,) + image.shape[1:]) for image in images])


def _read_image(path):
    """An image file as uint8 (1, H, W) or (3, H, W). What is transparent becomes white."""
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter('ignore')  # about transparency of palettes, and large images
            pixels = _decode(file)
    except Exception as error:  # a damaged file can raise almost anything
        reason = (f'it has none of the formats {", ".join(FORMATS)}'
                  if isinstance(error, UnidentifiedImageError) else error)
        raise ValueError(f'{path}: cannot be read as an image ({reason})') from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _decode(file):
    """The pixels of an open image file, uint8 (H, W) or (H, W, 3)."""
    # Only these formats: to read some others, Pillow starts a program
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f'it has more than {MAX_PIXELS} pixels')
        # An MPO file is a camera's JPEG with further images behind the first
        if getattr(image, 'is_animated', False) and image.format != 'MPO':
            raise ValueError('it contains more than one image')
        gray = image.mode in ('1', 'L', 'LA')
        if image.mode.startswith(('I', 'F')):
            raise ValueError('it has more than 8 bits per channel')
        if 'A' in image.mode or 'transparency' in image.info:
            image = image.convert('RGBA')
            white = Image.new('RGBA', image.size, 'white')
            image = Image.alpha_composite(white, image)
        return np.asarray(image.convert('L' if gray else 'RGB'))


def read_npz(path):
    """Reads images from an .npz file.

    The file holds `train_x`, uint8 (N, H, W), (N, C, H, W) or (N, H, W, C) with C 1 or 3, and
    optionally `test_x`. The classes, `train_y` and `test_y`, are whole numbers (N,) from 0;
    without them, all images are of class 0.

    Returns: `Images` for training, and `Images` for testing or None.

    Raises: ValueError or OSError that names the file.
    """
    with open_npz(path, IMAGES_RATIO) as npz:
        arrays = {name: npz[name] for name in ('train_x', 'train_y', 'test_x', 'test_y')
                  if name in npz.files}
    if 'train_x' not in arrays:
        raise ValueError(
            f'{path}: contains no train_x, uint8 (N, H, W), (N, C, H, W) or (N, H, W, C)')
    return tuple(_check_arrays(path, arrays, part) if f'{part}_x' in arrays else None
                 for part in ('train', 'test'))


def _check_arrays(path, arrays, part):
    """The arrays of 'train' or 'test' as `Images`."""
    images = found = arrays[f'{part}_x']
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != 'u1' or not images.size:
        raise ValueError(
            f'{path}: {part}_x must be uint8 (N, H, W), (N, C, H, W) or (N, H, W, C) with C 1 or 3,'
            f' but it is {found.dtype} {found.shape}')
    class_ids = arrays.get(f'{part}_y', np.zeros(len(images), 'i'))
    if class_ids.shape != (len(images),) or class_ids.dtype.kind not in 'iu' \
            or not ((0 <= class_ids) & (class_ids < 2 ** 31)).all():
        raise ValueError(f'{path}: {part}_y must be {len(images)} whole numbers, the classes, '
                         'from 0 on')
    return Images(images, class_ids)
