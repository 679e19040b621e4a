"""Generation of sound on a GPU: one kernel launch draws many samples of all sounds.

The kernel is draw_samples.cu. The queues stay on the device.
"""
import os

import numpy as np

from wavenet.families import gpu_state
from wavenet.families.state import State
from wavenet.families.wavenet.weights import first_weights, layer_weights

KERNEL = gpu_state.read_kernel(os.path.dirname(os.path.abspath(__file__)), 'draw_samples')
SAMPLES = 800   # of a launch: a tenth of a second at 8 kHz


class KernelState(State):
    """Generation by the kernel. `samples` is float32 (B, T) on the GPU."""

    def __init__(self, model, samples, class_ids):
        super().__init__(model, samples)
        self.class_ids = class_ids if model.num_classes else None

    def run(self, uniforms, given, progress):
        model, config, xp = self.model, self.model.config, self.model.xp
        batch, length = self.samples.shape
        maps, layers = config.hidden_dim, len(config.dilations)
        queue_size = (config.kernel_width - 1) * sum(config.dilations)
        rows = 2 * maps if config.form == 'author' else maps
        sizes = [np.int32(size) for size in (
            length, config.out_dims, maps, config.out_hidden_dim, layers, config.layers_num,
            config.kernel_width, rows, queue_size)]
        weights = [xp.ascontiguousarray(array, 'f') for array in (
            *first_weights(model), *layer_weights(model.layers, self.class_ids, batch),
            model.conv2.W.array[:, :, 0, 0], model.conv2.b.array,
            *(array / np.float32(self.temperature)
              for array in (model.conv3.W.array[:, :, 0, 0], model.conv3.b.array)))]
        given = xp.asarray(given.astype('u1'))
        memory = [xp.zeros((batch, count), 'f') for count in (
            queue_size * maps, maps, maps, maps, config.out_hidden_dim, config.out_dims)]
        for begin in range(0, length, SAMPLES):
            end = min(begin + SAMPLES, length)
            gpu_state.launch(KERNEL, batch, [np.int32(begin), np.int32(end), *sizes, *weights,
                                             given, uniforms, self.samples, *memory])
            progress(end - begin)
