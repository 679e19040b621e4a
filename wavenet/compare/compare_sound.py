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
    numbers = run_both('sound_numbers')
    rows = sound_verdicts.compare(numbers['author'], numbers['here'], config)
    generated, times = {}, {}
    if all('float32/losses' in results for results in numbers.values()):
        generated = run_both('sound_generation')
        rows += sound_verdicts.compare_generation(generated, numbers['author'], config)
        times = {'WaveNet: training step': running.measured(run_both('sound_training')),
                 f'{config["sounds"]} sounds': running.measured(generated)}
    shown = {name: config[name] for name in sound_inputs.SHOWN}
    return Sound(rows, times, shown, running.losses(numbers), generated)
