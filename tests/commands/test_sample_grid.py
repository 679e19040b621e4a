from types import SimpleNamespace

import numpy as np
from PIL import Image

from wavenet.commands.sample_grid import SampleGrid


def test_a_grid_of_samples(tmp_path, random_model):
    grid = SampleGrid(random_model(1), 16, SimpleNamespace(shape=(1, 4, 5)), seed=0)
    for epoch in (1, 2):
        updater = SimpleNamespace(epoch=epoch, is_new_epoch=True)
        grid(SimpleNamespace(out=str(tmp_path), updater=updater))
    first, second = [Image.open(str(tmp_path / 'samples' / f'epoch_{epoch}.png'))
                     for epoch in (1, 2)]
    # 4 × 4 images of 4 × 5 pixels and a line, a pixel shown as 12 × 12: 56 / 5, rounded up
    assert first.size == (4 * 6 * 12, 4 * 5 * 12)
    assert (np.asarray(first) == np.asarray(second)).all()  # the same model and random numbers
