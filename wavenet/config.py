"""The sizes of a model: what its constructor takes, and what its file records."""
import dataclasses
from dataclasses import dataclass


def size(least=1):
    """A field of a `Config`: a whole number, not smaller than `least`."""
    return dataclasses.field(metadata={'least': least})


@dataclass(frozen=True)
class Config:
    """The sizes of a model: what its constructor takes and its file records.

    Subclasses are frozen dataclasses. Raises: ValueError for a field made by `size` that is not a
    whole number or is too small.
    """

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if 'least' in field.metadata:
                value, least = getattr(self, field.name), field.metadata['least']
                if value != int(value) or value < least:
                    raise ValueError(f'{field.name} must be at least {least}, got {value}')
                object.__setattr__(self, field.name, int(value))  # not NumPy's int, for JSON

    @classmethod
    def from_json(cls, values):
        """The sizes from a dict of JSON values, which may hold more.

        Raises: ValueError for a value that is missing or makes no sense.
        """
        try:
            fields = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        except KeyError as error:
            raise ValueError(f'its config does not say {error}') from None
        for field in dataclasses.fields(cls):
            if type(fields[field.name]) is not field.type:
                raise ValueError(f'its {field.name} is {fields[field.name]!r}')
        return cls(**fields)

    def to_json(self):
        """A dict of JSON values."""
        return dataclasses.asdict(self)
