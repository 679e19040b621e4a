"""Generation on a GPU: one kernel launch generates a row of all images, or a part of all sounds.

Step by step, as on a CPU, each value would take some hundred kernel launches that have next to
nothing to do. But images do not depend on each other. So a kernel gives each image a block of
threads, which generates the whole row; only the threads of one block wait for each other. The same
holds for sounds.
"""
from pathlib import Path
from typing import NamedTuple

from chainer.backends import cuda

from wavenet.families.state import State

THREADS = 1024  # of a block: 32 for each feature map that is computed at the same time


class RowState(State):
    """Generation row by row.

    Args:
        model: a model on a GPU.
        samples: the images to generate, float32 (B, C, H, W), on the GPU.
    """

    def run(self, uniforms, given, progress):
        batch, channels, height, width = self.samples.shape
        self.draw_rows(given, uniforms.reshape(height, width, channels, batch), progress)

    def draw_rows(self, given, uniforms, progress):
        """Generates the values that are not given.

        Args:
            given: bool (C, H, W) on the host, the values that the samples hold already.
            uniforms: float64 (H, W, C, B), the uniform number of each value.
            progress: called with the number of pixels that are done since the last call.
        """
        raise NotImplementedError


class Kernel(NamedTuple):
    """A kernel: the name of its function, and its source."""
    name: str
    source: str


def read_kernel(folder, name):
    """The kernel in a family's file `name`.cu, below what the kernels share."""
    common = Path(__file__).with_name('drawing.cu')
    return Kernel(name, common.read_text() + (Path(folder) / f'{name}.cu').read_text())


def launch(kernel, batch, args):
    """Launches a kernel, a block of threads for each of the batch."""
    cuda.raw(kernel.source, kernel.name)((batch,), (THREADS,), tuple(args))
