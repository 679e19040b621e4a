"""Values of pixels: bytes as intensities in [0, 1], and colours as luminance."""
import numpy as np

# The intensity of each byte, rounded as by Chainer's get_mnist and get_cifar10, the author's source
INTENSITY = np.arange(256, dtype='f') * np.float32(1 / 255)


def luminance(images):
    """Luminance of RGB images, uint8 (N, 3, H, W), as uint8 (N, 1, H, W).

    The weights are those of ITU-R 601, in Pillow's fixed-point arithmetic.
    """
    red, green, blue = np.moveaxis(images.astype('u4'), 1, 0)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype('u1')[:, None]
