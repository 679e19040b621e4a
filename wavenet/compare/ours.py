"""Our side of a comparison, in a process of its own, so that its time and memory are its own:

    python -m wavenet.compare.ours TASK SOURCE TARGET
"""
import os
import sys
import time

import wavenet  # noqa: F401  before Chainer
from wavenet import sampling, serialization, utils
from wavenet.functions import threads
from wavenet.compare import kinds, tasks

DRAWINGS_TIMED = 3


class Ours:
    """This project as a side of tasks.py."""

    utils = utils

    def classifier(self, config):
        return kinds.make_classifier(config)

    def snapshots(self, classifier, optimizer, config, given):
        """The author's two files, if there are any, as they load here; the model in them is saved
        again, our way."""
        result = {}
        if not os.path.exists(os.path.join(config['snapshots'], 'pixelcnn_1')):
            return result
        for name in ('pixelcnn_1', 'snapshot_iter_1'):
            model = serialization.load_model(os.path.join(config['snapshots'], name))
            result.update(('{}/params{}'.format(name, path), param.array)
                          for path, param in model.namedparams())
        serialization.save_model(config['our_model'], model)
        return result

    def load(self, path, config):
        return serialization.load_model(path)

    def draw(self, predictor, config, classes):
        shape = (config['count'] ** 2, config['in_channels'], config['height'], config['width'])
        class_ids = {'class_ids': classes} if config['labelled'] else {}
        seconds = []
        for _ in range(DRAWINGS_TIMED):
            start = time.perf_counter()
            samples = sampling.generate(predictor, shape, config['seed'], **class_ids)
            seconds.append(time.perf_counter() - start)
        return samples, 1.0, seconds


if __name__ == '__main__':
    threads.keep_freed_memory()  # as train.py and generate.py do
    tasks.run(Ours(), *sys.argv[1:])
