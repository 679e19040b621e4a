"""What gpu_report.py measures on the GPU. Each part runs in a process of its own.

    python tests/benchmarks/gpu_parts.py PART [--tf32] [--tiny]

A part prints each result as one line: the word RESULT and a JSON object. A result with the key
`failed` names what could not be measured; the traceback goes to standard error.
"""
import argparse
import collections
import gc
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

# The parts take these names, and no others, from `wavenet` and from the PyTorch models
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: F401  before Chainer, which it makes importable
from wavenet.families.gated.model import GatedPixelCNN
from wavenet.models import Classifier, PixelCNN
from wavenet.sampling import generate
from bench_training import LEVELS, torch_gated, torch_pixelcnn

import chainer
import numpy as np
from chainer.backends import cuda

PREDICTORS = {'pixelcnn': PixelCNN, 'gated': GatedPixelCNN}
TORCH_MODELS = {'pixelcnn': torch_pixelcnn, 'gated': torch_gated}
CHANNELS = 3
OUT_HIDDEN_DIMS = 16
NUM_CLASSES = 10


@dataclass(frozen=True)
class Sizes:
    """What is measured, and how often. Models are (kind, feature maps, blocks)."""
    trained: tuple = (('pixelcnn', 128, 5), ('pixelcnn', 256, 15),
                      ('gated', 64, 5), ('gated', 128, 15))
    generated: tuple = (('pixelcnn', 256, 15), ('gated', 128, 15))
    batch: int = 16
    side: int = 28             # of the square images
    counts: tuple = (16, 100)  # images that are generated at once
    steps: int = 10            # of one model before the next takes its turn
    rounds: int = 4
    repeats: int = 3           # of a generation


TINY = Sizes(trained=(('pixelcnn', 6, 1), ('gated', 3, 1)),
             generated=(('pixelcnn', 6, 1), ('gated', 3, 1)),
             batch=2, side=4, counts=(1, 2), steps=2, rounds=1, repeats=1)


def emit(**result):
    print('RESULT', json.dumps(result), flush=True)


def attempt(what, measure, *args):
    """Returns `measure(*args)`; where it fails, None, after a result that says so."""
    try:
        return measure(*args)
    except Exception as error:
        traceback.print_exc()
        reason = str(error).strip().split('\n')[0]
        emit(failed=what, why=f'{type(error).__name__}: {reason}'[:300])
        return None


def words(about):
    return ', '.join(f'{name} {value}' for name, value in about.items())


def describe(sizes, tf32):
    """The part `device`: the GPU, the processor and the software."""
    runtime = cuda.cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    packages = {'NumPy': np.__version__, 'Chainer': chainer.__version__,
                'CuPy': cuda.cupy.__version__}
    if has_torch():
        import torch
        packages['PyTorch'] = torch.__version__
    emit(gpu=properties['name'].decode(), memory=properties['totalGlobalMem'],
         driver=driver_version(), cuda=runtime.runtimeGetVersion(), processor=processor_name(),
         cores=os.cpu_count(), python=platform.python_version(), packages=packages)


def driver_version():
    try:
        return subprocess.check_output(
            ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader'],
            text=True).split()[0]
    except (OSError, IndexError, subprocess.CalledProcessError):
        return 'unknown'


def processor_name():
    with open('/proc/cpuinfo') as file:
        return next((line.split(':')[1].strip() for line in file
                     if line.startswith('model name')), 'unknown processor')


def has_torch():
    """Whether PyTorch is installed and finds the GPU"""
    if importlib.util.find_spec('torch') is None:
        return False
    import torch
    return torch.cuda.is_available()


class Ours:
    """Our model and its training step."""
    name = 'ours'

    def __init__(self, kind, maps, blocks, batch, tf32):
        np.random.seed(0)
        device = chainer.get_device('@cupy:0')
        self.model = Classifier(PREDICTORS[kind](CHANNELS, maps, blocks, OUT_HIDDEN_DIMS, LEVELS))
        self.model.to_device(device)
        self.optimizer = chainer.optimizers.Adam().setup(self.model)
        self.batch = [device.send(array) for array in batch]

    def step(self):
        self.optimizer.update(self.model, *self.batch)

    @staticmethod
    def event():
        event = cuda.cupy.cuda.Event()
        event.record()
        return event

    @staticmethod
    def milliseconds(start, stop):
        return cuda.cupy.cuda.get_elapsed_time(start, stop)

    @staticmethod
    def wait():
        cuda.cupy.cuda.get_current_stream().synchronize()

    @staticmethod
    def forget():
        """Returns unused memory to the device."""
        gc.collect()
        cuda.memory_pool.free_all_blocks()

    @staticmethod
    def reserved_bytes():
        return cuda.memory_pool.total_bytes()


