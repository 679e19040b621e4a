"""PixelCNN as Sergei Turukin's post of 22 February 2017 describes it, in Chainer."""
from wavenet import compat  # noqa: F401  makes Chainer importable, so it comes before all else
