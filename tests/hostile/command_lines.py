"""Command lines that make no sense."""
import itertools

from hostile.case import Case

WORDS = ['', ' ', 'x', 'nan', 'inf', '-inf', '-', '--', '1e400', '0x10', '1.5', '1,5', '½', '∞',
         'None', 'true',
         '\n', 'x\ny', '\t', '\0', 'é', '🙂', '\udcff', '9' * 5000, "'", '"', '$(mkdir pwned)',
         '`mkdir pwned`',
         '; mkdir pwned', '%s%n', '{}', '../../x', '-1', '[1]']
COUNTS = ['--batchsize', '--epoch', '--iteration', '--hidden_dim', '--out_hidden_dim',
          '--test_limit', '--validation', '--patience', '--size']

TRAIN = """\
--levels 257
--levels 1
--levels 4 --binarize
--levels 4 --loss sigmoid
--hidden_dim 100000000
--hidden_dim 30000 --blocks_num 15
--hidden_dim 100000000000000000000
--out_hidden_dim 10000000000
--out_hidden_dim 100000000000000000000
--batchsize 1000000000
--batchsize 1000000000000000000000000000000
--blocks_num 1000000000000
--data .
--out /dev/null
--out /dev/full
--out /proc/nothing
--out model.npz
--out model.npz/out
--resume .
--resume model.npz
--resume /dev/zero
--resume nowhere
--dataset .
--dataset /dev/zero
--dataset /proc/self
--dataset /etc/passwd
--dataset mnist --data /proc
--dataset cifar --data /dev/null
--stats 1
--binarize=1
--stats="""
GENERATE = """\
--count 1000000
--count 1000000000000000000000000000000
--height 100000000000
--height 1000000000000000000000000000000
--width 9223372036854775808
--height 100000 --width 100000
--scale 10000
--scale 1000000000
--scale 1000000000000000000000000000000
--output a.gif
--output a
--output .png
--output a.png/b.png
--output /nowhere/a.png
--output /dev/null
--output /proc/a.png
--gif a.png
--gif /nowhere/a.gif
--gif=
--complete model.npz --rows 1
--complete /dev/zero --rows 1
--complete . --rows 1
--complete model.npz
--rows 3
--complete
--complete image.png --rows 9
--complete image.png --rows 1000000000000000000000000000000
--complete image.png --rows 1 --count 1000000000
--complete image.png --rows 1 --height 4
--complete image.png other.png --rows 1
--model /dev/zero
--model ."""


class CommandLine(Case):
    """Options for train.py or generate.py; `command` is 'train' or 'generate'."""

    def __init__(self, command, arguments, status=2):
        super().__init__(f'command line: {command} {ascii(arguments)[:200]}',
                         lambda folder: None,
                         **{command: status})
        self.command = command
        self.arguments = arguments


def cases():
    def train(*arguments, **expected):
        return CommandLine('train', list(arguments), **expected)

    def generate(*arguments, **expected):
        return CommandLine('generate', list(arguments), **expected)

    yield train('--iteration', '1', status=0)
    yield generate('--count', '1', status=0)
    for command in (train, generate):
        yield command('--help', status=0)
        for word in WORDS:
            if word not in ('-', '--', '-1'):
                yield command('--device', word)
            yield command('--nonsense' + word)
            if word != '--':
                yield command(word)
        yield command('--gpu', '0', '--device', '@numpy')
        yield command('--gpu')
        yield command('--seed', str(2 ** 32))
        yield command('--seed', '-1')
        for number in ('99', str(2 ** 31), str(2 ** 64), '9' * 400):
            yield command('--gpu', number)
            yield command('--device', '@cupy:' + number)
        for device in ('@cupy', '@chainerx', 'native:0', 'cuda:0', '@intel64', '@cupy:x',
                       '@cupy:-1', 'cupy:0'):
            yield command('--device', device)
    for option, word in itertools.product(COUNTS + ['--blocks_num', '--seed', '--gpu', '--samples'],
                                          WORDS):
        if word != '--' and not (option == '--gpu' and word == '-1'):
            yield train(option, word)
    for option, word in itertools.product(['--learning_rate', '--clip', '--gradclip', '--minutes',
                                           '--lr_decay', '--average', '--weight_decay',
                                           '--dropout'], WORDS):
        if word not in ('--', '1.5'):
            yield train(option, word)
    for option in COUNTS:
        yield train(option, '0')
    for word in WORDS:
        if word not in ('', '--', '-', '-1'):
            yield train('--dataset', word)
            yield train('--resume', word)
            yield train('--init', word)
            yield train('--preset', word)
            yield train('--dataset', 'mnist', '--data', word)
            yield generate('--model', word)
            yield generate('--output', word)
            yield generate('--gif', word)
            yield generate('--complete', word, '--rows', '1')
            if word != '1,5':  # two images
                yield generate('--complete', 'digits:' + word)
            yield generate('--complete', 'digits:0', '--mask', word)
            yield generate('--complete', 'digits:0', '--keep', word)
        for option in ('--loss', '--channels', '--levels'):
            if word != '--':
                yield train(option, word)
        for option in ('--count', '--height', '--width', '--scale', '--rows', '--method',
                       '--number', '--temperature', '--batchsize', '--label'):
            if word != '--' and not (option == '--temperature' and word == '1.5'):
                yield generate(option, word)
    for line in TRAIN.split('\n'):
        yield train(*line.split())
    for line in GENERATE.split('\n'):
        yield generate(*line.split())
    for word in ('', '\0', '/nowhere\0', 'x' * 300):
        yield train('--out', word)
    for word in ('', '\0.png', 'x' * 300 + '.png'):
        yield generate('--output', word)
