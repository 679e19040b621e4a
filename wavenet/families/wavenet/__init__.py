"""WaveNet as a family: its form `paper` with the faults of the author's code mended, and its form
`author` as his (github.com/rampage644/wavenet at commit 917345c).

His faults, found by running his code, and where they are mended; docs/wavenet.md lists their tests:

- An output depends on 2 + (k - 1) S (2^L - 1) samples, for S stacks of L layers of kernel width k.
  He computes S · 2^L. `model.WaveNetConfig.receptive_field`.
- His crop is right for kernel width 2 only; with 3 his model raises. `functions/causal_layers.py`.
- His chunks of S · 2^L + 1600 samples do not overlap, and the first S · 2^L targets of each are
  ignored: of 5 stacks of 10 layers, 24 % of the sound is trained on. Remainders and recordings that
  are shorter than a chunk are dropped. `data/windows.py`: every sample is a target once an epoch.
- So the start from silence is never trained, and his generation, of 4,096 samples by default, never
  leaves it. `data/windows.py` and `model.zero_before`: a recording begins as generation begins.
- His bits/dim are nats. `loss.SoundClassifier`.
- Resampling makes values beyond [-1, 1], and of them the level -1. `data/sound.levels_of_sound`.
- Sound of 8 bits has level 143 for silence, floating WAV collapses to few levels, stereo breaks.
  `data/sound_files.py`.
- The order of files is the file system's, and a file that cannot be read silently ends a worker,
  whose output is then empty. `data/sound_files.read_sound_folder`.
- An input sample is a one-hot vector, 1 kB. `model.FirstConvolution` looks its columns up.
- His --levels does not reach the data, which always have 256, and his --label reaches a model that
  ignores it. Here the levels are those of the data set, and each gate has a bias for each class
  (the paper, section 2.5).
"""
import numpy as np

from wavenet.families.family import Family, Recipe, build_with
from wavenet.families.wavenet.config import OPTIONS, configure
from wavenet.families.wavenet.loss import SoundClassifier
from wavenet.families.wavenet.model import WaveNet, WaveNetConfig, recognize, shapes
from wavenet.families.wavenet.state import PlainSoundState, QueueState
from wavenet.families.wavenet.state_gpu import KernelState


def cache(model, samples, class_ids, cores):
    """Fast generation: on a GPU many samples in a launch, on a CPU many in a call of the compiled
    loop if numba is there, and otherwise sample by sample."""
    if model.xp is not np:
        return KernelState(model, samples, class_ids)
    if model.conv1.W.dtype == np.float32:
        try:
            from wavenet.families.wavenet.state_compiled import CompiledState
            return CompiledState(model, samples, class_ids)
        except ImportError:      # no numba, or one for another NumPy
            pass
    return QueueState(model, samples, class_ids, cores)


WAVENET = Family(
    name='wavenet', title='WaveNet', config=WaveNetConfig, configure=configure,
    build=build_with(WaveNet), shapes=shapes, options=OPTIONS,
    recipe=Recipe(clip=1.0, weight_decay=0.0001, reduce='mean', levels=256),
    held_maps=0.8, data='sound', loss=SoundClassifier, cache=cache, plain=PlainSoundState,
    recognize=recognize,
    small='--stacks_num 2 --layers_num 8 --batchsize 4 --learning_rate 0.006 --epoch 100')
