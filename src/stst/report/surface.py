"""Figure of sensitivity, or of accuracy at a contrast, over spatial and temporal frequency."""

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
from stst.drawing.figures import NotebookFigure, png_bytes
from stst.metrics.bounds import APPROXIMATE, INTERVAL
from stst.report.evaluation import Picture

_OCTAVE = 2.0  # width of a band without limit on one side
_Box = tuple[float, float, float, float]  # left, right, bottom, top


def surface_picture(rows: Sequence[CellEstimate], known: Frequencies) -> Picture:
    """Draw the surface, with its texts for the page.

    Parameters
    ----------
    rows : sequence of CellEstimate
        Estimates of each condition, band and level.
    known : Frequencies
        Frequency bands of the experiment.

    Returns
    -------
    Picture
        Figure, title and alternative text.

    Examples
    --------
    >>> from stst.analysis.sensitivity import BandLimits
    >>> limits = BandLimits(FrequencyRange(1, 4), FrequencyRange(None, 8))
    >>> band = ("metamer", "middle", 0.1, "", "all", 4, 80)
    >>> row = CellEstimate("accuracy", *band, 0.8, 0.7, 0.9, 0.5, "95 % interval")
    >>> surface_picture([row], Frequencies("cycles/deg", {"middle": limits})).title
    'accuracy by frequency'
    """
    shown = _shown(rows)
    alt = (
        f"Surface: {shown[0].measure} by spatial frequency ({known.unit}) and temporal frequency "
        "(Hz), both on logarithmic axes, as colour and as numbers with their bounds "
        f"({' or '.join(dict.fromkeys(row.bounds for row in shown))}). "
        "Cells that were not measured are empty; bands without a limit are drawn one octave wide. "
        "The table has the numbers."
    )
    return Picture(png_bytes(surface_figure(rows, known)), f"{shown[0].measure} by frequency", alt)


def surface_figure(rows: Sequence[CellEstimate], known: Frequencies) -> Figure:
    """Draw sensitivity or accuracy in each frequency band.

    Parameters
    ----------
    rows : sequence of CellEstimate
        Estimates of each condition, band and level. Sensitivity is drawn if a psychometric function
        was fitted, accuracy otherwise.
    known : Frequencies
        Frequency bands of the experiment.

    Returns
    -------
    Figure
        One panel per condition and, for accuracy, per contrast. Each band is a rectangle with its
        value and bounds.

    Examples
    --------
    >>> from stst.analysis.sensitivity import BandLimits
    >>> limits = BandLimits(FrequencyRange(1, 4), FrequencyRange(None, 8))
    >>> band = ("metamer", "middle", 0.1, "", "all", 4, 80)
    >>> row = CellEstimate("accuracy", *band, 0.8, 0.7, 0.9, 0.5, "95 % interval")
    >>> surface_figure([row], Frequencies("cycles/deg", {"middle": limits})).axes[0].get_xlabel()
    'spatial frequency (cycles/deg; log)'
    """
    shown = _shown(rows)
    panels = list(dict.fromkeys((row.condition, _level(row)) for row in shown))
    figure = NotebookFigure(figsize=(7, 4.6 * len(panels)), dpi=150, layout="constrained")
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
        unit = "share correct" if shown[0].measure == "accuracy" else "1 / contrast; log"
        bar.set_label(f"{shown[0].measure} ({unit})")
        bar.minorticks_off()
    return figure


def _shown(rows: Sequence[CellEstimate]) -> list[CellEstimate]:
    """Return sensitivity if a function was fitted, else accuracy."""
    sensitivity = [row for row in rows if row.measure == "sensitivity"]
    return sensitivity or [row for row in rows if row.measure == "accuracy"]


def _level(row: CellEstimate) -> str:
    return "" if math.isnan(row.level) else f"contrast {row.level:g}"


def _scale(rows: Sequence[CellEstimate]) -> Normalize:
    if rows[0].measure == "accuracy":
        return Normalize(CHANCE["detection"], 1, clip=True)
    low, high = min(row.value for row in rows), max(row.value for row in rows)
    return LogNorm(low / 1.1, high * 1.1)  # works if all values are equal, too


def _boxes(known: Frequencies) -> dict[str, _Box]:
    """Return the rectangle of each band; open ends are one octave wide."""
    space, time = _limits(known)
    return {
        band: (*_closed(passed.space, space), *_closed(passed.time, time))
        for band, passed in known.bands.items()
    }


def _limits(known: Frequencies) -> list[list[float]]:
    """Return all limits of bands in space and in time, in order."""
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
    few = f"\n({row.bounds})" if row.bounds not in (INTERVAL, APPROXIMATE) else ""
    text = f"{row.value:.3g}\n{low} to {high}{few}"
    axes.text(*middle, text, color=ink, ha="center", va="center", fontsize=9)


def _frame(axes: Axes, known: Frequencies, boxes: dict[str, _Box]) -> None:
    """Set logarithmic axes over all bands, with ticks at the limits of the bands."""
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
