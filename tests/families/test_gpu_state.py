"""Generation on a GPU, counted: what it launches and copies, and how often the host waits."""
import collections

import pytest

COUNT = '''
import sys
import wavenet
from wavenet import sampling
from wavenet.families import registry
from wavenet.families.gated.model import GatedConfig
from wavenet.families.wavenet.model import WaveNetConfig
from wavenet.models import PixelCNNConfig

batch, size = map(int, sys.argv[2:4])
config = {'pixelcnn': PixelCNNConfig(3, 6, 15, 6, 4), 'gated': GatedConfig(3, 6, 15, 6, 4, 10),
          'wavenet': WaveNetConfig(4, 3, 3, 2, 3, 2, 2, 'paper')}
model = registry.get(sys.argv[1]).build(config[sys.argv[1]])
model.to_device('@cupy:0')
shape = (batch, size) if sys.argv[1] == 'wavenet' else (batch, 3, size, 4)
sampling.generate(model, shape, seed=0, method=sys.argv[4],
                  progress=lambda done: None)
'''


@pytest.fixture
def operations(process, tmp_path):
    """Counts operations on the device, by kind; where CUDA is a stand-in with a trace."""
    (tmp_path / 'generate_rows.py').write_text(COUNT)

    def count(family, batch, size, method='cached'):
        trace = tmp_path / f'trace-{family}-{batch}-{size}'
        result = process(str(tmp_path / 'generate_rows.py'), family, batch, size, method,
                         FAKECUDA_TRACE=str(trace), FAKECUDA_THREADS='draw_row:64,draw_samples:32')
        assert result.returncode == 0, result.stderr
        if not trace.exists():
            pytest.skip('this CUDA writes no trace')
        lines = [line.split() for line in trace.read_text().splitlines()]
        # From the first use of a parameter on: before, the model is copied to the device
        start = next(n for n, line in enumerate(lines) if 'isfinite' in ' '.join(line))
        return collections.Counter(' '.join(line[:1]) for line in lines[start:])
    return count


@pytest.mark.gpu
@pytest.mark.parametrize('family', ['pixelcnn', 'gated'])
def test_a_row_is_few_launches_whatever_the_batch(operations, family):
    one, four, large = operations(family, 2, 1), operations(family, 2, 4), operations(family, 5, 4)
    for kind in 'launch', 'h2d', 'd2h', 'd2d', 'memset':
        assert large[kind] == four[kind]
    assert 0 < four['launch'] - one['launch'] <= 3 * 10
    assert four['h2d'] == one['h2d'] <= 50
    # The host waits once for each row, so that the progress shown is true
    assert four['sync'] - one['sync'] == 3 and one['sync'] - 1 <= 5


@pytest.mark.gpu
def test_the_plain_loop_waits_for_each_pixel(operations):
    one, two = [operations('pixelcnn', 1, rows, 'naive') for rows in (1, 2)]
    assert two['sync'] == one['sync'] + 4                     # rows of four pixels


@pytest.mark.gpu
def test_a_launch_draws_a_tenth_of_a_second_of_sound(operations):
    one, more, large = [operations('wavenet', *sizes) for sizes in ((1, 1), (1, 801), (2, 801))]
    assert more['launch'] == large['launch'] == one['launch'] + 1
    assert more['h2d'] == one['h2d'] <= 50 and more['sync'] == one['sync'] + 1
