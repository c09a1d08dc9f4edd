"""Errors of an evaluation as a strip plot, and how conditions look in all figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stst.evaluate.comparison import NATURAL, Evaluation
from stst.evaluate.measures import MEASURES
from stst.report.figures import COLOURS

# Told apart without colours too.
_MARKERS, _DASHES = "osD^vPX", ("-", "--", ":", "-.")

Styles = Mapping[str, dict[str, Any]]  # keywords of a line


def styles(conditions: Iterable[str]) -> Styles:
    """A colour, a marker and a dash for each condition; the natural clip is black."""
    made = [name for name in dict.fromkeys(conditions) if name != NATURAL]
    looks = {
        name: {
            "color": COLOURS[index % len(COLOURS)],
            "marker": _MARKERS[index % len(_MARKERS)],
            "linestyle": _DASHES[(index + 1) % len(_DASHES)],
        }
        for index, name in enumerate(made)
    }
    return {NATURAL: {"color": "black", "marker": ".", "linestyle": "-"}} | looks


def error_figure(evaluation: Evaluation) -> Figure:
    """Every error as a point, means with their intervals, and what is called kept in grey."""
    looks = styles(error.condition for error in evaluation.errors)
    names = list(MEASURES)
    figure = Figure(figsize=(9, 8), dpi=150, layout="constrained")
    axes = figure.subplots()
    for row, name in enumerate(names):
        axes.barh(row, MEASURES[name].tolerance, 0.9, color="0.9", zorder=0)
    rows = {name: len(names) - 1 - row for row, name in enumerate(reversed(names))}
    steps = {name: 0.22 * index for index, name in enumerate(list(looks)[1:])}
    middle = max(steps.values(), default=0) / 2
    for error in evaluation.errors:
        place = rows[error.measure] + steps[error.condition] - middle
        look = {k: v for k, v in looks[error.condition].items() if k != "linestyle"}
        axes.plot(error.value, place, markersize=4, alpha=0.5, linestyle="", **look)
    for one in evaluation.summary:
        place = rows[one.measure] + steps[one.condition] - middle
        axes.plot([one.low, one.high], [place] * 2, color=looks[one.condition]["color"])
    for name, look in list(looks.items())[1:]:
        axes.plot([], [], label=name, **(look | {"linestyle": ""}))
    axes.set_yticks(range(len(names)), [MEASURES[name].label for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xscale("symlog", linthresh=0.2)
    axes.set_xlim(left=0)
    ticks = [t for t in (0, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2, 5, 10) if t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("error against the natural clip (grey: called kept)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
