"""The stages of the post, in its order, as options of train.py. Change them, or add your own.

`python -m wavenet.results` runs them.
"""
from typing import NamedTuple, Optional

IMAGES = 'IMAGES'  # stands for the path of `--images`


class Stage(NamedTuple):
    """A model of the post, or one of its failures."""
    shows: str      # what it is, and what the post says about it
    options: str    # of train.py
    on_cpu: str     # more of them: size and length without a GPU
    on_gpu: str     # the same with a GPU
    mistake: Optional[str] = None  # one of `wavenet.results.mistakes.MISTAKES`


# Without a GPU: what one core trains in a few minutes. 1000 test images give the likelihood with an
# error of one percent.
SMALL = ('--hidden_dim 16 --blocks_num 6 --learning_rate 0.003 --average 0.995 --interval 200 '
         '--test_limit 1000 ')
GRAY = SMALL + '--iteration 1600'
RGB = SMALL + '--iteration 1200'
RGB256 = SMALL + '--iteration 1000 --batchsize 8'

# With a GPU: the sizes of the post, which are the defaults of train.py. The post says about the
# length "I usually stopped training within 10 epochs"; the author's README has those of the RGB
# images.
STAGES = {
    'binarized-sigmoid': Stage(
        'Binarized MNIST, one logit per value: "First result is binarized mnist"',
        '--dataset mnist --channels 1 --binarize --loss sigmoid', GRAY, '--epoch 10'),
    'binarized-softmax': Stage(
        'The same with softmax: "I replaced sigmoid with 2-way softmax cross entropy loss"',
        '--dataset mnist --channels 1 --binarize', GRAY, '--epoch 10'),
    'levels4': Stage(
        '"My next step was to increase number of categories from 2 (0/1) to 4"',
        '--dataset mnist --channels 1 --levels 4', GRAY, '--epoch 10'),
    'levels8-gray': Stage(
        '"8-way softmax image (note that image is grayscale now)"',
        '--dataset mnist --channels 1 --levels 8', GRAY, '--epoch 10'),
    'levels8-rgb': Stage(
        '8-way RGB with colour masks, which "took a very long time"',
        '--dataset mnist --levels 8', RGB, '--epoch 25'),
    'levels256-rgb': Stage(
        '256 levels, RGB: "Once masks were correct (I hope) results improved dramatically"',
        '--dataset mnist --levels 256', RGB256, '--epoch 25'),
    'cifar10': Stage(
        'CIFAR-10, 256 levels: "results for training for 1 hour with NVIDIA GTX Titan X Pascal"',
        '--dataset cifar10 --levels 256', RGB256, '--epoch 100 --minutes 60'),
    'own-images': Stage(
        'Your own images, 256 levels (not in the post)',
        f'--dataset {IMAGES} --levels 256', RGB256, '--epoch 20'),

    # The failures
    'no-colour-masks': Stage(
        'Masks without colours, as in the author\'s "8-way RGB configuration (one can notice some '
        'colors due to not perfect model)"',
        '--dataset mnist --levels 8', RGB, '--epoch 25', 'no-colour-masks'),
    'wrong-colour-masks': Stage(
        'Colour masks, and an output that confuses the colours: "i was getting results like that"',
        '--dataset mnist --levels 8', RGB, '--epoch 25', 'wrong-colour-masks'),
    'relu-after': Stage(
        'ReLU after the convolutions: "I\'m not thinking there is big difference between two"',
        '--dataset mnist --channels 1 --levels 8', GRAY, '--epoch 10', 'relu-after'),
    'levels2': Stage(
        'Inputs of 2 levels, to compare with real-inputs',
        '--dataset mnist --channels 1 --levels 2', GRAY, '--epoch 10'),
    'real-inputs': Stage(
        'Real inputs, 2 levels to predict: "model didn\'t work for me until i switched to '
        'binarized MNIST"',
        '--dataset mnist --channels 1 --levels 2', GRAY, '--epoch 10', 'real-inputs'),
    'real-inputs8': Stage(
        'Real inputs, 8 levels to predict; compare with levels8-gray',
        '--dataset mnist --channels 1 --levels 8', GRAY, '--epoch 10', 'real-inputs'),
}
