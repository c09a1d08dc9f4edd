"""Errors of an evaluation as a strip plot, and how conditions look in all figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stst.evaluate.deep.rows import NATURAL
from stst.evaluate.evaluation import Evaluation
from stst.evaluate.measures import MEASURES
from stst.report.figures import COLOURS

# Told apart without colours too.
_MARKERS, _DASHES = "osD^vPX", ("-", "--", ":", "-.")

_TICKS = (0, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
_APART = 0.22  # rows: conditions of a measure

Styles = Mapping[str, dict[str, Any]]  # keywords of a line


def styles(conditions: Iterable[str]) -> Styles:
    """A colour, a marker and a dash for each condition; the natural clip is black."""
    made = [name for name in dict.fromkeys(conditions) if name != NATURAL]
    colours = [colour for colour in COLOURS if colour != "#000000"]
    looks = {
        name: {
            "color": colours[index % len(colours)],
            "marker": _MARKERS[index % len(_MARKERS)],
            "linestyle": _DASHES[(index + 1) % len(_DASHES)],
        }
        for index, name in enumerate(made)
    }
    return {NATURAL: {"color": "black", "marker": ".", "linestyle": "-"}} | looks


def error_figure(evaluation: Evaluation) -> Figure:
    """Every error as a point, means with their intervals, and what is called kept in grey."""
    figure = Figure(figsize=(9, 8), dpi=150, layout="constrained")
    axes = figure.subplots()
    rows = {name: row for row, name in enumerate(MEASURES)}
    axes.barh(list(rows.values()), [m.tolerance for m in MEASURES.values()], 0.9, color="0.9")
    looks = styles(error.condition for error in evaluation.errors)
    made = [name for name in looks if name != NATURAL]
    for index, name in enumerate(made):
        look = looks[name] | {"linestyle": ""}
        shift = _APART * (index - (len(made) - 1) / 2)
        points = [
            (e.value, rows[e.measure] + shift) for e in evaluation.errors if e.condition == name
        ]
        axes.plot(*zip(*points, strict=True), markersize=4, alpha=0.5, **look)
        axes.plot([], [], label=name, **look)
        for one in evaluation.summary:
            if one.condition == name:
                axes.plot([one.low, one.high], [rows[one.measure] + shift] * 2, color=look["color"])
    _label(axes)
    return figure


def _label(axes: Axes) -> None:
    axes.set_yticks(range(len(MEASURES)), [measure.label for measure in MEASURES.values()])
    axes.set_ylim(len(MEASURES) - 0.5, -0.5)
    axes.set_xscale("symlog", linthresh=0.2)
    axes.set_xlim(left=0)
    axes.set_xticks([tick for tick in _TICKS if tick <= axes.get_xlim()[1]])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("error against the natural clip (grey: called kept)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
