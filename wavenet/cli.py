"""What all commands share: parsing options, errors of one line, signals, messages."""
import argparse
import contextlib
import difflib
import io
import os
import re
import signal
import sys

import tqdm

from wavenet.version import __version__

# Exceptions that a user's mistake or a machine's limit raises, in this package and in libraries.
# Any other exception is a bug, and its traceback is shown.
ERRORS = (OSError, ValueError, MemoryError, OverflowError)
# The same of a GPU: module → names. The modules are imported only where CuPy is in use.
GPU_ERRORS = {
    'cupy_backends.cuda.api.runtime': ['CUDARuntimeError'],
    'cupy_backends.cuda.api.driver': ['CUDADriverError'],
    'cupy_backends.cuda.libs.cublas': ['CUBLASError'],
    'cupy_backends.cuda.libs.curand': ['CURANDError'],
    'cupy_backends.cuda.libs.nccl': ['NcclError'],
    'cupy_backends.cuda.libs.nvrtc': ['NVRTCError'],
    'cupy.cuda.compiler': ['CompileException'],
    'cuda.pathfinder': ['DynamicLibNotFoundError'],
}

_program = None  # the name of the running command, for `say`


class ArgumentParser(argparse.ArgumentParser):
    """argparse's parser with errors of one line; options may be written with '-' or '_'.

    Args:
        check: a function of the parser and the parsed options that checks options together, and may
            fill in defaults.
        known_as: other names of options, as other programs have them, and what they are here: a
            mistaken one is answered with "did you mean …?".
        preset: a function that returns words to put before those of the command line, which win
            over them; called with the parsed options.
    """

    def __init__(self, check=None, known_as=None, preset=None, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)
        self._check = check
        self._known_as = known_as or {}
        self._preset = preset
        self._typed = {}  # names of options as this package writes them, and as the user did
        self.add_argument('--version', action='version', version=f'wavenet {__version__}')

    def parse_args(self, args=None, namespace=None):
        typed = sys.argv[1:] if args is None else args
        self._typed = {_name(_with_underscores(arg)): _name(arg) for arg in typed}
        args, unknown = self.parse_known_args(typed, namespace)
        if unknown:
            self.error(self._unknown(unknown))
        if self._preset:
            args = self.parse_known_args([*self._preset(args), *typed], namespace)[0]
        if self._check:
            self._check(self, args)
        return args

    def parse_known_args(self, args=None, namespace=None):
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([_with_underscores(arg) for arg in args], namespace)

    def _unknown(self, unknown):
        """What to say of arguments that are not known."""
        message = f'unrecognized arguments: {" ".join(unknown)}'
        for arg in unknown:
            name = _name(arg)
            options = [option for action in self._actions for option in action.option_strings]
            close = [self._known_as[name]] if name in self._known_as else \
                difflib.get_close_matches(name, options, 1, 0.75) if name.startswith('--') else []
            if close:
                return f'{message} (did you mean {close[0]}?)'
        return message

    def error(self, message, status=2):
        """Ends the process with one line on standard error, options spelled as the user did."""
        line = re.sub(r'--\w+', lambda found: self._typed.get(found[0], found[0]), str(message))
        line = ' '.join(line.split())
        self.exit(status, f'{self.prog}: error: {line}\n')

    @contextlib.contextmanager
    def reporting(self, status=2, advice=str):
        """Ends the process with one line and this exit status if the block raises one of `ERRORS`.

        The line says the reason, and then what `advice()` returns.
        """
        try:
            yield
        except errors() as error:
            self.error(reason(error) + advice(), status)


