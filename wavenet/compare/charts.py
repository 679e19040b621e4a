"""Draws the chart of report.html as SVG. It takes its colours from the style sheet of the page."""
import io

# Matplotlib draws with these colours; then variables of the style sheet replace them.
INK, WIDE, THIN = '#010101', '#020202', '#030303'
VARIABLES = {INK: '--text', WIDE: '--author', THIN: '--here'}


def curves(theirs, ours):
    """An <svg> element with two curves of the loss at each step: theirs wide, ours thin."""
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
        steps = range(1, len(ours) + 1)
        axes.plot(steps, theirs, color=WIDE, linewidth=6, solid_capstyle='round',
                  label='the author')
        axes.plot(steps, ours, color=THIN, linewidth=1.5, label='here')
        axes.set_xlabel('step')
        axes.set_ylabel('loss, nats')
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
