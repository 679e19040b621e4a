"""Values of pixels: bytes as intensities in [0, 1], colours as luminance."""
import numpy as np

# Values of bytes in [0, 1], rounded as by Chainer's get_mnist and get_cifar10, the author's source
INTENSITY = np.arange(256, dtype='f') * np.float32(1 / 255)


def luminance(images):
    """uint8 (N, 3, H, W) → (N, 1, H, W): ITU-R 601, in the fixed point arithmetic of Pillow."""
    red, green, blue = np.moveaxis(images.astype('u4'), 1, 0)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype('u1')[:, None]