@contextlib.contextmanager
def naming(option, value):
    """Raises: ValueError that names an option and its value, for an OSError or a ValueError of the
    block that does not begin with an option.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        message = reason(error)
        if message.startswith('--'):
            raise
        for start in (f'{option} {value}: ', f'{value}: ', f'{value!r}: '):
            if message.startswith(start):
                message = message[len(start):]
        raise ValueError(f'{option} {value}: {message}') from error


def _name(arg):
    return arg.partition('=')[0]


def _with_underscores(arg):
    name, equals, value = arg.partition('=')
    if not name.startswith('--'):
        return arg
    return f'--{name[2:].replace("-", "_")}{equals}{value}'


def whole_number(least, most=None):
    """Makes an argparse type: an int from `least` to `most`."""
    def parse(text):
        value = int(text)
        if value < least or most is not None and value > most:
            bounds = f'at least {least}' if most is None else f'from {least} to {most}'
            raise argparse.ArgumentTypeError(f'must be {bounds}, got {text}')
        return value
    parse.__name__ = 'whole number'  # argparse says so if int() fails
    return parse


def _number(is_valid, bounds):
    def parse(text):
        value = float(text)
        if not is_valid(value):
            raise argparse.ArgumentTypeError(f'must be {bounds}, got {text}')
        return value
    parse.__name__ = 'number'  # argparse says so if float() fails
    return parse


# argparse types
positive_number = _number(lambda x: 0 < x < float('inf'), 'above 0 and finite')
nonnegative_number = _number(lambda x: 0 <= x < float('inf'), '0 or above and finite')
decay_factor = _number(lambda x: 0 < x <= 1, 'above 0, at most 1')
average_factor = _number(lambda x: 0 <= x < 1, '0 or above, below 1')


def run(command, parser):
    """Calls a command with its parser, and returns the exit status, None for 0.

    Ctrl-C and SIGTERM end the command with one line, and status 130 or 143. The standard streams
    may be closed, or they may be objects such as a notebook's.
    """
    global _program
    _program = parser.prog
    sys.stdout = sys.stdout or open(os.devnull, 'w')   # None if it is closed
    sys.stderr = sys.stderr or open(os.devnull, 'w')
    if isinstance(sys.stdout, io.TextIOWrapper):       # not in a notebook
        sys.stdout.reconfigure(errors='backslashreplace')  # for file names that it cannot show
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        with parser.reporting(status=1):
            status = command(parser)
            sys.stdout.flush()
        return status
    except KeyboardInterrupt as interruption:
        say('interrupted')
        parser.exit(interruption_status(interruption))  # in a team, ends all processes
    finally:
        try:
            sys.stdout.flush()
        except OSError:  # already reported; without this, Python would report it again
            with contextlib.suppress(AttributeError, OSError):  # the stream may not be a file
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(number, _):
    raise KeyboardInterrupt(number)


@contextlib.contextmanager
def named(program):
    """Gives `say` another name of the running command."""
    global _program
    former, _program = _program, program
    try:
        yield
    finally:
        _program = former


def interruption_status(interruption):
    """The exit status for a KeyboardInterrupt, whose argument may be the number of a signal."""
    return 128 + (interruption.args or (signal.SIGINT,))[0]


def errors():
    """`ERRORS` and `GPU_ERRORS`, as far as their modules are imported, as a tuple of classes."""
    return ERRORS + _gpu_errors()


def _gpu_errors():
    return tuple(getattr(sys.modules[module], name) for module, names in GPU_ERRORS.items()
                 for name in names if hasattr(sys.modules.get(module), name))


def reason(error):
    """What an exception means, in words."""
    if isinstance(error, _gpu_errors()):
        return f'GPU: {_first_line(error)}'
    if isinstance(error, OSError) and error.filename is not None:
        return f'{error.filename!r}: {error.strerror}'
    if isinstance(error, MemoryError):
        return f'not enough memory: {error}'
    return str(error) or type(error).__name__


def _first_line(error):
    """The line of an error's text that says most: of a compiler, the first error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    found = next((line for line in lines if 'error' in line.lower()), None)
    return found or (lines[0] if lines else type(error).__name__)


def counted(number, noun):
    """A number of things: '1 epoch', '2,000 epochs'."""
    return f'{number:,} {noun}{"s" * (number != 1)}'


def listed(names):
    """Names as a text: 'a', 'a and b', 'a, b and c'."""
    *first, last = names
    return f'{", ".join(first)} and {last}' if first else last


def say(message):
    """Writes one line to standard error, after the command's name; nothing if it is closed."""
    line = f'{_program or os.path.basename(sys.argv[0])}: {" ".join(message.split())}'
    with contextlib.suppress(OSError):
        tqdm.tqdm.write(line, file=sys.stderr)  # above a progress bar if there is one
        sys.stderr.flush()


def command_line(name):
    """How the user of this command calls another one: `python train.py` or, where this package is
    installed, `wavenet-train`. The name is 'train' or 'generate'."""
    return f'wavenet-{name}' if (_program or '').startswith('wavenet-') else f'python {name}.py'


def shows_progress(stream):
    """Whether a stream is a terminal, in which progress is shown.

    Open MPI gives each process a terminal that the user does not see.
    """
    return stream.isatty() and 'OMPI_COMM_WORLD_RANK' not in os.environ
