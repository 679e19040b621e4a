"""Charts for the page, as SVG in the colours of the text around them."""
import io

import matplotlib
import matplotlib.figure
from matplotlib.backends.backend_svg import FigureCanvasSVG

INK, WIDE, THIN = '#010101', '#020202', '#030303'  # stand for what the page's style sheet decides


def curves(theirs, ours):
    """Two curves of losses over the number of the step, the first one wide, the second one thin."""
    figure = matplotlib.figure.Figure((5, 3), layout='constrained')
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    steps = range(1, len(ours) + 1)
    axes.plot(steps, theirs, color=WIDE, linewidth=6, label='the author', solid_capstyle='round')
    axes.plot(steps, ours, color=THIN, linewidth=1.5, label='here')
    axes.set_xlabel('step')
    axes.set_ylabel('loss, nats')
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False)
    return svg(figure)


def svg(figure):
    """A Matplotlib figure as an <svg> element, without a background."""
    file = io.StringIO()
    colors = dict.fromkeys(('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color',
                            'ytick.color'), INK)
    with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'comparison'}):
        for axes in figure.axes:
            axes.tick_params(colors=INK)
            for part in [axes.xaxis.label, axes.yaxis.label] + axes.get_legend().get_texts():
                part.set_color(INK)
            for spine in axes.spines.values():
                spine.set_color(INK)
        figure.savefig(file, format='svg', transparent=True, metadata={'Date': None})
    text = file.getvalue()
    text = text[text.index('<svg'):]
    for color, variable in ((INK, '--text'), (WIDE, '--author'), (THIN, '--here')):
        text = text.replace(color, 'var({})'.format(variable))
    return text
