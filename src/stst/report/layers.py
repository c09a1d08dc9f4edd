"""Similarity over the layers of a network, between floor and ceiling; and bias over layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stst.metrics.arrangement import LIMITS, Place
from stst.metrics.chance import MARGIN, Chance
from stst.metrics.evaluation import Evaluation
from stst.metrics.layer_trends import CEILING, FLOOR, LAYER_MEASURES, NATURAL, VIEWS, Profile
from stst.metrics.layer_verdicts import Bias
from stst.metrics.measures import MEASURES
from stst.report.figures import Styles, styles

_TICKS = (0, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
_APART = 0.22  # rows: conditions of a measure


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


_NAMES = 6  # of layers, written along the axis

Row = TypeVar("Row", Profile, Bias)
Ends = Callable[[Axes, Sequence[int], Sequence[Row]], None]


def layer_figure(profiles: Sequence[Profile]) -> Figure:
    """Draw the similarity of each condition in each layer of one network.

    Parameters
    ----------
    profiles : sequence of Profile
        Of one network. A column for each measure, a row for each view of its layers; grey from
        floor (dashed) to ceiling; bars are 95 % intervals.

    Returns
    -------
    matplotlib.figure.Figure
        Free of pyplot, so nothing has to be closed.
    """

    def ends(axes: Axes, places: Sequence[int], rows: Sequence[Profile]) -> None:
        floor, ceiling = [row.floor for row in rows], [row.ceiling for row in rows]
        axes.fill_between(places, floor, ceiling, color="0.92")
        axes.plot(places, ceiling, color="0.5", linewidth=1, label="ceiling: noise added")
        axes.plot(places, floor, "--", color="0.5", linewidth=1, label="floor: unrelated clips")

    return _grid(profiles, "similarity", ends)


def bias_figure(biases: Sequence[Bias]) -> Figure:
    """Draw the bias of each condition in each layer of one network, as `layer_figure` does.

    Grey to the limits: what the two natural clips themselves have.
    """

    def ends(axes: Axes, places: Sequence[int], rows: Sequence[Bias]) -> None:
        limit = np.array([row.limit for row in rows])
        axes.fill_between(places, -limit, limit, color="0.92", label="limits: natural clips")
        axes.axhline(0, color="0.5", linewidth=1)

    return _grid(biases, "bias (above 0: to the natural clip)", ends)


def _grid(rows: Sequence[Row], label: str, ends: Ends[Row]) -> Figure:
    figure = Figure(figsize=(13, 6), dpi=150, layout="constrained")
    grid = figure.subplots(len(VIEWS), len(LAYER_MEASURES), sharex=True, squeeze=False)
    layers = list(dict.fromkeys(row.layer for row in rows))
    looks = styles(row.condition for row in rows)
    for across, view in zip(grid, VIEWS, strict=True):
        for axes, measure in zip(across, LAYER_MEASURES, strict=True):
            shown = [row for row in rows if (row.view, row.measure) == (view, measure)]
            _curves(axes, shown, layers, looks, ends)
            axes.spines[["top", "right"]].set_visible(False)
        across[0].set_ylabel(f"{label}\n{VIEWS[view]}", fontsize="small")
    for axes, title in zip(grid[0], LAYER_MEASURES.values(), strict=True):
        axes.set_title(title, fontsize="medium")
    ticks = sorted({round(place) for place in np.linspace(0, len(layers) - 1, _NAMES)})
    for axes in grid[-1]:
        axes.set_xticks(ticks, [layers[tick] for tick in ticks], rotation=45, ha="right")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=6)
    return figure


def _curves(
    axes: Axes,
    rows: Sequence[Row],
    layers: Sequence[str],
    looks: Styles,
    ends: Ends[Row],
) -> None:
    """A line for each condition, and once what they lie between."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    for index, condition in enumerate(conditions):
        found = [row for row in rows if row.condition == condition]
        places = [layers.index(row.layer) for row in found]
        if index == 0:
            ends(axes, places, found)
        look = looks[condition]
        axes.plot(places, [row.mean for row in found], markersize=3, label=condition, **look)
        axes.vlines(
            places, [row.low for row in found], [row.high for row in found], color=look["color"]
        )


_BESIDE = {CEILING: ("-", "ceiling: noise added"), FLOOR: ("--", "floor: unrelated clips")}


def arrangement_figure(rows: Sequence[Place]) -> Figure:
    """Draw shape and layout over frames, of one stimulus; grey: chance alone gives as much.

    A column for luminance and one for colour. Only the arrangement of the natural clip is drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Free of pyplot, so nothing has to be closed.
    """
    figure = Figure(figsize=(10, 6), dpi=150, layout="constrained")
    measures = ("shape", "layout")
    parts = list(dict.fromkeys(row.part for row in rows))
    grid = figure.subplots(len(measures), len(parts), sharex=True, sharey="row")
    for across, measure in zip(grid, measures, strict=True):
        across[0].set_ylabel(f"{measure}: arrangement {LIMITS[measure][2]}", fontsize="small")
        for axes, part in zip(across, parts, strict=True):
            frames = [r for r in rows if r.axis == "frame" and r.reference == NATURAL]
            _lines(axes, [r for r in frames if (r.measure, r.part) == (measure, part)])
            limit = LIMITS[measure][1]
            axes.axhspan(-limit, limit, color="0.92")
            axes.spines[["top", "right"]].set_visible(False)
    for axes, part in zip(grid[0], parts, strict=True):
        axes.set_title(part, fontsize="medium")
    for axes in grid[-1]:
        axes.set_xlabel("frame")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=6)
    return figure


def chance_figure(rows: Sequence[Chance]) -> Figure:
    """Draw the residual of each layer of one stimulus; grey is nearer than chance with the margin.

    Black ticks are the 5th percentile and the median of errors between unrelated frames.
    """
    layers = {layer: at for at, layer in enumerate(dict.fromkeys(row.layer for row in rows))}
    figure = Figure(figsize=(9, 1.5 + 0.3 * len(layers)), dpi=150, layout="constrained")
    axes = figure.subplots()
    for layer, at in layers.items():
        null = next(row for row in rows if row.layer == layer)
        axes.barh(at, null.null / MARGIN, 0.9, color="0.9")
        axes.plot([null.null, null.median], [at, at], "|-", color="black", linewidth=1)
    for name, look in styles(row.condition for row in rows).items():
        own = [row for row in rows if row.condition == name]
        if own:
            places = [layers[row.layer] for row in own]
            axes.plot([r.residual for r in own], places, label=name, **look | {"linestyle": ""})
    axes.set_yticks(range(len(layers)), list(layers))
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("relative error (black: unrelated frames, 5th percentile to median)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _lines(axes: Axes, rows: Sequence[Place]) -> None:
    looks = styles(row.condition for row in rows if row.condition not in _BESIDE)
    for condition, seed in dict.fromkeys((row.condition, row.seed) for row in rows):
        values = [row.value for row in rows if (row.condition, row.seed) == (condition, seed)]
        if condition in _BESIDE:
            line, label = _BESIDE[condition]
            axes.plot(values, line, color="0.5", linewidth=1, label=None if seed else label)
        else:
            name = None if seed else condition
            axes.plot(values, markersize=3, linewidth=1, label=name, **looks[condition])