class Eager:
    """The same model in PyTorch."""
    name = 'eager'
    compiled = False

    def __init__(self, kind, maps, blocks, batch, tf32):
        import torch
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        model, forward = TORCH_MODELS[kind](maps, blocks)
        model.to('cuda')
        self.optimizer = torch.optim.Adam(model.parameters())
        x, targets, class_ids = [torch.from_numpy(array).to('cuda') for array in batch]
        self.batch = x, targets.long(), class_ids.long()

        def loss(x, targets, class_ids):
            logits = forward(x, class_ids).reshape(len(x), LEVELS, CHANNELS, *x.shape[2:])
            return torch.nn.functional.cross_entropy(logits, targets, reduction='sum') / len(x)
        self.loss = torch.compile(loss) if self.compiled else loss

    def step(self):
        self.optimizer.zero_grad()
        self.loss(*self.batch).backward()
        self.optimizer.step()

    @staticmethod
    def event():
        import torch
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    @staticmethod
    def milliseconds(start, stop):
        return start.elapsed_time(stop)

    @staticmethod
    def wait():
        import torch
        torch.cuda.synchronize()

    @staticmethod
    def forget():
        import torch
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    @staticmethod
    def reserved_bytes():
        import torch
        return torch.cuda.max_memory_reserved()


class Compiled(Eager):
    """The same, with forward pass, loss and backward pass compiled by torch.compile."""
    name = 'compiled'
    compiled = True


def make_batch(sizes):
    """x float32 (B, C, H, W), targets int32 of the same shape, class_ids int32 (B,)"""
    shape = sizes.batch, CHANNELS, sizes.side, sizes.side
    targets = np.random.RandomState(0).randint(0, LEVELS, shape).astype('i')
    class_ids = np.arange(sizes.batch).astype('i') % NUM_CLASSES
    return targets.astype('f') / (LEVELS - 1), targets, class_ids


def measure_eager(sizes, tf32):
    """The part `steps`: a training step of ours and of PyTorch, which take turns."""
    measure_steps(sizes, tf32, [Ours] + [Eager] * has_torch())


def measure_compiled(sizes, tf32):
    """The part `compiled`: a training step by torch.compile."""
    if has_torch():
        measure_steps(sizes, tf32, [Compiled])
    else:
        emit(failed='torch.compile', why='PyTorch is not installed or finds no GPU')


def measure_steps(sizes, tf32, peers):
    for kind, maps, blocks in sizes.trained:
        about = {'kind': kind, 'maps': maps, 'blocks': blocks, 'tf32': tf32}
        attempt(f'step, {words(about)}', compare_steps, peers, about, sizes)


def compare_steps(peers, about, sizes):
    """Times the steps of one model; those of the peers that run."""
    started = [attempt(f'{peer.name}, {words(about)}', start, peer, about, sizes) for peer in peers]
    models = [model for model in started if model]
    times = {model.name: [] for model in models}
    for _ in range(sizes.rounds):
        for model in models:
            times[model.name] += step_times(model, sizes.steps)
    for model in models:
        low, median, high = np.percentile(times[model.name], [10, 50, 90])
        emit(step=model.name, **about, ms=median, low_ms=low, high_ms=high,
             host_ms=host_time(model, sizes.steps), reserved=model.reserved_bytes())


def start(peer, about, sizes):
    """A model after three steps, which compile its kernels"""
    peer.forget()
    model = peer(about['kind'], about['maps'], about['blocks'], make_batch(sizes), about['tf32'])
    for _ in range(3):
        model.step()
    model.wait()
    return model


def step_times(model, steps):
    """Milliseconds between the ends of consecutive steps on the device; the host does not wait."""
    events = [model.event()]
    for _ in range(steps):
        model.step()
        events.append(model.event())
    model.wait()
    return [model.milliseconds(*pair) for pair in zip(events, events[1:])]


def host_time(model, steps):
    """Milliseconds that Python takes to issue a step to an idle device, the median"""
    times = []
    for _ in range(steps):
        model.wait()
        began = time.perf_counter()
        model.step()
        times.append(time.perf_counter() - began)
    model.wait()
    return 1000 * np.median(times)


