"""Every sample of every recording is a target once, with its true context."""
import numpy as np
import pytest
from chainer.backends import cuda

from wavenet.data.batches import batches
from wavenet.data.load_sound import load_windows
from wavenet.data.recordings import join
from wavenet.data.windows import SoundDataset

LENGTHS = 1, 9, 10, 11, 95, 3


def dataset_of(context, window=10, classes=None):
    random = np.random.RandomState(0)
    sounds = [random.randint(256, size=length).astype('u1') for length in LENGTHS]
    recordings = join(sounds, [f'{n}.wav' for n in range(len(LENGTHS))], 8000, classes)
    return SoundDataset(recordings, 256, context, window=window)


@pytest.mark.parametrize('context', [2, 7, 23, 500])
def test_each_sample_is_a_target_once_with_its_context(context):
    dataset = dataset_of(context)
    found = [[] for _ in LENGTHS]
    for number in range(len(dataset)):
        x, targets, _ = dataset[number]
        recording = dataset.of_recording[number]
        sound = dataset.recordings[recording]
        begin = len(found[recording])
        found[recording] += targets.tolist()
        assert 1 <= len(targets) <= 10 and len(targets) == dataset.lengths[number]
        # The samples before the targets, as many as there are
        assert (x == sound[max(0, begin - context):begin + len(targets)]).all()
    for sound, of_windows in zip(dataset.recordings, found):
        assert of_windows == sound.tolist()
    assert dataset.shape == (1, max(len(dataset[n].x) for n in range(len(dataset))))
    assert dataset.weigh(range(len(dataset))) == sum(LENGTHS)


def test_segments_of_a_recording_have_nearly_the_same_length():
    dataset = dataset_of(5)
    for recording, length in enumerate(LENGTHS):
        lengths = dataset.lengths[dataset.of_recording == recording]
        assert len(lengths) == -(-length // 10) and np.ptp(lengths) <= 1


def test_a_batch_is_filled_up_with_no_samples(device):
    dataset = dataset_of(7)
    dataset.to_device(device)
    numbers = np.random.RandomState(1).permutation(len(dataset))[:9]
    x, targets, class_ids = dataset.batch(numbers + 3 * len(dataset))           # of epoch 3
    assert x.dtype == targets.dtype == class_ids.dtype == np.int32
    x, targets, class_ids = map(cuda.to_cpu, (x, targets, class_ids))
    context = x.shape[1] - targets.shape[1]
    assert (x[:, context:] == targets).all() and class_ids.tolist() == [0] * 9
    for number, row, of_row in zip(numbers, x, targets):
        alone_x, alone_targets, _ = map(cuda.to_cpu, dataset[number])
        length, before = len(alone_targets), len(alone_x) - len(alone_targets)
        assert (of_row[:length] == alone_targets).all() and (of_row[length:] == -1).all()
        assert (row[context - before:context] == alone_x[:before]).all()
        assert (row[:context - before] == -1).all()


def test_classes():
    dataset = dataset_of(5, classes=([1, 0, 2, 1, 0, 2], ['a', 'b', 'c']))
    assert (dataset.num_classes, dataset.class_names) == (3, ('a', 'b', 'c'))
    class_ids = dataset.batch(range(len(dataset))).class_ids
    assert (class_ids == np.array([1, 0, 2, 1, 0, 2])[dataset.of_recording]).all()
    dataset.forget_classes()
    assert (dataset.num_classes, dataset.class_names) == (1, None)
    assert (dataset.batch(range(len(dataset))).class_ids == 0).all()
    assert dataset_of(5).class_names is None and dataset_of(5).num_classes == 1


@pytest.mark.parametrize('number', [-100, 100])
def test_a_window_that_is_not_there(number):
    with pytest.raises(IndexError, match=f'window {number} of'):
        dataset_of(5)[number]


def test_an_epoch_has_all_windows_and_batches_of_like_sizes():
    dataset = dataset_of(5, window=4)
    count = len(dataset)
    iterator = batches(dataset, 4, shuffle_seed=0)
    numbers = np.array([next(iterator) for _ in range(3 * count)]).ravel()[:3 * count]
    epochs = numbers.reshape(3, count)
    for epoch, order in enumerate(epochs, start=1):
        assert (np.sort(order) == epoch * count + np.arange(count)).all()
    assert not (epochs[0] % count == epochs[1] % count).all()
    sizes = dataset.sizes[epochs[0] % count]
    assert np.abs(np.diff(sizes)).sum() < np.abs(np.diff(np.sort(sizes)[::-1])).sum() * 3


def test_the_recordings_of_the_package():
    train, test = load_windows('speech', 5117)
    assert (len(train.recordings), len(test.recordings)) == (4, 1)
    assert train.weigh(range(len(train))) == train.recordings.lengths.sum() == 171520
    assert train.shape[1] <= 5117 + 5120 and train.origin.split is None
    assert train.origin.checksum == load_windows('speech', 1)[0].origin.checksum
    assert train.origin.checksum != load_windows('speech', 1, rate=4000)[0].origin.checksum


def test_recordings_are_set_aside():
    train, validation = load_windows('speech', 3, validation=1, test_limit=1)
    assert (len(train.recordings), len(validation.recordings)) == (3, 1)
    assert {*train.recordings.names} | {*validation.recordings.names} == {
        *load_windows('speech', 3)[0].recordings.names}
    with pytest.raises(ValueError, match='--validation 4: there are only 4 recordings to train'):
        load_windows('speech', 3, validation=4)
