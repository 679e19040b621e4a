"""Where the author's code is known to do otherwise: found in the checkout, not assumed."""
import ast
import collections
import math
import os

import numpy as np

from wavenet import models
from wavenet.families.gated import model as gated
from wavenet.compare import kinds, tasks

Known = collections.namedtuple('Known', [
    'title',
    'theirs',  # what his code does, as it was found
    'here',    # what this project does, and why
])


def find(folder, about, theirs, config, arrays):
    """The differences that the checkout shows.

    Args:
        folder: the checkout.
        about: what author.py's 'describe' found.
        theirs: results of the author's side for the task 'numbers'.
        config: of the comparison.
        arrays: that both sides were given.
    """
    found = []
    if about['cpu_error']:
        found.append(Known(
            'Generation runs on a GPU only',
            "Called without one, infer.py's generate_and_save_samples ends with {}.".format(
                about['cpu_error']),
            'It runs on any device. For this comparison his loop ran on the CPU: chainer.cuda and '
            'softmax had stand-ins in that module, in its process.'))
    found += _bits_per_dimension(theirs, config) + _gated(theirs, config, arrays)
    for name in ('train.py', 'infer.py'):
        try:
            with open(os.path.join(folder, name), encoding='utf-8') as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError):
            continue
        found += _options(name, tree)
        if name == 'train.py':
            found += _levels_on_a_gpu_only(tree)
    return found


def _bits_per_dimension(theirs, config):
    """In the newest commit the loss is a mean over values already, and divided by them again."""
    loss, reported = (float(theirs.get(name, 'nan')) for name in ('loss', 'reported/bits/dim'))
    values = config['in_channels'] * config['height'] * config['width']
    if not math.isclose(reported, loss / values, rel_tol=1e-4):
        return []
    return [Known(
        'bits/dim is divided twice',
        'The loss, {:.6g}, is the mean over all values, in nats. Its bits/dim is that divided by '
        'their number again, {:.6g}, and stays in nats.'.format(loss, reported),
        'nll is in nats per image, and bits/dim is nll / (C · H · W · ln 2): {:.6g} here.'.format(
            loss / math.log(2)))]


def _gated(theirs, config, arrays):
    """Where his Gated PixelCNN is not the paper's. Compared is our form `author`, which is as his;
    ours to train is the form `paper`, which is run here."""
    if 'masks/conv1/horizontal_output' not in theirs or 'reached' not in theirs:
        return []
    found = []
    has_mask_a_twice = theirs['masks/conv1/horizontal_output'][0, 0, 0, 0] == 0
    if has_mask_a_twice:
        found.append(Known(
            'Gated: mask A twice in the first block',
            "Its 1×1 output convolution has it, too. So R does not see the left pixel's G and B, "
            "nor G its own pixel's R, nor B its G.",
            'Mask B there in the form paper: that the value itself is not seen is what mask A of '
            'the convolution before it is for.'))
    if config['height'] > 1:
        his, papers = columns_below(theirs['reached']), columns_below(
            _reached('paper', config, arrays))
        if his < papers:
            found.append(Known(
                'Gated: a blind spot is left',
                'Every vertical layer leaves out its own row, so the row above is seen no further '
                'than the first block sees it: a changed pixel reached {} of the row below.'.format(
                    _pixels(his)),
                'In the form paper only the first vertical layer leaves out its own row, and the '
                'horizontal stack reads the row above: the pixel reached {}.'.format(
                    _pixels(papers))))
        gray = dict(config, in_channels=1), dict(arrays, labels=arrays['labels'][:, :1])
        his, papers = (columns_below(_reached(form, *gray)) for form in ('author', 'paper'))
        if his < papers and has_mask_a_twice:
            found.append(Known(
                'Gated: in grayscale the row above is not seen',
                'Nothing passes mask A twice there but the vertical stack: in our form author, with '
                'masks for one colour, the pixel reached {} of the row below.'.format(_pixels(his)),
                'In the form paper it reached {}.'.format(_pixels(papers))))
    if 'shapes/conv1/label/W' in theirs:
        found.append(Known(
            'Gated: one embedding of the class for both gates of both stacks', 'A block has one.',
            "One for each in the form paper, as in the paper's section 2.3."))
    return found


def _reached(form, config, arrays):
    """`tasks.reached` for one of our forms of the gated model, of random weights."""
    sizes = [config[name] for name in kinds.PIXELCNN]
    classifier = models.Classifier(gated.GatedPixelCNN(*sizes, form=form))
    for param in classifier.params():
        param.array = np.random.RandomState(0).normal(size=param.shape)  # float64
    return tasks.reached(classifier, config, arrays)


def columns_below(reached):
    """How many pixels of the second row the last one of the first row reaches: those from some column
    on to the last. `reached` is that of `tasks.reached`, (C, C, H, W)."""
    return int(reached.any(axis=(0, 1))[1].sum())


def _pixels(count):
    return '{} pixel{}'.format(count or 'no', 's' * (count != 1))


def _options(name, tree):
    found = []
    options = {}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, 'attr', '') == 'add_argument':
            flag = call.args[0].value.lstrip('-')
            options[flag] = {word.arg: word.value for word in call.keywords}
    texts = {flag: ' '.join(ast.literal_eval(words['help']).split())
             for flag, words in options.items() if isinstance(words.get('help'), ast.Constant)}
    rate = texts.get('learning_rate', '')
    if 'clipping' in rate:
        found.append(Known(
            '{}: the text of --learning_rate describes another option'.format(name),
            'It says: {}.'.format(rate), 'It says what it is.'))
    used = {node.attr for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and getattr(node.value, 'id', '') == 'args'}
    for flag in sorted(options.keys() - used):
        found.append(Known(
            '{}: --{} does nothing'.format(name, flag),
            'It is parsed, and never read.',
            'It is applied where it is given, and off where it is not: so his runs are repeated.'))
    for flag, words in options.items():
        if getattr(words.get('type'), 'id', '') == 'bool':
            found.append(Known(
                '{}: --{} False means True'.format(name, flag),
                'Its type is bool, and bool of any text but the empty one is True.',
                'It takes no value.'))
    return found


def _levels_on_a_gpu_only(tree):
    """labels / (levels - 1), the model's input, is computed only where there is a GPU."""
    def divisions(node):
        return sum(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
                   and 'levels' in ast.dump(part.right) for part in ast.walk(node))

    with_gpu = sum(divisions(statement) for branch in ast.walk(tree)
                   if isinstance(branch, ast.If) and "'gpu'" in ast.dump(branch.test)
                   for statement in branch.body)
    if not with_gpu or divisions(tree) > with_gpu:
        return []
    return [Known(
        'train.py: without a GPU, the model sees other pictures than it is to predict',
        'Only under "if args.gpu >= 0" do the pictures become labels / (levels - 1); on a CPU the '
        'model gets the intensities as they are.',
        'The same on every device: labels / (levels - 1). Both sides of this comparison got them.')]
