import math

import chainer
import numpy as np
import pytest
from PIL import Image

from wavenet import models
from wavenet.data.images import ImageDataset, batches
from wavenet.training import extensions


def test_a_short_last_batch_does_not_count_as_a_whole(random_model):
    model = models.Classifier(random_model(1, out_dims=2))
    images = np.random.RandomState(0).randint(0, 256, (7, 1, 4, 4)).astype('u1')
    dataset = ImageDataset(images, np.zeros(7), 1, 2)
    x, t, _ = dataset.batch(range(7))
    expected = float(model(x, t).array)
    for batchsize in (1, 2, 5, 7, 100):
        evaluator = extensions.Evaluator(batches(dataset, batchsize), model,
                                         converter=dataset.converter)
        result = {name.split('/', 1)[1]: float(value) for name, value in evaluator().items()}
        assert result['nll'] == pytest.approx(expected, rel=1e-5)
        assert result['bits/dim'] == pytest.approx(expected / (16 * math.log(2)), rel=1e-5)


class FakeTrainer:
    def __init__(self, out, epoch):
        self.out = str(out)
        self.updater = chainer.training.Updater()
        self.updater.epoch = epoch


def test_a_grid_of_samples(tmp_path, random_model):
    grid = extensions.SampleGrid(random_model(1), (1, 4, 5), seed=0)
    for epoch in (1, 2):
        grid(FakeTrainer(tmp_path, epoch))
    first, second = [Image.open(str(tmp_path / 'samples' / f'epoch_{epoch}.png'))
                     for epoch in (1, 2)]
    # 4 × 4 pictures of 4 × 5 pixels and a line, a pixel drawn as 12 × 12: 56 / 5, rounded up
    assert first.size == (4 * 6 * 12, 4 * 5 * 12)
    assert (np.asarray(first) == np.asarray(second)).all()  # the same model, the same draws


def test_plain_output_moves_no_cursor(capsys):
    out = extensions.PlainOutput()
    out.write('\033[J1  2.5\n')
    out.flush()
    assert capsys.readouterr().out == '1  2.5\n'


def test_the_time_is_over_for_all_or_for_none():
    trainer = FakeTrainer('', epoch=1)
    limit = extensions.TimeLimit(10, 'epoch', minutes=1)
    answers = []
    for trainer.updater.iteration, seconds in ((1, 59), (1, 61), (1, 62), (2, 63), (2, 0)):
        trainer.elapsed_time = seconds
        answers.append(limit.is_over(trainer))
    assert answers == [False, False, False, True, True]
    trainer.updater.iteration, trainer.elapsed_time = 3, 10 ** 9
    assert not extensions.TimeLimit(10, 'epoch').is_over(trainer)
