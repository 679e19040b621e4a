"""Runs tasks on both sides, and takes from their results what the report shows."""
import numpy as np


def run_task(both, bar, config, arrays, task):
    """Runs a task on both sides, one after the other, so that neither slows down the other.

    Returns: their results, by the names 'author' and 'here'.
    """
    results = {}
    for side, whose in (('author', "the author's"), ('here', 'our')):
        bar.set_description_str(f'{whose} {task}')
        results[side] = both.run(side, task, config, arrays)
        bar.update()
    return results


def compare(run_both, prefix, verdicts, config, *arrays):
    """Runs the tasks of a model on both sides, and compares their results.

    Args:
        run_both: `run_task` with all but the task.
        prefix: of the names of the tasks 'numbers', 'generation' and 'training'.
        verdicts: the module whose `compare` and `compare_generation` make rows of the results.
        config, arrays: what these functions also take.

    Returns: the rows; the results of 'numbers' and of 'generation', and the measured training, each
        a dict. If a side could not train, the last two are empty.
    """
    numbers = run_both(f'{prefix}numbers')
    rows = verdicts.compare(numbers['author'], numbers['here'], config)
    if not all('float32/losses' in results for results in numbers.values()):
        return rows, numbers, {}, {}
    generated = run_both(f'{prefix}generation')
    rows += verdicts.compare_generation(generated, numbers['author'], config, *arrays)
    return rows, numbers, generated, measured(run_both(f'{prefix}training'))


def measured(results):
    """For each side, the median time, the number of measurements, and the peak memory."""
    return {side: {'seconds': float(np.median(result['seconds'])),
                   'timed': len(result['seconds']),
                   'part': float(result.get('part', 1)),
                   'peak_mb': int(result['peak_kb']) / 1024}
            for side, result in results.items()}


def losses(numbers):
    """The losses of each side that was trained, lists."""
    return {side: results['float32/losses'].tolist() for side, results in numbers.items()
            if 'float32/losses' in results}
