"""Figures and one page of an analysed experiment: it needs no other file and no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from stst._version import __version__
from stst.analysis.analyze import Analysis
from stst.analysis.cells import ALL, ARROW, CellEstimate, DesignCell
from stst.analysis.power import ENOUGH, Power, PowerAnalysis, needed
from stst.analysis.psychometric import weibull
from stst.analysis.sensitivity import CHANCE
from stst.drawing.figures import (
    COLOURS,
    MARKERS,
    bounds_note,
    draw_bounds,
    log_scale,
    make_panels,
    png_bytes,
)
from stst.report.evaluation import Picture
from stst.report.page import html
from stst.report.surface import surface_picture

_CURVES = ("threshold", "slope", "lapse", "sensitivity")
_UNITS = {
    "accuracy": "share of right answers",
    "d'": "standard deviations",
    "criterion": "standard deviations; above 0: the second is preferred",
    "rating": "1 to 7",
    "space chosen": "share of answers",
    "sensitivity": "1 / contrast",
}


def pictures(found: Analysis) -> dict[str, Picture]:
    """Draw each measure, by the names of files without an ending."""
    measures = dict.fromkeys(row.measure for row in found.estimates)
    drawn = {
        name.replace("'", "").replace(" ", "_"): Picture(
            png_bytes(measure_figure(found, name)),
            name,
            f"{name} of each condition: grey points are participants, blue diamonds all of them "
            "with their bounds, as the axis says. The table below has the numbers.",
        )
        for name in measures
        if name not in (*_CURVES[1:3], "answers")
    }
    if "answers" in measures:
        told = "Matrix: how often each answer (column) was given to what was shown (row)."
        drawn["answers"] = Picture(png_bytes(confusion_figure(found)), "answers", told)
    if any(row.measure == "threshold" for row in summary(found)):
        told = (
            "Accuracy by level (logarithmic) with bounds, and psychometric functions of the mean "
            "values, where all three parameters have a mean; dashed: chance."
        )
        png = png_bytes(function_figure(found))
        drawn["functions"] = Picture(png, "psychometric functions", told)
    if found.frequencies:
        drawn["surface"] = surface_picture(summary(found), found.frequencies)
    return drawn


def summary(found: Analysis) -> list[CellEstimate]:
    """Results of all participants together, or of the only one."""
    several = len(found.participants) > 1
    return [row for row in found.estimates if not several or row.participant == ALL]


def measure_figure(found: Analysis, measure: str) -> Figure:
    """Participants as points, and all of them with their bounds, by condition."""
    rows = [row for row in found.estimates if row.measure == measure]
    labels = {label: place for place, label in enumerate(dict.fromkeys(map(_label, rows)))}
    figure, ((axes,),) = make_panels(1, 1, size=(8, 1.3 + 0.4 * len(labels)))
    for row in (row for row in rows if row.participant != ALL):
        axes.plot(row.value, labels[_label(row)] + 0.2, "o", color="0.6", markersize=4)
    means = _table(row for row in summary(found) if row.measure == measure)
    places = [labels[_label(row)] for row in means.itertuples()]
    draw_bounds(axes.hlines, places, means, COLOURS[0], "value")
    axes.plot(means["value"], places, "D", color=COLOURS[0])
    if rows and math.isfinite(rows[0].chance):
        axes.axvline(rows[0].chance, color="0.3", linestyle="--", linewidth=1)
        axes.set_title("dashed: without any sensitivity", fontsize=9, loc="right")
    axes.set_yticks(list(labels.values()), list(labels))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    level = "contrast" if found.task == "detection" else "duration, s"
    unit = _UNITS.get(measure, level)
    axes.set_xlabel("\n".join(filter(None, (f"{measure} ({unit})", bounds_note(means["bounds"])))))
    axes.set_ylabel(", ".join(_factors(rows, level)))
    return figure


def _table(rows: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=CellEstimate._fields)


def _factors(rows: Sequence[CellEstimate], level: str) -> list[str]:
    """What a label of `_label` is made of."""
    return [
        name
        for name, known in (
            ("condition", any(row.condition for row in rows)),
            ("band", any(row.band for row in rows)),
            (level, any(not math.isnan(row.level) for row in rows)),
        )
        if known
    ] or ["all trials"]


def _label(row: Any) -> str:  # noqa: ANN401
    level = "" if math.isnan(row.level) else f"{row.level:g}"
    return ", ".join(filter(None, (row.condition, row.band, level)))


def function_figure(found: Analysis) -> Figure:
    """Accuracy over levels and the functions, a colour and a marker for each band."""
    rows = summary(found)
    lines = dict.fromkeys(row[1:3] for row in rows if row.measure == "threshold")
    figure, ((axes,),) = make_panels(1, 1, size=(8, 5))
    looks, bottom, drawn = zip(cycle(COLOURS), cycle(MARKERS), strict=False), 0.32, set[str]()
    for index, (line, (colour, marker)) in enumerate(zip(lines, looks, strict=False)):
        own = [row for row in rows if row[1:3] == line]
        told = {row.measure: row.value for row in own if row.measure in _CURVES}
        points = _table(row for row in own if row.measure == "accuracy" and row.level > 0)
        x = points["level"]
        apart = x * 1.02**index  # so that bounds are seen
        draw_bounds(axes.vlines, apart, points, colour, "value")
        label = ", ".join(filter(None, line))
        axes.plot(apart, points["value"], marker, color=colour, label=label)
        bottom = min(bottom, points["value"].min(), points["low"].min())
        drawn.update(points["bounds"])
        if not told.keys() >= set(_CURVES[:3]):  # slopes at a limit have no mean
            continue
        dense = np.geomspace(min(x), max(x), 200)
        threshold, slope, lapse = (np.array(told[name]) for name in _CURVES[:3])
        curve = weibull(dense, threshold, slope, lapse, CHANCE[found.task])
        axes.plot(dense, curve, color=colour)
    level = "contrast" if found.task == "detection" else "duration, s"
    axes.set(xlabel=level, ylabel="accuracy (share of right answers)", ylim=(bottom - 0.02, 1.02))
    log_scale(axes, "x")
    axes.set_xlabel(f"{axes.get_xlabel()}\n{bounds_note(drawn)}")
    levels = sorted({row.level for row in rows if row.level > 0})
    axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axhline(CHANCE[found.task], color="0.3", linestyle="--", linewidth=1, label="chance")
    axes.legend(frameon=False)
    return figure


def confusion_figure(found: Analysis) -> Figure:
    """Shares of answers as a matrix for each condition, with numbers."""
    rows = [row for row in summary(found) if row.measure == "answers"]
    cells = dict.fromkeys(_label(row) for row in rows)
    figure = Figure(figsize=(6, 5 * len(cells)), dpi=150, layout="constrained")
    for axes, cell in zip(figure.subplots(len(cells), squeeze=False)[:, 0], cells, strict=True):
        own = {tuple(row.response.split(ARROW)): row for row in rows if _label(row) == cell}
        shown, given = (sorted({pair[side] for pair in own}) for side in (0, 1))
        shares = np.array([[own[one, other].value for other in given] for one in shown])
        axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
        for (y, x), value in np.ndenumerate(shares):
            ink = "black" if value > 0.5 else "white"
            axes.text(x, y, f"{value:.2f}", color=ink, ha="center", va="center")
        axes.set_xticks(range(len(given)), given, rotation=45, ha="right")
        axes.set_yticks(range(len(shown)), shown)
        axes.set(title=f"{cell}\nshare of answers", xlabel="answer", ylabel="shown")
    return figure


def analysis_page(found: Analysis, drawn: Mapping[str, Picture], citation: str) -> str:
    """Write the page: HTML that holds its figures."""
    return html(
        "responses.html",
        found=found,
        rows=summary(found),
        drawn=drawn,
        rules=found.rules.model_dump(mode="json").items(),
        citation=citation,
        version=__version__,
    )


_COLUMNS = 3


def power_picture(found: PowerAnalysis) -> Picture:
    """The figure, with what it shows in words."""
    told = (
        f"Power against participants, for {found.plan.measure}: a line for each number of trials "
        "(repeats), a panel for each condition, band and level, with bounds of the simulations; "
        f"dashed: {ENOUGH:g}. The table has the numbers."
    )
    return Picture(png_bytes(power_figure(found)), "power", told)


def power_figure(found: PowerAnalysis) -> Figure:
    """Draw power against participants: a panel for each cell, a line for each number of trials."""
    panels = list(dict.fromkeys(DesignCell(*row[1:4]) for row in found.rows))
    across = min(_COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)
    figure, grid = make_panels(down, across, size=(max(5, 3.6 * across), 3.6 * down), sharey=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        own = [row for row in found.rows if DesignCell(*row[1:4]) == panel]
        trials = dict.fromkeys(f"{row.trials:.3g}" for row in own)
        _draw(axes, own)
        axes.set_title(f"{_label(panel)}\n{', '.join(trials)} trials of each", fontsize=9)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    legend = grid.flat[0].get_legend_handles_labels()
    note = bounds_note(row.bounds for row in found.rows)
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
    axes.set(xlabel="number of participants", ylabel="power (share of experiments)")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(sorted({row.participants for row in rows}))


def power_page(found: PowerAnalysis, drawn: Mapping[str, Picture], citation: str) -> str:
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
