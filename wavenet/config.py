"""The sizes of a model: what its constructor takes, and what its file records."""
import dataclasses
from dataclasses import dataclass


def size(least=1, most=None):
    """A field of a `Config`: a whole number, not smaller than `least`.

    A number on which no parameter's shape depends also has a largest value, `most`: no file can
    contradict it, and nothing of its size is made from it.
    """
    return dataclasses.field(metadata={'least': least, 'most': most})


def sizes():
    """A field of a `Config`: a tuple of at least one whole number, each at least 1. Files hold a
    list."""
    return dataclasses.field(metadata={'sizes': True})


def flag():
    """A field of a `Config`: False, unless it is said. Files say only True, so that a model without
    it has the same file as before there was this field."""
    return dataclasses.field(default=False, metadata={'flag': True})


@dataclass(frozen=True)
class Config:
    """The sizes of a model: what its constructor takes and its file records.

    Subclasses are frozen dataclasses. Raises: ValueError for a field made by `size` or `sizes` that
    is not a whole number, too small or too large.

    Attributes:
        one_hot: whether pixels are labels, not intensities, and the first layer has a column of
            weights for each label. Families that can do it have a field of this name.
        out_dims: outputs of the network for each value; 0 in families without this size.
    """

    one_hot = False
    out_dims = 0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if 'least' in field.metadata:
                value, least = getattr(self, field.name), field.metadata['least']
                most = field.metadata['most']
                if value != int(value) or value < least:
                    raise ValueError(f'{field.name} must be at least {least}, got {value}')
                if most and value > most:
                    raise ValueError(f'{field.name} must be at most {most}, got {value}')
                object.__setattr__(self, field.name, int(value))  # not NumPy's int, for JSON
            if 'sizes' in field.metadata:
                values = getattr(self, field.name)
                if not values or any(value != int(value) or value < 1 for value in values):
                    raise ValueError(f'{field.name} must be whole numbers, at least 1, got '
                                     f'{list(values)}')
                object.__setattr__(self, field.name, tuple(map(int, values)))

    @classmethod
    def from_json(cls, values):
        """The sizes from a dict of JSON values, which may hold more.

        Raises: ValueError for a value that is missing or makes no sense.
        """
        try:
            fields = {field.name: values.get(field.name, False) if 'flag' in field.metadata
                      else values[field.name] for field in dataclasses.fields(cls)}
        except KeyError as error:
            raise ValueError(f'its config does not say {error}') from None
        for field in dataclasses.fields(cls):
            value = fields[field.name]
            if 'sizes' in field.metadata and isinstance(value, list) \
                    and all(type(number) is int for number in value):
                fields[field.name] = tuple(value)
            if type(fields[field.name]) is not field.type:
                raise ValueError(f'its {field.name} is {fields[field.name]!r}')
        return cls(**fields)

    def to_json(self):
        """A dict of JSON values."""
        flags = {field.name for field in dataclasses.fields(self) if 'flag' in field.metadata}
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in dataclasses.asdict(self).items() if value or name not in flags}