def count_operations(sizes, tf32):
    """The part `operations`: what the device does in a step, counted by PyTorch's profiler.

    The profiler sees the operations of every library in the process.
    """
    if not has_torch():
        emit(failed='operations of a step',
             why='PyTorch, whose profiler counts them, is not installed or finds no GPU')
        return
    for kind, maps, blocks in sizes.trained:
        about = {'kind': kind, 'maps': maps, 'blocks': blocks, 'tf32': tf32}
        for peer in (Ours, Eager):
            attempt(f'operations of {peer.name}, {words(about)}', profile, peer, about, sizes)


def profile(peer, about, sizes):
    """Counts the operations of one step, and their total time; prints those that take longest."""
    import torch
    model = start(peer, about, sizes)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    for _ in range(2):  # the first one contains the profiler's own start
        with torch.profiler.profile(activities=activities) as profiler:
            model.step()
            model.wait()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'trace.json')
        profiler.export_chrome_trace(path)
        with open(path) as file:
            events = [event for event in json.load(file)['traceEvents']
                      if event.get('cat') in ('kernel', 'gpu_memcpy', 'gpu_memset')]
    counts = collections.Counter(event['cat'] for event in events)
    if not counts['kernel']:
        raise RuntimeError('the profiler saw no kernel')
    durations = collections.defaultdict(list)
    for event in events:
        durations[event['name']].append(event['dur'])
    for name, times in sorted(durations.items(), key=lambda item: -sum(item[1]))[:20]:
        print(f'{sum(times) / 1000:9.3f} ms {len(times):5d} × {name[:110]}')
    emit(operations=peer.name, **about, kernels=counts['kernel'],
         copies=counts['gpu_memcpy'] + counts['gpu_memset'],
         busy_ms=sum(event['dur'] for event in events) / 1000)


def measure_generation(sizes, tf32):
    """The part `generation`: cached, and the last row of the images by the plain loop."""
    for kind, maps, blocks in sizes.generated:
        np.random.seed(0)
        model = PREDICTORS[kind](CHANNELS, maps, blocks, OUT_HIDDEN_DIMS, LEVELS)
        model.to_device(chainer.get_device('@cupy:0'))
        for count in sizes.counts:
            about = {'kind': kind, 'maps': maps, 'blocks': blocks, 'count': count}
            attempt(f'generation, {words(about)}', measure_images, model, about, sizes)


def measure_images(model, about, sizes):
    shape = about['count'], CHANNELS, sizes.side, sizes.side
    for method in ('cached', 'naive'):
        generate(model, (about['count'], CHANNELS, 2, 2), seed=0, method=method)  # compiles kernels
    Ours.forget()
    before = Ours.reserved_bytes()
    measured = [timed(lambda: generate(model, shape, seed=0)) for _ in range(sizes.repeats)]
    images = measured[-1][0]
    emit(generation='cached', **about, seconds=np.median([seconds for _, seconds in measured]),
         reserved=Ours.reserved_bytes() - before)
    plain, seconds = timed(lambda: generate(
        model, shape, seed=0, method='naive', given=(images, sizes.side - 1)))
    emit(generation='plain', **about, seconds=seconds * sizes.side,
         different=int((plain != images).sum()), values=images[:, :, -1].size)


def timed(work):
    """(what `work` returns, on the CPU; its seconds)"""
    Ours.wait()
    began = time.perf_counter()
    result = cuda.to_cpu(work())
    return result, time.perf_counter() - began


PARTS = {'device': describe, 'steps': measure_eager, 'compiled': measure_compiled,
         'operations': count_operations, 'generation': measure_generation}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('part', choices=sorted(PARTS))
    parser.add_argument('--tf32', action='store_true', help='multiply in TensorFloat-32')
    parser.add_argument('--tiny', action='store_true', help='use tiny models and images')
    args = parser.parse_args()
    if args.tf32:
        os.environ['CUPY_TF32'] = '1'  # CuPy reads it at the first product
    try:
        chainer.get_device('@cupy:0').use()
    except Exception as error:  # CuPy's own errors cannot be named without CuPy
        sys.exit(f'no NVIDIA GPU with CuPy here: {" ".join(str(error).split())}')
    PARTS[args.part](TINY if args.tiny else Sizes(), args.tf32)


if __name__ == '__main__':
    main()
