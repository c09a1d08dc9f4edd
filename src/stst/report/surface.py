"""Sensitivity, or accuracy at a contrast, over spatial and temporal frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from stst.analysis.cells import CellEstimate
from stst.analysis.sensitivity import CHANCE, Frequencies, FrequencyRange
from stst.drawing.figures import png_bytes
from stst.metrics.bounds import INTERVAL
from stst.report.evaluation import Picture

_OCTAVE = 2.0  # how wide an open end is drawn
_Box = tuple[float, float, float, float]  # left, right, bottom, top


def surface_picture(rows: Sequence[CellEstimate], known: Frequencies) -> Picture:
    """The figure, with what it shows in words."""
    shown = _shown(rows)
    told = (
        f"Surface: {shown[0].measure} in each cell of spatial frequency ({known.unit}) by temporal "
        f"frequency (Hz), both on logarithmic axes, as colour and as numbers with their bounds "
        f"({' or '.join(dict.fromkeys(row.bounds for row in shown))}). "
        "What was not measured is empty; open ends are drawn one octave wide. The table has the "
        "numbers."
    )
    return Picture(png_bytes(surface_figure(rows, known)), f"{shown[0].measure} by frequency", told)


def surface_figure(rows: Sequence[CellEstimate], known: Frequencies) -> Figure:
    """Draw the bands as rectangles: a panel for each condition and, of accuracy, contrast."""
    shown = _shown(rows)
    panels = list(dict.fromkeys((row.condition, _level(row)) for row in shown))
    figure = Figure(figsize=(7, 4.6 * len(panels)), dpi=150, layout="constrained")
    boxes = _boxes(known)
    colours = ScalarMappable(_scale(shown), "cividis")
    for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        for row in shown:
            if (row.condition, _level(row)) == panel and row.band in boxes:
                _draw(axes, row, boxes[row.band], colours)
        _frame(axes, known, boxes)
        axes.set_title(", ".join(filter(None, panel)), fontsize=10)
        below = (
            shown[0].measure == "accuracy" and min(r.value for r in shown) < colours.get_clim()[0]
        )
        how: dict[str, Any] = {"ticks": MaxNLocator(6), "format": "{x:.3g}"}
        how["extend"] = "min" if below else "neither"
        bar = figure.colorbar(colours, ax=axes, **how)
        unit = "share of right answers" if shown[0].measure == "accuracy" else "1 / contrast; log"
        bar.set_label(f"{shown[0].measure} ({unit})")
        bar.minorticks_off()
    return figure


def _shown(rows: Sequence[CellEstimate]) -> list[CellEstimate]:
    """Sensitivity, where a function was fitted; else accuracy."""
    found = [row for row in rows if row.measure == "sensitivity"]
    return found or [row for row in rows if row.measure == "accuracy"]


def _level(row: CellEstimate) -> str:
    return "" if math.isnan(row.level) else f"contrast {row.level:g}"


def _scale(rows: Sequence[CellEstimate]) -> Normalize:
    if rows[0].measure == "accuracy":
        return Normalize(CHANCE["detection"], 1, clip=True)
    low, high = min(row.value for row in rows), max(row.value for row in rows)
    return LogNorm(low / 1.1, high * 1.1)  # also if all values are the same


def _boxes(known: Frequencies) -> dict[str, _Box]:
    """The rectangle of each band; open ends are one octave wide."""
    space, time = _limits(known)
    return {
        band: (*_closed(passed.space, space), *_closed(passed.time, time))
        for band, passed in known.bands.items()
    }


def _limits(known: Frequencies) -> list[list[float]]:
    """All ends of bands in space and in time, in order."""
    sides = zip(*known.bands.values(), strict=True)
    return [sorted({end for band in side for end in band if end is not None}) for side in sides]


def _closed(side: FrequencyRange, limits: Sequence[float]) -> tuple[float, float]:
    return side.low or limits[0] / _OCTAVE, side.high or limits[-1] * _OCTAVE


def _draw(axes: Axes, row: CellEstimate, box: _Box, colours: ScalarMappable) -> None:
    left, right, bottom, top = box
    colour = colours.to_rgba(np.array(row.value))
    ink = "black" if np.dot((0.3, 0.59, 0.11, 0), colour) > 0.5 else "white"
    corner, size = (left, bottom), (right - left, top - bottom)
    axes.add_patch(Rectangle(corner, *size, facecolor=colour, edgecolor="white"))
    middle = math.sqrt(left * right), math.sqrt(bottom * top)
    low, high = ("\N{EN DASH}" if math.isnan(x) else f"{x:.3g}" for x in (row.low, row.high))
    few = f"\n({row.bounds})" if row.bounds != INTERVAL else ""
    told = f"{row.value:.3g}\n{low} to {high}{few}"
    axes.text(*middle, told, color=ink, ha="center", va="center", fontsize=9)


def _frame(axes: Axes, known: Frequencies, boxes: dict[str, _Box]) -> None:
    """Logarithmic axes over all bands, with the limits of the bands as ticks."""
    lefts, rights, bottoms, tops = zip(*boxes.values(), strict=True)
    axes.set(xscale="log", yscale="log")
    axes.set(xlim=(min(lefts), max(rights)), ylim=(min(bottoms), max(tops)))
    axes.set(xlabel=f"spatial frequency ({known.unit}; log)", ylabel="temporal frequency (Hz; log)")
    space, time = _limits(known)
    axes.set_xticks(space, [f"{limit:.3g}" for limit in space])
    axes.set_yticks(time, [f"{limit:.3g}" for limit in time])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
