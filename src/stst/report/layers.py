"""Similarity over the layers of a network, between floor and ceiling; and bias over layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stst.evaluate.deep.bias import Bias
from stst.evaluate.deep.rows import MEASURES, VIEWS
from stst.evaluate.deep.trends import Profile
from stst.report.strips import Styles, styles

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
    grid = figure.subplots(len(VIEWS), len(MEASURES), sharex=True, squeeze=False)
    layers = list(dict.fromkeys(row.layer for row in rows))
    looks = styles(row.condition for row in rows)
    for across, view in zip(grid, VIEWS, strict=True):
        for axes, measure in zip(across, MEASURES, strict=True):
            shown = [row for row in rows if (row.view, row.measure) == (view, measure)]
            _curves(axes, shown, layers, looks, ends)
            axes.spines[["top", "right"]].set_visible(False)
        across[0].set_ylabel(f"{label}\n{VIEWS[view]}", fontsize="small")
    for axes, title in zip(grid[0], MEASURES.values(), strict=True):
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
