from types import SimpleNamespace

import chainer

from wavenet.training.triggers import Due, TimeLimit


def make_trainer():
    return SimpleNamespace(updater=chainer.training.Updater())


def test_the_time_is_over_for_all_or_for_none():
    trainer = make_trainer()
    limit = TimeLimit(10, 'epoch', minutes=1)
    answers = []
    for trainer.updater.iteration, seconds in ((1, 59), (1, 61), (1, 62), (2, 63), (2, 0)):
        trainer.elapsed_time = seconds
        answers.append(limit.is_over(trainer))
    assert answers == [False, False, False, True, True]
    trainer.updater.iteration, trainer.elapsed_time = 3, 10 ** 9
    assert not TimeLimit(10, 'epoch').is_over(trainer)


def test_what_is_due():
    trainer = make_trainer()
    trainer.elapsed_time = 0
    limit = TimeLimit(10, 'epoch', minutes=1)

    def due(**options):
        """The iterations from 1 to 10 after which it is due; epochs end within 4 and 8."""
        is_due, iterations = Due(limit, **options), []
        for iteration in range(1, 11):
            trainer.updater.iteration = iteration
            trainer.updater.is_new_epoch = iteration in (4, 8)
            if is_due(trainer):
                iterations.append(iteration)
        return iterations

    assert due() == [4, 8]
    assert due(last=10) == [4, 8, 10]
    assert due(interval=3) == [3, 4, 6, 8, 9]
    trainer.elapsed_time = 61
    trainer.updater.iteration = 11  # the answers for iterations 1 to 10 are settled
    assert Due(limit)(trainer)
