"""WaveNet on windows: the outputs of the last samples, and recordings that begin within a window.
"""
import numpy as np
import pytest
from chainer.backends import cuda

from families.wavenet.test_model import FORMS, random_wavenet

SIZE = 60         # samples of a recording, more than the receptive field


def double_wavenet(form, num_classes, kernel_width):
    model = random_wavenet(form, num_classes, kernel_width=kernel_width)
    for param in model.params():
        param.array = param.array.astype('d')
    return model


@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_the_last_outputs_are_those_of_all_samples(form, num_classes, kernel_width):
    model = double_wavenet(form, num_classes, kernel_width)
    targets = np.random.RandomState(1).randint(5, size=(3, SIZE)).astype('i')
    classes = np.arange(3, dtype='i')
    everything = model(targets, classes).array
    for length in 1, 10, SIZE - 1, SIZE:
        last = model(targets, classes, length).array
        np.testing.assert_allclose(last, everything[..., SIZE - length:], rtol=0, atol=1e-12)
        # and need no more than their receptive field
        size = min(SIZE, length + model.config.receptive_field)
        last = model(targets[:, SIZE - size:], classes, length).array
        np.testing.assert_allclose(last, everything[..., SIZE - length:], rtol=0, atol=1e-12)


@pytest.mark.parametrize('kernel_width', [2, 3])
@pytest.mark.parametrize('form, num_classes', FORMS)
def test_a_recording_that_begins_within_a_window_is_as_one_at_its_beginning(
        form, num_classes, kernel_width, device):
    model = double_wavenet(form, num_classes, kernel_width)
    model.to_device(device)
    random = np.random.RandomState(2)
    targets = random.randint(5, size=(3, SIZE)).astype('i')
    begins = [0, 7, 40]
    for row, begin in zip(targets, begins):
        row[:begin] = -1
    classes = np.arange(3, dtype='i')
    together = cuda.to_cpu(model(device.send(targets), device.send(classes)).array)
    for row, begin in enumerate(begins):
        alone = model(device.send(targets[row:row + 1, begin:]), device.send(classes[row:row + 1]))
        np.testing.assert_allclose(together[row, :, begin:], cuda.to_cpu(alone.array)[0], rtol=0,
                                   atol=1e-12)
