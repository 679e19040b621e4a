"""Generation step by step: what a model remembers of the values that are there.

The default is the post's loop, `PlainState`. A family's cache does the same and computes each
feature map only once.
"""
import itertools

import chainer


class State:
    """The samples that are being generated, and what is known of them.

    A step is the next value of all samples: (row, column, colour) of images, (time,) of sound. It
    is a whole pixel, (row, column), where the model's distribution is one of pixels.
    Subclasses say what the network's outputs for it are (`outputs`), and take notice of the value
    (`put`).

    Args:
        model: see `wavenet.families.family.Family.build`.
        samples: floating (B, C, H, W), or (B, T) of sound, on the model's device; `run` fills it
            in.

    Attributes:
        temperature: of the distribution from which `run` draws.
        raw: whether `run` does not round what it draws to levels, where the distribution can.
    """

    temperature = 1.0
    raw = False

    def __init__(self, model, samples):
        self.model = model
        self.samples = samples

    @property
    def steps(self):
        """All steps, in order."""
        _, channels, height, width = self.samples.shape
        if self.model.distribution.of_pixels:
            return itertools.product(range(height), range(width))
        return itertools.product(range(height), range(width), range(channels))

    def place(self, step):
        """The place of a step's value in a sample, an index of (C, H, W)."""
        row, column, *color = step
        return (*(color or [slice(None)]), row, column)

    def ends_position(self, step):
        """Whether a step is the last one of its pixel."""
        return len(step) == 2 or step[2] == self.samples.shape[1] - 1

    def outputs(self, step):
        """The outputs for the value of this step, (B, outputs), from the values of earlier steps.

        Called once for each step, in order.
        """
        raise NotImplementedError

    def put(self, step, values):
        """Takes the values of a step, which are in `samples` already, after its `outputs`: (B,), or
        (B, C) of a pixel."""

    def give(self, step, values):
        """The same for values that were given; nobody asked for their outputs."""
        self.outputs(step)
        self.put(step, values)

    def run(self, uniforms, given, progress):
        """Generates all values that are not given.

        Args:
            uniforms: float64 (steps, uniforms of a step, B) on the samples' device.
            given: bool (C, H, W), or (T,) of sound, on the host: the values that `samples` holds
                already.
            progress: called with the number of pixels, or of samples of a sound, that are done
                since the last call.
        """
        distribution = self.model.distribution
        for number, step in enumerate(self.steps):
            place = self.place(step)
            values = self.samples[(slice(None), *place)]     # a view, (B,), or (B, C) of a pixel
            if given[place].all():
                self.give(step, values)
            else:
                outputs = self.outputs(step)
                if self.temperature != 1:
                    outputs = distribution.at_temperature(outputs, self.temperature)
                if self.raw:
                    values[...] = distribution.draw(outputs, uniforms[number], 'openai') / 2 + 0.5
                else:
                    drawn = distribution.draw(outputs, uniforms[number])
                    values[...] = drawn / (distribution.levels - 1)
                self.put(step, values)
            if self.ends_position(step):
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

    def run_model(self):
        """The model's outputs for all samples, a Variable."""
        return self.model(self.samples, self.class_ids)

    def outputs(self, step):
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            # (B, outputs, C, H, W), or without C where a step is a pixel
            outputs = self.run_model().array
        place = step if self.model.distribution.of_pixels else self.place(step)
        return outputs[(slice(None), slice(None), *place)]

    def give(self, step, values):
        pass  # the model reads them from the samples
