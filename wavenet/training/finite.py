"""Stops a training whose numbers are no numbers any more, before they reach a file."""
import math


def check_loss(trainer):
    """An extension, for each iteration. Raises: ValueError where a loss is NaN or infinite."""
    for name in ('main/nll', 'validation/main/nll'):
        loss = trainer.observation.get(name, 0)
        loss = float(getattr(loss, 'array', loss))
        if not math.isfinite(loss):
            _stop(trainer, 'the loss is {}'.format(loss))


def check_state(trainer):
    """Raises: ValueError where a parameter, or what the optimizer keeps of it, is NaN or infinite.

    A step can spoil both after a loss that is still finite.
    """
    for name, param in trainer.updater.get_optimizer('main').target.namedparams():
        for array in (param.array, *param.update_rule.state.values()):
            if not param.xp.isfinite(array).all():
                _stop(trainer, '{} is not finite'.format(name.replace('/predictor/', '')))


def _stop(trainer, what):
    optimizer = trainer.updater.get_optimizer('main')
    norm = math.sqrt(sum(float((param.grad.astype('d') ** 2).sum())
                         for param in optimizer.target.params() if param.grad is not None))
    raise ValueError('{} at iteration {}, with a learning rate of {} and a gradient norm of {:.4g}:'
                     ' try a smaller --learning_rate, or --clip'.format(
                         what, trainer.updater.iteration, optimizer.alpha, norm))
