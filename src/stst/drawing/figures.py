"""Figures of results, and what all figures share: panels, styles and PNG output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from PIL import Image

if TYPE_CHECKING:
    import pandas as pd

NATURAL = "natural"  # the condition drawn in black
MATCHED = 0.25  # relative Gram error at the dashed line
# The palette of Okabe and Ito, distinguishable with any colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#56b4e9", "#e69f00")
MARKERS, _DASHES = "osD^vPX", ("-", "--", ":", "-.")  # distinguishable without colour

Values = Sequence[float] | npt.NDArray[np.floating]


class NotebookFigure(Figure):
    """A figure made without pyplot, which notebooks show all the same."""

    def _repr_png_(self) -> bytes:
        return png_bytes(self)


def make_panels(
    down: int,
    across: int,
    *,
    size: tuple[float, float],
    **more: Any,  # noqa: ANN401
) -> tuple[Figure, Any]:
    """Make a figure without pyplot and its panels, (down, across), without top or right spines."""
    figure = NotebookFigure(figsize=size, dpi=150, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, **more)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid


_DEPTH = 1e9  # ratio of the largest to the smallest value on a log axis; below is rounding


def log_scale(axes: Axes, which: str) -> None:
    """Make an axis, "x" or "y", logarithmic, add that to its label, and mark hidden values.

    Values of lines that are 0, negative or negligible are shown as triangles at the end of the
    axis.
    """
    lines = [line for line in axes.lines if line.get_transform() == axes.transData]
    side, marker = (0, "<") if which == "x" else (1, "v")
    edge = axes.get_yaxis_transform() if which == "x" else axes.get_xaxis_transform()
    data = [np.array(line.get_data(), np.float64) for line in lines]
    top = max((np.nanmax(both[side], initial=0) for both in data), default=0)
    marked = False
    for line, both in zip(lines, data, strict=True):
        beyond = both[side] <= top / _DEPTH
        if beyond.any():
            ends = both[:, beyond]
            ends[side] = 0
            look: dict[str, Any] = {"color": line.get_color(), "linestyle": "", "clip_on": False}
            axes.plot(*ends, marker, transform=edge, markersize=4, label="_too small", **look)
            both[side, beyond] = np.nan
            line.set_data(both)
            marked = True
    axes.relim()  # to the remaining values
    axis = axes.xaxis if which == "x" else axes.yaxis
    words = "\n(log; triangle: 0 or nearly)" if marked else " (log)"
    label = f"{axis.get_label_text()}{words}" if axis.get_label_text() else ""
    if not top > 0:  # Matplotlib warns if there are no positive values
        axes.set(**{f"{which}lim": (0.1, 1)})
    axes.set(**{f"{which}scale": "log", f"{which}label": label})


# Line styles of bounds, by their names in `stst.metrics.bounds`.
BOUND_LINES: dict[str, Any] = {
    "95 % interval": "-",
    "approximate interval": (0, (8, 1)),
    "97.5 % bound": "-.",
    "range": ":",
}
_LINE_WORDS = dict(zip(BOUND_LINES, ("line", "long dashes", "dash-dotted", "dotted"), strict=True))


def draw_bounds(
    lines: Callable[..., object],
    places: Sequence[float] | pd.Series,
    rows: pd.DataFrame,
    colour: str,
    value: str = "mean",
) -> None:
    """Draw the bounds of rows with `axes.hlines` or `vlines`, in the line style of their name.

    Where one end is missing the line ends at the value.
    """
    for name, dash in BOUND_LINES.items():
        own = rows["bounds"].to_numpy() == name
        low, high = (rows[end].fillna(rows[value])[own] for end in ("low", "high"))
        lines(np.asarray(places)[own], low, high, colour, linestyle=dash, linewidth=1.2)


def bounds_note(bounds: Iterable[str]) -> str:
    """Explain the line styles of the bounds that occur."""
    known = set(bounds)
    return "; ".join(f"{line}: {name}" for name, line in _LINE_WORDS.items() if name in known)


def loss_figure(
    losses: Mapping[str, Values],
    residuals: Mapping[str, Values],
    *,
    boundaries: Sequence[int] = (),
) -> Figure:
    """Plot losses over optimiser steps, and residuals of layers over frames.

    `residuals` maps ``loss/layer`` to the relative error of each kept frame; lighter lines are
    earlier layers. `boundaries` are the steps at which the next frame starts.
    """
    figure, ((upper,), (lower,)) = make_panels(2, 1, size=(10, 6))
    terms = dict.fromkeys([*losses, *map(_term, residuals)])
    colours = dict(zip(terms, cycle(COLOURS), strict=False))
    _draw_losses(upper, losses, colours, boundaries)
    _draw_residuals(lower, residuals, colours)
    for axes in (upper, lower):
        log_scale(axes, "y")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        if axes.lines:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    lower.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    lower.yaxis.set_major_formatter("{x:g}")
    lower.yaxis.set_minor_formatter(NullFormatter())
    return figure


def _draw_losses(
    axes: Axes,
    losses: Mapping[str, Values],
    colours: Mapping[str, str],
    boundaries: Sequence[int],
) -> None:
    axes.set(xlabel="optimiser step", ylabel="loss")
    axes.vlines(boundaries, 0, 1, "0.9", linewidth=0.8, transform=axes.get_xaxis_transform())
    for name, values in losses.items():
        breaks = [step for step in boundaries if 0 < step < len(values)]
        steps = np.insert(np.arange(len(values)), breaks, breaks)
        broken = np.insert(_finite(values), breaks, np.nan)  # no line between frames
        axes.plot(steps, broken, color=colours[name], linewidth=1, label=name)


def _draw_residuals(
    axes: Axes, residuals: Mapping[str, Values], colours: Mapping[str, str]
) -> None:
    axes.set(xlabel="kept frame", ylabel="relative error of a layer")
    axes.axhline(MATCHED, color="0.5", linewidth=1, linestyle="--", label=f"{MATCHED:g}")
    for term, colour in colours.items():
        layers = [name for name in residuals if _term(name) == term]
        for depth, name in enumerate(layers, 1):
            ink = 0.3 + 0.7 * depth / len(layers)
            tint = tuple(1 - ink * (1 - part) for part in to_rgb(colour))
            axes.plot(_finite(residuals[name]), ".-", color=tint, label=name)


def _term(layer: str) -> str:
    return layer.split("/")[0]


def _finite(values: Values) -> npt.NDArray[np.floating]:
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def png_bytes(picture: Image.Image | Figure) -> bytes:
    """Encode an image or figure as PNG without date or version, for reproducible bytes."""
    encoded = BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(encoded, format="png", metadata={"Software": None})
    else:
        picture.save(encoded, format="PNG")
    return encoded.getvalue()


Styles = Mapping[str, dict[str, Any]]  # keyword arguments of a line


def styles(conditions: Iterable[str]) -> Styles:
    """Return colour, marker and dash of each condition; the natural clip is black."""
    others = [name for name in dict.fromkeys(conditions) if name != NATURAL]
    colours = [colour for colour in COLOURS if colour != "#000000"]
    looks = {
        name: {
            "color": colours[index % len(colours)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": _DASHES[(index + 1) % len(_DASHES)],
        }
        for index, name in enumerate(others)
    }
    return {NATURAL: {"color": "black", "marker": ".", "linestyle": "-"}} | looks


_LINEAR = 0.2  # linear range of the error axis; logarithmic above
_SHARES = (0, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e6)
_APART = 0.22  # distance between the conditions of a measure, in rows


def error_figure(
    errors: pd.DataFrame, summary: pd.DataFrame, measures: Mapping[str, tuple[str, float]]
) -> Figure:
    """Plot errors as points, means as bars with bounds, and tolerances in grey.

    `measures` maps names to labels and tolerances. Conditions without a valid error are listed.
    """
    figure, ((axes,),) = make_panels(1, 1, size=(9, 8))
    rows = {name: row for row, name in enumerate(measures)}
    axes.barh(list(rows.values()), [most for _, most in measures.values()], 0.9, color="0.9")
    looks = styles(errors["condition"])
    others = [name for name in looks if name != NATURAL]
    for index, name in enumerate(others):
        look = looks[name] | {"linestyle": ""}
        own, means = (table[table["condition"] == name] for table in (errors, summary))
        shift = _APART * (index - (len(others) - 1) / 2)
        places = own["measure"].map(rows) + shift
        axes.plot(own["value"], places, markersize=4, alpha=0.5, **look)
        axes.plot([], [], label=name, **look)
        places = means["measure"].map(rows) + shift
        draw_bounds(axes.hlines, places, means, look["color"])
        mean = {"marker": "|", "markersize": 9, "markeredgewidth": 2}
        axes.plot(means["mean"], places, color=look["color"], linestyle="", **mean)
    axes.set_yticks(list(rows.values()), [label for label, _ in measures.values()])
    axes.set_ylim(len(measures) - 0.5, -0.5)
    axes.set_xscale("symlog", linthresh=_LINEAR)
    axes.set_xlim(left=0)
    untold = errors[errors["value"].isna()].groupby("measure")["condition"].unique()
    for name, conditions in untold.items():
        words = f"not testable: {', '.join(conditions)}"
        axes.text(0.01, rows[str(name)] + 0.42, words, fontsize=6, color="0.4")
    axes.set_xticks([tick for tick in _SHARES if tick <= axes.get_xlim()[1]])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(
        f"error against the natural clip (%; linear to {_LINEAR:.0%}, logarithmic above)\n"
        f"grey: called kept; bar: mean; {bounds_note(summary['bounds'])}"
    )
    axes.set_ylabel("measure")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    return figure
