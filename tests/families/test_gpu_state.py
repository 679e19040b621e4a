"""Generation on a GPU, counted: what it launches and copies, and how often the host waits."""
import collections

import pytest

COUNT = '''
import sys
import wavenet
from wavenet import sampling
from wavenet.families import registry
from wavenet.families.gated.model import GatedConfig
from wavenet.models import PixelCNNConfig

batch, height = map(int, sys.argv[2:])
config = {'pixelcnn': PixelCNNConfig(3, 6, 15, 6, 4), 'gated': GatedConfig(3, 6, 15, 6, 4, 10)}
model = registry.get(sys.argv[1]).build(config[sys.argv[1]])
model.to_device('@cupy:0')
sampling.generate(model, (batch, 3, height, 4), seed=0)
'''


@pytest.fixture
def operations(process, tmp_path):
    """Counts operations on the device, by kind; where CUDA is a stand-in with a trace."""
    (tmp_path / 'generate_rows.py').write_text(COUNT)

    def count(family, batch, height):
        trace = tmp_path / f'trace-{family}-{batch}-{height}'
        result = process(str(tmp_path / 'generate_rows.py'), family, batch, height,
                         FAKECUDA_TRACE=str(trace), FAKECUDA_THREADS='draw_row:64')
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
