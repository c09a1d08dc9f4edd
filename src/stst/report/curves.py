"""Curves of an evaluation over frames and frequencies, a line for each clip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter

from stst.evaluate.measures import MEASURES
from stst.evaluate.tables import Value
from stst.report.strips import styles

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
