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
