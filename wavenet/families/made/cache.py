"""Fast generation from MADE: each unit is computed once, when all that it sees is there.

A unit of degree m is final as soon as the value of degree m is. Units are sorted by their degrees,
so what a unit sees is a slice, from the first unit of the layer below on.
"""
import numpy as np

from wavenet.families.state import PlainState, State


def steps(state, degrees):
    """The steps of a state, (row, column, colour), in the order of the values' degrees."""
    for flat in np.argsort(degrees):
        colour, row, column = np.unravel_index(flat, state.samples.shape[1:])
        yield int(row), int(column), int(colour)


class PlainMadeState(PlainState):
    """The post's loop, in an order that begins with the values that are given to `run`."""

    def __init__(self, model, samples, class_ids):
        super().__init__(model, samples, class_ids)
        self.degrees = model.degrees(0)

    def run(self, uniforms, given, progress):
        self.degrees = self.model.degrees_of_completion(given)
        super().run(uniforms, given, progress)

    @property
    def steps(self):
        return steps(self, self.degrees[0])

    def run_model(self):
        return self.model(self.samples, order=self.degrees)


class MadeCache(State):
    """Keeps the hidden units whose values are known, in an order that begins with the values that
    are given to `run`."""

    def __init__(self, model, samples):
        super().__init__(model, samples)
        self._start(model.degrees(0))

    def run(self, uniforms, given, progress):
        if given.any():
            self._start(self.model.degrees_of_completion(given))
        super().run(uniforms, given, progress)

    def _start(self, degrees):
        """Sorts the weights for an order; no value is known."""
        model = self.model
        values, *hidden = degrees
        self.degrees = values
        *links, last = model.layers
        xp, batch, dtype = model.xp, len(self.samples), last.W.dtype
        self.count = 0                                   # values that are there
        self.x = xp.zeros((len(values), batch), dtype)   # sorted by degree
        self.layers, below, units = [], np.argsort(values), self.x
        below_degrees = np.arange(len(values))
        for link, degrees in zip(links, hidden):
            order = np.argsort(degrees, kind='stable')
            layer = Layer(link, order, degrees[order], below, below_degrees, units)
            self.layers.append(layer)
            below, below_degrees, units = order, layer.degrees, layer.units
        self.last = units
        # How many units of the last layer each output sees
        self.seen = np.searchsorted(below_degrees, np.arange(len(values)))
        outputs = model.config.out_dims, len(values)
        order = np.argsort(values)
        self.W = last.W.array.reshape(*outputs, -1)[:, order][:, :, below]   # (out_dims, D, units)
        self.b = last.b.array.reshape(outputs)[:, order]
        self.direct = model.direct.W.array.reshape(*outputs, -1)[:, order][:, :, order] \
            if model.config.direct else None

    @property
    def steps(self):
        return steps(self, self.degrees)

    def outputs(self, step):
        n, seen = self.count, self.seen[self.count]
        outputs = self.b[:, n, None] + self.W[:, n, :seen].dot(self.last[:seen])
        if self.direct is not None:
            outputs += self.direct[:, n, :n].dot(self.x[:n])
        return outputs.T                                                     # (B, out_dims)

    def put(self, step, values):
        self.x[self.count] = values
        for layer in self.layers:
            layer.compute(self.count)
        self.count += 1

    def give(self, step, values):
        self.put(step, values)


class Layer:
    """A hidden layer, its units sorted by their degrees.

    Args:
        link: the layer of the model.
        order: the numbers of its units, sorted by degree.
        degrees: their degrees, in that order.
        below, below_degrees: the same of the layer below, or of the values.
        inputs: what it computes, (units, B).

    Attributes:
        degrees: as the argument.
        units: (units, B); those that are not final are 0.
    """

    def __init__(self, link, order, degrees, below, below_degrees, inputs):
        xp = link.xp
        self.degrees, self.inputs = degrees, inputs
        self.W, self.b = link.W.array[order][:, below], link.b.array[order][:, None]
        self.units = xp.zeros((len(order), inputs.shape[1]), link.W.dtype)
        self.below_degrees = below_degrees

    def compute(self, degree):
        """Computes the units of a degree."""
        start, end = np.searchsorted(self.degrees, [degree, degree + 1])
        seen = np.searchsorted(self.below_degrees, degree + 1)
        products = self.W[start:end, :seen].dot(self.inputs[:seen]) + self.b[start:end]
        self.units[start:end] = products * (products > 0)
