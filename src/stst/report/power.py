"""Figure and page of a power analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stst._version import __version__
from stst.analysis.cells import DesignCell
from stst.analysis.power import ENOUGH, Power, PowerAnalysis, needed
from stst.drawing.figures import COLOURS, MARKERS, bounds_note, draw_bounds, make_panels, png_bytes
from stst.report.evaluation import Picture
from stst.report.page import html
from stst.report.responses import cell_label

_COLUMNS = 3


def power_picture(analysis: PowerAnalysis) -> Picture:
    """Draw the power as a picture with an alternative text.

    Parameters
    ----------
    analysis : PowerAnalysis
        Power of each design.

    Returns
    -------
    Picture
        `power_figure` as PNG.
    """
    text = (
        f"Power against number of participants, for {analysis.plan.measure}: a line for each "
        "number of repeats, a panel for each condition, band and level, with bounds of the "
        f"simulations; dashed: {ENOUGH:g}. The table has the numbers."
    )
    return Picture(png_bytes(power_figure(analysis)), "power", text)


def power_figure(analysis: PowerAnalysis) -> Figure:
    """Draw power against the number of participants.

    Parameters
    ----------
    analysis : PowerAnalysis
        Power of each design.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each cell, with a line for each number of repeats.
    """
    panels = list(dict.fromkeys(DesignCell(*row[1:4]) for row in analysis.rows))
    across = min(_COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)
    figure, grid = make_panels(down, across, size=(max(5, 3.6 * across), 3.6 * down), sharey=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        own = [row for row in analysis.rows if DesignCell(*row[1:4]) == panel]
        trials = dict.fromkeys(f"{row.trials:.3g}" for row in own)
        _draw(axes, own)
        title = f"{cell_label(panel)}\n{', '.join(trials)} trials per participant"
        axes.set_title(title, fontsize=9)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    legend = grid.flat[0].get_legend_handles_labels()
    note = bounds_note(row.bounds for row in analysis.rows)
    figure.legend(*legend, loc="outside lower center", ncols=3, frameon=False, title=note)
    return figure


def _draw(axes: Axes, rows: Sequence[Power]) -> None:
    designs = dict.fromkeys(row.repeats for row in rows)
    for repeats, colour, marker in zip(designs, cycle(COLOURS), cycle(MARKERS), strict=False):
        own = sorted(row for row in rows if row.repeats == repeats)
        people = [row.participants for row in own]
        draw_bounds(axes.vlines, people, pd.DataFrame(own), colour, "power")
        label = f"{repeats} repeat{'s' * (repeats > 1)}"
        axes.plot(people, [row.power for row in own], f"{marker}-", color=colour, label=label)
    axes.axhline(ENOUGH, color="0.3", linestyle="--", linewidth=1, label=f"power {ENOUGH:g}")
    axes.set(xlabel="number of participants", ylabel="power (proportion of experiments)")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(sorted({row.participants for row in rows}))


def power_page(analysis: PowerAnalysis, drawn: Mapping[str, Picture], citation: str) -> str:
    """Write the page of a power analysis.

    Parameters
    ----------
    analysis : PowerAnalysis
        Power of each design.
    drawn : mapping of str to Picture
        Figures.
    citation : str
        How to cite the package.

    Returns
    -------
    str
        HTML with the figure inside.
    """
    return html(
        "power.html",
        found=analysis,
        plan=analysis.plan,
        rules=analysis.plan.rules.model_dump(mode="json").items(),
        drawn=drawn,
        needed=needed(analysis.rows),
        enough=ENOUGH,
        citation=citation,
        version=__version__,
    )
