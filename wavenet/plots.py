"""What all Matplotlib figures of this project share.

Matplotlib takes a third of a second to import, so these functions import it when they run.
"""
import io

from PIL import Image


def new_figure(width, height):
    """Makes an empty white Matplotlib figure, width × height inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure((width, height), facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def save_png(file, figure, dpi):
    """Writes a figure as a PNG of at most 256 colours, a third of the size, to an open file."""
    rendered = io.BytesIO()
    figure.savefig(rendered, format='png', dpi=dpi)
    with Image.open(rendered) as image:
        image.convert('RGB').quantize(256).save(file, format='png', optimize=True)


def label_round_numbers(axis):
    """Labels a logarithmic axis with few, round numbers: 1, 2, 5, 10, 20, …"""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter('{x:,g}'))
    axis.set_minor_formatter(NullFormatter())


def color(number):
    """Returns one of 20 distinct colours for a curve."""
    import matplotlib
    return matplotlib.colormaps['tab20'](number % 20)
