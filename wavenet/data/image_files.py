"""Images from files of the usual formats."""
import os
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from wavenet.data.pixels import INTENSITY, luminance
from wavenet.storage.files import open_regular

ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.ppm', '.pgm')

FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM')
MAX_PIXELS = 1 << 24  # of an image, 4096 × 4096


def read_folder(folder):
    groups = [(folder, os.listdir(folder))] + [
        (entry.path, os.listdir(entry)) for entry in sorted(os.scandir(folder), key=_name)
        if entry.is_dir() and not entry.name.startswith('.')]
    groups = [[os.path.join(path, name) for name in sorted(names)
               if name.lower().endswith(ENDINGS) and not name.startswith('.')]
              for path, names in groups]
    groups = [list(filter(os.path.isfile, paths)) for paths in groups]
    groups = [paths for paths in groups if paths]
    if not groups:
        raise ValueError('{}: no image files in this folder or the folders in it ({})'.format(
            folder, ', '.join(ENDINGS)))
    classes = np.repeat(np.arange(len(groups)), [len(paths) for paths in groups])
    return _read_files([path for paths in groups for path in paths]), classes


def read_images(paths, channels):
    """Image files of one size as floating (N, channels, H, W) in [0, 1]. Raises: ValueError."""
    images = _read_files(paths)
    if channels == 1 and images.shape[1] == 3:
        images = luminance(images)
    return np.broadcast_to(INTENSITY[images], (len(images), channels) + images.shape[2:])


def _read_files(paths):
    """uint8 (N, C, H, W): C is 3 if any of the images has colours, else 1"""
    images = []
    for path in paths:
        images.append(_read_image(path))
        if images[-1].shape[1:] != images[0].shape[1:]:
            raise ValueError('{}: all images must be of one size, this one is {}×{} and others '
                             '{}×{}'.format(path, *images[-1].shape[:0:-1], *images[0].shape[:0:-1]))
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels,) + image.shape[1:]) for image in images])


def _name(entry):
    return entry.name


def _read_image(path):
    """uint8 (1, H, W) or (3, H, W); what is transparent becomes white"""
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter('ignore')  # of a palette's kind of transparency, of large images
            pixels = _decode(file)
    except Exception as error:  # what damage can raise is no list
        reason = ('it is of none of the formats ' + ', '.join(FORMATS)
                  if isinstance(error, UnidentifiedImageError) else error)
        raise ValueError('{}: no image that can be read ({})'.format(path, reason)) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _decode(file):
    """uint8 (H, W) or (H, W, 3)"""
    # Of the other formats that Pillow knows, some start a program to be read
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError('it has more than {} pixels'.format(MAX_PIXELS))
        if getattr(image, 'is_animated', False) and image.format != 'MPO':  # a camera's JPEG
            raise ValueError('it holds more than one picture')
        gray = image.mode in ('1', 'L', 'LA')
        if image.mode.startswith(('I', 'F')):
            raise ValueError('it has more than 8 bits a channel')
        if 'A' in image.mode or 'transparency' in image.info:
            image = image.convert('RGBA')
            white = Image.new('RGBA', image.size, 'white')
            image = Image.alpha_composite(white, image)
        return np.asarray(image.convert('L' if gray else 'RGB'))
