import numpy as np
from PIL import Image

from helpers import bytes_of
from wavenet.data.pixels import INTENSITY, luminance


def test_intensities_are_rounded_as_by_chainers_get_mnist():
    values = np.arange(256).astype('f')
    values *= 1. / 255.
    assert INTENSITY.dtype == np.float32 and (INTENSITY == values).all()
    assert INTENSITY[0] == 0 and INTENSITY[255] == 1


def test_luminance_is_that_of_pillow():
    colours = bytes_of((2, 3, 64, 64))
    gray = luminance(colours)
    assert gray.dtype == np.uint8 and gray.shape == (2, 1, 64, 64)
    for image, found in zip(colours, gray):
        expected = np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert('L'))
        assert (found == expected).all()
