"""Generation of sound, sample by sample: the whole network each time, or queues.

The author's loop (infer_wavenet.py) runs the network over the whole sound once for each sample. But
the features of earlier samples never change. `QueueState` keeps, for each layer, as many of its
inputs as the layer's dilation reaches back (Paine et al., 2016, arXiv 1611.09482), so each feature
is computed once, and the work for a sample does not depend on the dilations.
"""
import chainer

from wavenet.families.state import PlainState, State
from wavenet.functions.label_convolution import label_tables, to_labels


class SoundSteps:
    """The steps of sound: (t,), the next sample of all recordings. `samples` is (B, T)."""

    @property
    def steps(self):
        return ((t,) for t in range(self.samples.shape[1]))

    def place(self, step):
        return step

    def ends_position(self, step):
        return True


class PlainSoundState(SoundSteps, PlainState):
    """The author's loop."""

    def run_model(self):
        return self.model(to_labels(self.samples, self.model.distribution.levels), self.class_ids)


class Layer:
    """The weights of a `CausalLayer` for one sample at a time, and the queue of its inputs.

    Args:
        link: the `CausalLayer`.
        dilation: its dilation.
        class_ids: classes of the recordings, integers (B,), or None.
        batch: number of recordings.
    """

    def __init__(self, link, dilation, class_ids, batch):
        W, self.bias = link.gated_conv.W.array, link.gated_conv.b.array
        xp = link.xp
        gates, maps, _, width = W.shape
        self.taps = [xp.ascontiguousarray(W[:, :, 0, tap].T) for tap in range(width)]
        if class_ids is not None:
            self.bias = self.bias + link.label.W.array[class_ids]              # (B, gates)
        outputs = [link.res_conv, link.skip_conv] if link.form == 'author' else [link.output_conv]
        self.W_out = xp.concatenate([conv.W.array[:, :, 0, 0] for conv in outputs]).T.copy()
        self.b_out = xp.concatenate([conv.b.array for conv in outputs])
        self.dilation, self.maps = dilation, maps
        self.queue = xp.zeros(((width - 1) * dilation, batch, maps), W.dtype)  # zeros: before t = 0

    def step(self, x, t):
        """Input (B, maps) of sample t → the layer's output and skip connection, (B, maps)."""
        xp = chainer.backend.get_array_module(x)
        *past, present = self.taps
        gates = x.dot(present)
        gates += self.bias
        for number, W in enumerate(past):       # input t - (width - 1 - number) · dilation
            gates += self.queue[(t + number * self.dilation) % len(self.queue)].dot(W)
        self.queue[t % len(self.queue)] = x
        h = xp.tanh(gates[:, :self.maps])
        sigmoid = xp.tanh(gates[:, self.maps:] * 0.5)        # of 2 x: (tanh(x) + 1) / 2
        sigmoid += 1
        h *= sigmoid
        h *= 0.5
        out = h.dot(self.W_out)
        out += self.b_out
        return x + out[:, :self.maps], out[:, -self.maps:]


class QueueState(SoundSteps, State):
    """The cache: `Family.cache`."""

    def __init__(self, model, samples, class_ids, cores):
        super().__init__(model, samples)
        batch, levels = len(samples), model.distribution.levels
        if not model.num_classes:
            class_ids = None
        tables = label_tables(model.conv1.W.array, 1)        # (1, width, 1, levels + 1, maps)
        self.tables = tables[0, :, 0]
        self.layers = [Layer(link, dilation, class_ids, batch)
                       for link, dilation in zip(model.layers, model.config.dilations)]
        self.W2, self.W3 = [conv.W.array[:, :, 0, 0].T for conv in (model.conv2, model.conv3)]
        # The levels of the last two samples; before the first one there is none
        self.before = [model.xp.full(batch, levels, 'i') for _ in self.tables]

    def outputs(self, step):
        xp, model = self.model.xp, self.model
        x, skips = self._features(step)
        h = xp.maximum(skips + x if model.config.form == 'author' else skips, 0).dot(self.W2)
        h += model.conv2.b.array
        return xp.maximum(h, 0).dot(self.W3) + model.conv3.b.array

    def give(self, step, values):
        self._features(step)                                  # without the output layers
        self.put(step, values)

    def put(self, step, values):
        levels = self.model.distribution.levels
        self.before = [*self.before[1:], to_labels(values, levels)]

    def _features(self, step):
        """The output of the last layer and the sum of the skip connections, both (B, maps)."""
        x = self.model.conv1.b.array
        for table, labels in zip(self.tables, self.before):
            x = x + table[labels]
        skips = 0
        for layer in self.layers:
            x, skip = layer.step(x, step[0])
            skips = skips + skip
        return x, skips
