"""Stops a training when its numbers are no longer finite, before they reach a file."""
import math

from wavenet.training import learning_rate


def check_loss(trainer):
    """An extension for each iteration. Raises: ValueError for a loss that is NaN or infinite."""
    for name in ('main/nll', 'validation/main/nll'):
        loss = trainer.observation.get(name, 0)
        loss = float(getattr(loss, 'array', loss))
        if not math.isfinite(loss):
            _stop(trainer, f'the loss is {loss}')


def check_state(trainer):
    """Raises: ValueError for a parameter, or an optimizer's state of it, that is not finite.

    A step can make both infinite although its loss was finite.
    """
    for name, param in trainer.updater.get_optimizer('main').target.namedparams():
        for array in (param.array, *(param.update_rule.state or {}).values()):
            if not param.xp.isfinite(array).all():
                _stop(trainer, f'{name.replace("/predictor/", "")} is not finite')


def _stop(trainer, what):
    optimizer = trainer.updater.get_optimizer('main')
    norm = math.sqrt(sum(float((param.grad.astype('d') ** 2).sum())
                         for param in optimizer.target.params() if param.grad is not None))
    raise ValueError(f'{what} at iteration {trainer.updater.iteration}, with a learning rate of '
                     f'{learning_rate.get(optimizer)} and a gradient norm of {norm:.4g}: try a '
                     'smaller --learning_rate, or --clip')
