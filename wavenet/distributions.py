"""What the outputs of a network mean: `Categorical`, `Bernoulli`, `LogisticMixture`.

The code is in `wavenet/functions/distributions.py`, beside the functions that it is made of.
"""
from wavenet.functions.distributions import (
    Bernoulli,
    Categorical,
    LogisticMixture,
    draw,
    of_outputs,
)

__all__ = ['Bernoulli', 'Categorical', 'LogisticMixture', 'draw', 'of_outputs']
