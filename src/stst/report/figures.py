"""How a synthesis went, drawn: losses over the steps, and what is left of the gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    MultipleLocator,
    NullFormatter,
)
from PIL import Image

from stst.metrics.layer_trends import NATURAL
from stst.metrics.measures import MEASURES
from stst.metrics.tables import Value

# Told apart without colours too.
_MARKERS, _DASHES = "osD^vPX", ("-", "--", ":", "-.")


MATCHED = 0.25  # relative Gram error that the dashed line marks
# Okabe and Ito's palette: told apart with any colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#56b4e9", "#e69f00")
MARKERS = "osD^vPX"

Values = Sequence[float] | npt.NDArray[np.floating]


def loss_figure(
    losses: Mapping[str, Values],
    residuals: Mapping[str, Values],
    *,
    boundaries: Sequence[int] = (),
) -> Figure:
    """Draw each loss over the optimiser's steps, and each layer's residual over frames.

    Parameters
    ----------
    losses : mapping
        Name of a term, such as ``space_texture``, to its values in the order of the
        steps. Values that a logarithm cannot show (0, not finite) are left out.
    residuals : mapping
        ``loss/layer``, such as ``space_texture/block1_conv1``, to its relative error in
        each kept frame; lighter lines are earlier layers.
    boundaries : sequence of int
        Steps at which the next frame begins.

    Returns
    -------
    matplotlib.figure.Figure
        Free of pyplot, so nothing has to be closed.

    Examples
    --------
    >>> figure = loss_figure({"space_texture": [4.0, 2.0]}, {"space_texture/a": [0.1]})
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['optimiser step', 'kept frame']
    """
    figure = Figure(figsize=(10, 6), dpi=150, layout="constrained")
    upper, lower = figure.subplots(2, 1)
    terms = dict.fromkeys([*losses, *map(_term, residuals)])
    colours = dict(zip(terms, cycle(COLOURS), strict=False))
    _draw_losses(upper, losses, colours, boundaries)
    _draw_residuals(lower, residuals, colours)
    for axes in (upper, lower):
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
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
        broken = np.insert(_positive(values), breaks, np.nan)  # no line from frame to frame
        axes.plot(steps, broken, color=colours[name], linewidth=1, label=name)


def _draw_residuals(
    axes: Axes, residuals: Mapping[str, Values], colours: Mapping[str, str]
) -> None:
    axes.set(xlabel="kept frame", ylabel="relative error")
    axes.axhline(MATCHED, color="0.5", linewidth=1, linestyle="--", label=f"{MATCHED:g}")
    for term, colour in colours.items():
        layers = [name for name in residuals if _term(name) == term]
        for depth, name in enumerate(layers, 1):
            ink = 0.3 + 0.7 * depth / len(layers)
            tint = tuple(1 - ink * (1 - part) for part in to_rgb(colour))
            axes.plot(_positive(residuals[name]), ".-", color=tint, label=name)


def _term(layer: str) -> str:
    return layer.split("/")[0]


def _positive(values: Values) -> npt.NDArray[np.floating]:
    """Hide what a logarithm cannot show."""
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def png_bytes(picture: Image.Image | Figure) -> bytes:
    """Encode a picture or a figure as PNG; the same one gives the same bytes.

    A figure is drawn by Agg; neither carries a date or a version.
    """
    encoded = BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(encoded, format="png", metadata={"Software": None})
    else:
        picture.save(encoded, format="PNG")
    return encoded.getvalue()


_FRAMES = (
    "luminance", "contrast", "histogram", "pixel_change", "flicker", "spectral_slope",
    "flow", "speed", "direction", "coherence",
)  # fmt: skip
_BANDS = {
    "spatial_spectrum": ("log", "log"),
    "temporal_spectrum": ("linear", "log"),
    "orientation": ("linear", "linear"),
    "speed_histogram": ("bins", "linear"),
    "direction_histogram": ("linear", "linear"),
    "motion_energy": ("linear", "linear"),
}


def frame_figure(values: Iterable[Value]) -> Figure:
    """Measures of each frame of one stimulus; a line for each clip."""
    curves = _curves(values, _FRAMES, ("frame",))
    figure = Figure(figsize=(12, 5), dpi=150, layout="constrained")
    grid = figure.subplots(2, 5).ravel()
    for axes, name in zip(grid, _FRAMES, strict=True):
        _lines(axes, curves[name], name)
        axes.set_xlabel("frame")
    return _told(figure, grid[0])


def band_figure(values: Iterable[Value]) -> Figure:
    """Spectra and histograms of one stimulus; a line for each clip."""
    curves = _curves(values, _BANDS, ("cycles/px", "Hz", "degrees", "px/frame"))
    figure = Figure(figsize=(12, 6), dpi=150, layout="constrained")
    grid = figure.subplots(2, 3).ravel()
    for axes, (name, (across, up)) in zip(grid, _BANDS.items(), strict=True):
        _lines(axes, curves[name], name, bins=across == "bins")
        axes.set_yscale(up)
        if across == "log":
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        if "degrees" in _AXES[name]:
            axes.xaxis.set_major_locator(MultipleLocator(90 if "right" in _AXES[name] else 45))
        axes.set_xlabel(_AXES[name])
    return _told(figure, grid[0])


_AXES = {
    "spatial_spectrum": "cycles/px",
    "temporal_spectrum": "Hz",
    "orientation": "degrees, counter-clockwise from horizontal",
    "speed_histogram": "from px/frame",
    "direction_histogram": "degrees, counter-clockwise from right",
    "motion_energy": "degrees, counter-clockwise from right",
}


def xt_figure(values: Iterable[Value]) -> Figure:
    """The x-t spectrum of the first clip of each condition, on one scale of grey."""
    curves = _curves(values, ["xt_spectrum"], ("cycles/px; Hz",))["xt_spectrum"]
    shown = {name: next(iter(seeds.values())) for name, seeds in curves.items()}
    figure = Figure(figsize=(3.2 * len(shown) + 1, 3.2), dpi=150, layout="constrained")
    grid = figure.subplots(1, len(shown), squeeze=False)[0]
    top = max(max(high for _, high in points) for points in shown.values())
    for axes, (name, points) in zip(grid, shown.items(), strict=True):
        places = np.array([[float(part) for part in str(at).split("; ")] for at, _ in points])
        spatial, temporal = np.unique(places[:, 0]), np.unique(places[:, 1])
        height = np.array([value for _, value in points]).reshape(len(temporal), len(spatial))
        shade = np.log10(height.clip(top / 1e3))
        mesh = axes.pcolormesh(
            spatial, temporal, shade, cmap="cividis", vmin=np.log10(top / 1e3), vmax=np.log10(top)
        )
        axes.set(title=name, xlabel="cycles/px", ylabel="Hz (above 0: to the right)")
    figure.colorbar(mesh, ax=grid, label="log10 amplitude")
    return figure


Points = list[tuple[float | str, float]]


def _curves(
    values: Iterable[Value], names: Iterable[str], axes: tuple[str, ...]
) -> dict[str, dict[str, dict[int, Points]]]:
    """Measure -> condition -> seed -> points."""
    found: dict[str, dict[str, dict[int, Points]]] = {name: {} for name in names}
    for row in values:
        if row.measure in found and row.axis in axes:
            seeds = found[row.measure].setdefault(row.condition, defaultdict(list))
            seeds[row.seed].append((row.at, row.value))
    return found


def _lines(
    axes: Axes, conditions: Mapping[str, dict[int, Points]], name: str, *, bins: bool = False
) -> None:
    looks = styles(conditions)
    for condition, seeds in conditions.items():
        for index, points in enumerate(seeds.values()):
            places, heights = zip(*points, strict=True)
            label = condition if index == 0 else None
            across = range(len(places)) if bins else places
            axes.plot(across, heights, markersize=3, linewidth=1, label=label, **looks[condition])
            if bins:
                axes.set_xticks(range(len(places)), [f"{place:g}" for place in places])
    axes.set_title(MEASURES[name].label, fontsize="medium")
    axes.set_ylabel(MEASURES[name].unit, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)


def _told(figure: Figure, axes: Axes) -> Figure:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=6)
    return figure


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
