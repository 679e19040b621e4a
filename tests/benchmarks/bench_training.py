"""What a training step costs: forward, backward and Adam, beside Chainer's own convolution and PyTorch.

    python tests/benchmarks/bench_training.py [--gpu 0] [--repeats 5]

All compute the same: the post's model, batch 16 of 28×28 RGB, 8 levels, softmax cross entropy in
nats per image, Adam. Their steps take turns in one run; the table has medians, and medians of the
ratios of neighbours. PyTorch is left out where it is not installed.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
import wavenet  # noqa: E402, F401
import chainer  # noqa: E402
import chainer.functions as F  # noqa: E402
import numpy as np  # noqa: E402

from wavenet import cli, models  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

SIZES = ((128, 5), (256, 15))  # (feature maps, blocks)
LEVELS = 8


def chainers_convolution(x, W, b, mask, pad, relu):
    return F.convolution_2d(F.relu(x) if relu else x, W * mask, b, pad=pad)


def chainer_step(device, hidden_dims, block_num, x, t, convolution):
    model = models.Classifier(models.PixelCNN(3, hidden_dims, block_num, 16, LEVELS))
    model.to_device(device)
    optimizer = chainer.optimizers.Adam().setup(model)
    x, t = device.send(x), device.send(t)

    def step():
        models.masked_convolution_2d = convolution
        optimizer.update(model, x, t)
        if device.xp is not np:
            device.xp.cuda.Stream.null.synchronize()
    return step


def torch_step(gpu, hidden_dims, block_num, x, t):
    place = torch.device('cuda', gpu) if gpu is not None else torch.device('cpu')

    class Masked(torch.nn.Conv2d):
        def __init__(self, in_channels, out_channels, ksize, mask='B'):
            super().__init__(in_channels, out_channels, ksize, padding=ksize // 2)
            self.register_buffer('mask', torch.from_numpy(
                models.make_mask(tuple(self.weight.shape), mask, 3)))

        def forward(self, x):
            return torch.nn.functional.conv2d(x, self.weight * self.mask, self.bias,
                                              padding=self.padding)

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            half = hidden_dims // 2
            self.convolutions = torch.nn.ModuleList([
                Masked(hidden_dims, half, 1), Masked(half, half, 3), Masked(half, hidden_dims, 1)])

        def forward(self, x):
            h = x
            for convolution in self.convolutions:
                h = convolution(torch.relu(h))
            return x + h

    model = torch.nn.Sequential(
        Masked(3, hidden_dims, 7, 'A'), *[Block() for _ in range(block_num)],
        torch.nn.ReLU(), Masked(hidden_dims, 16, 1), torch.nn.ReLU(), Masked(16, 3 * LEVELS, 1))
    model.to(place)
    optimizer = torch.optim.Adam(model.parameters())
    x, t = torch.from_numpy(x).to(place), torch.from_numpy(t).long().to(place)

    def step():
        optimizer.zero_grad()
        logits = model(x).reshape(len(x), LEVELS, 3, *x.shape[2:])
        loss = torch.nn.functional.cross_entropy(logits, t, reduction='sum') / len(x)
        loss.backward()
        optimizer.step()
        if gpu is not None:
            torch.cuda.synchronize()
    return step


def main():
    parser = cli.ArgumentParser(description=__doc__.split('\n')[0])
    cli.add_device_options(parser)
    parser.add_argument('--repeats', type=cli.whole_number(1), default=5, metavar='N')
    args = parser.parse_args()
    with parser.reporting():
        device = cli.use_device(args)
    gpu = args.gpu if args.gpu >= 0 else None
    ours = models.masked_convolution_2d
    t = np.random.RandomState(0).randint(0, LEVELS, (16, 3, 28, 28)).astype('i')
    x = t.astype('f') / (LEVELS - 1)

    print('| one step of | ours | Chainer\'s convolution | PyTorch | ours / Chainer | ours / PyTorch |')
    print('| --- ' * 6 + '|')
    for hidden_dims, block_num in SIZES:
        steps = [chainer_step(device, hidden_dims, block_num, x, t, ours),
                 chainer_step(device, hidden_dims, block_num, x, t, chainers_convolution)]
        if torch:
            steps.append(torch_step(gpu, hidden_dims, block_num, x, t))
        for step in steps:
            step()
        times = np.zeros((args.repeats, 3))
        for repeat in times:
            for n, step in enumerate(steps):
                start = time.perf_counter()
                step()
                repeat[n] = time.perf_counter() - start
        own, chainers, torchs = np.median(times, axis=0)
        print('| {} maps, {} blocks | {:.3f} s | {:.3f} s | {} | {:.2f} | {} |'.format(
            hidden_dims, block_num, own, chainers, '{:.3f} s'.format(torchs) if torch else '—',
            np.median(times[:, 0] / times[:, 1]),
            '{:.2f}'.format(np.median(times[:, 0] / times[:, 2])) if torch else '—'), flush=True)


if __name__ == '__main__':
    main()
