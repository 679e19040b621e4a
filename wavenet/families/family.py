"""The seam between models and all that is done with them.

A family is one kind of model. Its folder (or file) holds the network, its sizes, its options, its
cache for fast generation, and how to recognize files that others have written. The rest of the code
knows families only through the `Family` object, so a new model is one new place and one line in
`wavenet/families/registry.py`. See docs/architecture.md.
"""
import dataclasses
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional

import chainer

from wavenet.families.state import PlainState
from wavenet.functions.precision import float32_parameters
from wavenet.models import Classifier


def build_with(make):
    """Makes the `build` of a `Family`: it calls `make` with the fields of the config."""
    return lambda config: make(**dataclasses.asdict(config))


def alone(model):
    """The `ensemble` of most families."""
    return [model]


class Option(NamedTuple):
    """An option of train.py that says a size of the model: a whole number, one of `choices`, or,
    with the default False, a switch."""
    flags: tuple                      # '--hidden_dim', '-d'
    default: Any
    help: str
    least: int = 1                    # the smallest number
    most: Optional[int] = None        # the largest number; of layers, since each one takes memory
    choices: Optional[tuple] = None
    metavar: str = 'N'


@dataclass(frozen=True)
class Recipe:
    """How a family is trained, unless the options of train.py say otherwise.

    Attributes:
        optimizer: a Chainer optimizer, called with the learning rate.
        learning_rate, lr_decay, average, batchsize, clip, weight_decay, dropout: defaults of the
            options of that name; 0 switches clipping, decay, averaging and dropout off, 1 the
            learning rate's decay.
        levels: default of the option of that name, the values that a pixel can take.
        reduce: the loss is the 'sum' over the values of an image (nats per image) or their 'mean'.
            Clipping and weight decay depend on it; what is reported does not.
    """
    optimizer: Callable = chainer.optimizers.Adam
    learning_rate: float = 0.001
    lr_decay: float = 1.0
    average: float = 0.0
    batchsize: int = 16
    clip: float = 0
    weight_decay: float = 0
    dropout: float = 0
    levels: int = 2
    reduce: str = 'sum'


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        name: `--model NAME` of train.py, and `model` in the model's file.
        title: what people call it, for messages and pages.
        config: the class of its sizes, a `wavenet.config.Config`.
        configure: makes a config from the options of train.py (the family's own included) and the
            data set's number of classes; None where train.py does not offer the family. See
            `fit` for models of images of one size.
        build: makes the model of a config, a Chain on the CPU with these attributes:
            `family`, the name; `config`; `distribution`, see `wavenet.distributions`;
            `in_channels`; `num_classes`, 0 or 1 where the model is unconditional. Called with
            x, float32 (B, C, H, W) in [0, 1], and class_ids, int32 (B,) or None, it returns the
            outputs (B, outputs, C, H, W), each of which depends on earlier values only; without
            C, where the distribution is one of pixels. A model of sound takes levels, int32
            (B, T), and returns (B, outputs, T).
        shapes: the parameters of a config, a dict from names to shapes. Files are checked against
            it, and the memory of a training.
        options: the options of train.py that say the sizes, see `Option`.
        held_maps: values that a training step holds for each feature map and pixel; measured.
        maps: the number of feature maps of a config; None for those of all convolutions in
            `shapes`.
        recipe: the defaults of training.
        small: options of train.py for a model that trains on a CPU in minutes, `--preset cpu`.
        data: the kind of its data sets, a key of `wavenet.training.kinds.KINDS`.
        loss: makes the Chain that is trained, of a model and `Recipe.reduce`; its `forward` takes
            a batch of the data set and returns the loss. See `wavenet.models.Classifier`.
        cache: makes a `wavenet.families.state.State` for fast generation of a model, samples
            (B, C, H, W) or (B, T) to fill in, class_ids (B,) or None, and the number of cores;
            None where there is only the plain loop, which is too slow for samples during a
            training.
        plain: makes the same of a model, samples and class_ids, for the plain loop.
        recognize: the config of a foreign file, which holds none, from the names and shapes of its
            parameters; None where they are not of this family. `recognize` itself is None where no
            others write such files.
        prepare: called with the model and its first batch (x, targets, class_ids) before a training
            starts, for parameters that depend on data; or None.
        ensemble: the forms of a model whose probabilities are averaged, a list of functions that
            are called as the model; of most families the model alone.
    """
    name: str
    title: str
    config: type
    configure: Callable
    build: Callable
    shapes: Callable
    options: tuple = ()
    held_maps: float = 1.5
    maps: Optional[Callable] = None
    recipe: Recipe = Recipe()
    small: str = ''
    data: str = 'images'
    loss: Callable = Classifier
    cache: Optional[Callable] = None
    plain: Callable = PlainState
    recognize: Optional[Callable] = None
    prepare: Optional[Callable] = None
    ensemble: Callable = alone

    @property
    def is_sized(self):
        """Whether a model is for images of one size, which its config says."""
        return any(field.name == 'height' for field in dataclasses.fields(self.config))

    def fit(self, config, shape):
        """The config for data of a shape, (C, H, W) or (1, T); another one only where `is_sized`.
        """
        if not self.is_sized:
            return config
        _, height, width = shape
        return dataclasses.replace(config, height=height, width=width)

    @property
    def takes_labels(self):
        """Whether the family has models of labels: see `wavenet.config.Config`."""
        return any(field.name == 'one_hot' for field in dataclasses.fields(self.config))

    @property
    def takes_loss(self):
        """Whether the family has models of one logit for each value, `--loss sigmoid`."""
        return any(field.name == 'out_dims' for field in dataclasses.fields(self.config))

    def __post_init__(self):
        object.__setattr__(self, 'build', float32_parameters(self.build))
