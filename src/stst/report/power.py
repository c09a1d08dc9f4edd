"""Power of planned experiments: a figure and one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stst import __version__
from stst.experiment.analysis.cells import Cell
from stst.experiment.analysis.power import ENOUGH, Power, Powers, needed
from stst.report.evaluation import Picture
from stst.report.figures import COLOURS, MARKERS, png_bytes
from stst.report.html import html

_COLUMNS = 3


def power_picture(found: Powers) -> Picture:
    """The figure, with what it shows in words."""
    told = (
        f"Power against participants, for {found.plan.measure}: a line for each number of trials "
        "(repeats), a panel for each condition, band and level; bars are 95 % intervals. The "
        "table has the numbers."
    )
    return Picture(png_bytes(power_figure(found)), "power", told)


def power_figure(found: Powers) -> Figure:
    """Draw power against participants: a panel for each cell, a line for each number of trials."""
    panels = list(dict.fromkeys(Cell(*row[1:4]) for row in found.rows))
    across = min(_COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)
    size = (max(5, 3.6 * across), 3.6 * down)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        own = [row for row in found.rows if Cell(*row[1:4]) == panel]
        trials = dict.fromkeys(f"{row.trials:.3g}" for row in own)
        _draw(axes, own)
        axes.set_title(f"{_named(panel)}\n{', '.join(trials)} trials of each", fontsize=9)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw(axes: Axes, rows: Sequence[Power]) -> None:
    for index, repeats in enumerate(dict.fromkeys(row.repeats for row in rows)):
        own = sorted(row for row in rows if row.repeats == repeats)
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        people = [row.participants for row in own]
        axes.vlines(people, [r.low for r in own], [r.high for r in own], colour, linewidth=1)
        label = f"{repeats} repeat{'s' * (repeats > 1)}"
        axes.plot(people, [row.power for row in own], f"{marker}-", color=colour, label=label)
    axes.axhline(ENOUGH, color="0.3", linestyle="--", linewidth=1, label=f"power {ENOUGH:g}")
    axes.set(xlabel="participants", ylabel="power", ylim=(-0.02, 1.02))
    axes.set_xticks(sorted({row.participants for row in rows}))
    axes.spines[["top", "right"]].set_visible(False)


def _named(cell: Cell) -> str:
    level = "" if math.isnan(cell.level) else f"{cell.level:g}"
    return ", ".join(filter(None, (cell.condition, cell.band, level)))


def power_page(found: Powers, drawn: Mapping[str, Picture], citation: str) -> str:
    """Write the page: HTML that holds its figure."""
    return html(
        "power.html",
        found=found,
        plan=found.plan,
        rules=found.plan.rules.model_dump(mode="json").items(),
        drawn=drawn,
        needed=needed(found.rows),
        enough=ENOUGH,
        citation=citation,
        version=__version__,
    )
