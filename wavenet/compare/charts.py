"""Draws the charts of report.html as SVG, with the colours of the style sheet of the page."""
import io

# Matplotlib draws with these colours; then variables of the style sheet replace them.
INK, WIDE, THIN = '#010101', '#020202', '#030303'
VARIABLES = {INK: '--text', WIDE: '--author', THIN: '--here'}


def losses(theirs, ours):
    """An <svg> element with two curves of the loss at each step."""
    return curves(theirs, ours, 'step', 'loss, nats')


def curves(theirs, ours, x, y):
    """An <svg> element with two curves: theirs wide, ours thin. `x` and `y` label the axes."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings = {'svg.fonttype': 'none', 'svg.hashsalt': 'comparison'}  # text as text; fixed ids
    settings.update(dict.fromkeys(('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color',
                                   'ytick.color'), INK))
    with matplotlib.rc_context(settings):
        figure = Figure((5, 3), layout='constrained')
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.plot(range(1, len(theirs) + 1), theirs, color=WIDE, linewidth=6,
                  solid_capstyle='round', label='the author')
        axes.plot(range(1, len(ours) + 1), ours, color=THIN, linewidth=1.5, label='here')
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False)
        return _svg(figure)


def _svg(figure):
    """A Matplotlib figure as an <svg> element without a background."""
    file = io.StringIO()
    figure.savefig(file, format='svg', transparent=True, metadata={'Date': None})
    text = file.getvalue()
    text = text[text.index('<svg'):]
    for color, variable in VARIABLES.items():
        text = text.replace(color, f'var({variable})')
    return text
