"""Compares WaveNet on both sides."""
import functools
from typing import NamedTuple

from wavenet.compare import running, sound_inputs, sound_verdicts


class Sound(NamedTuple):
    rows: list         # of `rows.Row`
    times: dict        # as in the summary
    config: dict       # the settings that are shown
    losses: dict       # of each side
    generated: dict    # results of the task 'sound_generation'; empty if it did not run


def compare(both, args, bar):
    """Runs both sides and compares their results.

    Args:
        both: `sides.Sides`.
        args: the options.
        bar: a tqdm that shows which task runs.

    Returns: a `Sound`.

    Raises: ValueError if the author's code cannot be run.
    """
    bar.total += 6
    config = sound_inputs.make_config(args, both.scratch)
    arrays = sound_inputs.make_arrays(config)
    run_both = functools.partial(running.run_task, both, bar, config, arrays)
    rows, numbers, generated, training = running.compare(run_both, 'sound_', sound_verdicts, config)
    times = {'WaveNet: training step': training,
             f'{config["sounds"]} sounds': running.measured(generated)} if generated else {}
    shown = {name: config[name] for name in sound_inputs.SHOWN}
    return Sound(rows, times, shown, running.losses(numbers), generated)
