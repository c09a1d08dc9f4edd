"""Whether the object is gone, over frames; and how near matched layers are, against chance."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stst.evaluate.chance import MARGIN, Chance
from stst.evaluate.deep.rows import CEILING, FLOOR, NATURAL
from stst.evaluate.places import LIMITS, Place
from stst.report.strips import styles

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
