"""Our side of a comparison, a program, so that its time and memory are measured alone:

    python -m wavenet.compare.ours TASK SOURCE TARGET

TASK is one of tasks.py; SOURCE and TARGET are .npz files.
"""
import os
import sys
import time

from wavenet import sampling, serialization, utils
from wavenet.compare import kinds, tasks
from wavenet.compare.ours_wavenet import OursWaveNet
from wavenet.functions import threads

GENERATIONS_TIMED = 3


class Ours:
    """This project as a side of tasks.py."""

    utils = utils
    wavenet = OursWaveNet()

    def classifier(self, config):
        return kinds.make_classifier(config)

    def snapshots(self, classifier, optimizer, config, given):
        """Loads the author's two files, if he wrote them, and saves the model in our format."""
        result = {}
        if not os.path.exists(os.path.join(config['snapshot_folder'], 'pixelcnn_1')):
            return result
        for name in ('pixelcnn_1', 'snapshot_iter_1'):
            model = serialization.load_model(os.path.join(config['snapshot_folder'], name))
            result.update((f'{name}/params{path}', param.array)
                          for path, param in model.namedparams())
        serialization.save_model(config['our_model'], model)
        return result

    def load(self, path, config):
        return serialization.load_model(path)

    def generate(self, predictor, config, class_ids):
        shape = (config['count'] ** 2, config['in_channels'], config['height'], config['width'])
        class_ids = class_ids if config['conditional'] else None
        seconds = []
        for _ in range(GENERATIONS_TIMED):
            start = time.perf_counter()
            samples = sampling.generate(predictor, shape, config['seed'], class_ids=class_ids)
            seconds.append(time.perf_counter() - start)
        return tasks.Generated(samples, 1.0, seconds)


def probabilities(config, images, class_ids, row, column, channel):
    """What the model that both sides generated with predicts for one value of each image.

    Args:
        images: float32 (B, C, H, W).
        class_ids: int32 (B,), which an unconditional model ignores.
        row, column, channel: of the value.

    Returns: float32 (B, levels).
    """
    predictor = serialization.load_model(config['our_model'])
    outputs = predictor(images, class_ids).array[:, :, channel, row, column]
    return predictor.distribution.probabilities(outputs)


if __name__ == '__main__':
    threads.keep_freed_memory()  # as train.py and generate.py do
    tasks.run(Ours(), *sys.argv[1:])
