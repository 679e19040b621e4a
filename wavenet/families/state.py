"""Generation step by step: what a model remembers of the values that are there.

The default is the post's loop, `PlainState`. A family's cache does the same and computes each
feature map only once.
"""
import itertools

import chainer


class State:
    """The samples that are being generated, and what is known of them.

    A step is the next value of all images: (row, column, colour). Subclasses say what the network's
    outputs for it are (`outputs`), and take notice of the value (`put`).

    Args:
        model: see `wavenet.families.family.Family.build`.
        samples: floating (B, C, H, W) on the model's device; `run` fills it in.

    Attributes:
        temperature: `run` divides the outputs, which are logits, by it.
    """

    temperature = 1.0

    def __init__(self, model, samples):
        self.model = model
        self.samples = samples

    @property
    def steps(self):
        """All steps, in order."""
        _, channels, height, width = self.samples.shape
        return itertools.product(range(height), range(width), range(channels))

    def outputs(self, step):
        """The outputs for the value of this step, (B, outputs), from the values of earlier steps.

        Called once for each step, in order.
        """
        raise NotImplementedError

    def put(self, step, values):
        """Takes the values (B,) of a step, which are in `samples` already, after its `outputs`."""

    def give(self, step, values):
        """The same for values that were given; nobody asked for their outputs."""
        self.outputs(step)
        self.put(step, values)

    def run(self, uniforms, given, progress):
        """Generates all values that are not given.

        Args:
            uniforms: float64 (steps, uniforms of a step, B) on the samples' device.
            given: bool (C, H, W) on the host, the values that `samples` holds already.
            progress: called with the number of pixels that are done since the last call.
        """
        distribution = self.model.distribution
        channels = self.samples.shape[1]
        for number, step in enumerate(self.steps):
            i, j, k = step
            if given[k, i, j]:
                self.give(step, self.samples[:, k, i, j])
            else:
                outputs = self.outputs(step)
                if self.temperature != 1:
                    outputs = outputs / self.temperature
                drawn = distribution.draw(outputs, uniforms[number])
                self.samples[:, k, i, j] = drawn / (distribution.levels - 1)
                self.put(step, self.samples[:, k, i, j])
            if k == channels - 1:
                progress(1)


class PixelState(State):
    """A cache whose work has three parts: for a row, for a pixel, for a value.

    Subclasses have start_row(), start_pixel(column), logits(colour), set_value(column, colour,
    values) and end_pixel(column), which are called in this order.
    """

    def outputs(self, step):
        _, j, k = step
        if k == 0:
            if j == 0:
                self.start_row()
            self.start_pixel(j)
        return self.logits(k)

    def put(self, step, values):
        _, j, k = step
        self.set_value(j, k, values)
        if k == self.samples.shape[1] - 1:
            self.end_pixel(j)


class PlainState(State):
    """The post's loop: the whole model once for each value."""

    def __init__(self, model, samples, class_ids):
        super().__init__(model, samples)
        self.class_ids = class_ids

    def outputs(self, step):
        i, j, k = step
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            return self.model(self.samples, self.class_ids).array[:, :, k, i, j]

    def give(self, step, values):
        pass  # the model reads them from the samples
