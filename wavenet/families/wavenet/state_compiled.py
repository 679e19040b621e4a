"""Generation of sound on a CPU by the compiled loop, many samples in a call."""
import numpy as np

from wavenet.families.state import State
from wavenet.families.wavenet import compiled_loop
from wavenet.families.wavenet.weights import layer_weights
from wavenet.functions import threads
from wavenet.functions.label_convolution import label_tables, to_labels

SAMPLES = 800     # of a call: between two calls progress is shown, and Ctrl-C ends the program
RECORDINGS = 16   # of a call: as many as have their queues in the cache


class CompiledState(State):
    """Generation by the compiled loop. `samples` is float32 (B, T)."""

    def __init__(self, model, samples, class_ids):
        super().__init__(model, samples)
        self.class_ids = class_ids if model.num_classes else None

    def run(self, uniforms, given, progress):
        model, config = self.model, self.model.config
        batch, length = self.samples.shape
        levels = model.distribution.levels
        sizes = (config.kernel_width - 1) * np.array(config.dilations)
        first, (W, bias, *output), last = self._weights()
        parts = threads.parts_of(batch, RECORDINGS)
        targets = [to_labels(self.samples[part], levels).T.copy() for part in parts]    # (T, b)
        before = [np.full((2, len(self.samples[part])), levels, 'i') for part in parts]
        own_uniforms = [uniforms[:, 0, part].copy() for part in parts]                  # (T, b)
        own_bias = [bias[:, part].copy() for part in parts]
        dilations, starts = np.array(config.dilations), sizes.cumsum() - sizes
        queues = [np.zeros((sizes.sum(), len(self.samples[part]), config.hidden_dim), 'f')
                  for part in parts]
        for begin in range(0, length, SAMPLES):
            end = min(begin + SAMPLES, length)
            for number, part in enumerate(parts):
                compiled_loop.generate(
                    begin, end, targets[number], given, own_uniforms[number], before[number],
                    *first, W, own_bias[number], *output, dilations, starts, queues[number], *last,
                    config.form == 'author')
                drawn = targets[number][begin:end].T
                self.samples[part, begin:end] = drawn / np.float32(levels - 1)
            progress(end - begin)

    def _weights(self):
        """The weights of the first layer, of the layers, and of the output layers, float32, as
        `compiled_loop.generate` takes them."""
        model, maps = self.model, self.model.config.hidden_dim
        gates, bias, output, output_b = layer_weights(model.layers, self.class_ids,
                                                      len(self.samples))
        halves = np.ones(2 * maps, 'f')
        halves[maps:] = 0.5
        pairs = len(output) // len(gates)       # convolutions after the gates: 1, or the author's 2
        output = output.reshape(len(gates), pairs * maps, maps).transpose(0, 2, 1) * 0.5
        of_layers = (gates.transpose(0, 2, 3, 1) * halves, bias * halves, output,
                     output_b.reshape(len(gates), pairs * maps))
        tables = label_tables(model.conv1.W.array, 1)[0, :, 0]
        of_output = [model.conv2.W.array[:, :, 0, 0].T, model.conv2.b.array,
                     model.conv3.W.array[:, :, 0, 0].T / np.float32(self.temperature),
                     model.conv3.b.array / np.float32(self.temperature)]
        return [[np.ascontiguousarray(array, 'f') for array in some]
                for some in ((tables, model.conv1.b.array), of_layers, of_output)]
