"""Measures of stimuli, drawn: errors, curves over frames, spectra and histograms."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter

from stst.drawing.figures import Styles, make_panels, styles
from stst.metrics.measures import MEASURES

_FRAMES = (
    *("luminance", "contrast", "histogram", "pixel_change", "flicker", "spectral_slope"),
    *("flow", "speed", "direction", "coherence"),
)
_ANGLES = "degrees, counter-clockwise from "
_BANDS = {  # abscissa, its scale, scale of the ordinate
    "spatial_spectrum": ("cycles/px", "log", "log"),
    "temporal_spectrum": ("Hz", "linear", "log"),
    "orientation": (_ANGLES + "horizontal", "linear", "linear"),
    "speed_histogram": ("from px/frame", "bins", "linear"),
    "direction_histogram": (_ANGLES + "right", "linear", "linear"),
    "motion_energy": (_ANGLES + "right", "linear", "linear"),
}


def frame_figure(values: pd.DataFrame) -> Figure:
    """Measures of each frame of one stimulus; a line for each clip."""
    figure, grid = make_panels(2, 5, size=(12, 5))
    for axes, _, rows in _panels(grid.flat, _FRAMES, values):
        draw_curves(axes, rows, styles(values["condition"]))
        axes.set_xlabel("frame")
    return with_legend(figure, grid[0, 0])


def band_figure(values: pd.DataFrame) -> Figure:
    """Spectra and histograms of one stimulus; a line for each clip."""
    figure, grid = make_panels(2, 3, size=(12, 6))
    for axes, name, rows in _panels(grid.flat, _BANDS, values):
        label, across, up = _BANDS[name]
        if across == "bins":
            edges = list(rows["at"].unique())
            rows = rows.assign(at=rows["at"].map(edges.index))
            axes.set_xticks(range(len(edges)), [f"{edge:g}" for edge in edges])
        draw_curves(axes, rows, styles(values["condition"]))
        axes.set_yscale(up)
        if across == "log":
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        if label.startswith(_ANGLES):
            axes.xaxis.set_major_locator(MultipleLocator(90 if label.endswith("right") else 45))
        axes.set_xlabel(label)
    return with_legend(figure, grid[0, 0])


def xt_figure(values: pd.DataFrame) -> Figure:
    """The x-t spectrum of the first clip of each condition, on one scale of colours."""
    rows = values[(values["measure"] == "xt_spectrum") & (values["seed"] == 0)]
    places = rows["at"].str.split("; ", expand=True).astype(float)
    rows = rows.assign(x=places[0], y=places[1])
    conditions = rows["condition"].unique()
    figure = Figure(figsize=(3.2 * len(conditions) + 1, 3.2), dpi=150, layout="constrained")
    grid = figure.subplots(1, len(conditions), squeeze=False)[0]
    top = rows["value"].max()
    for axes, name in zip(grid, conditions, strict=True):
        surface = rows[rows["condition"] == name].pivot(index="y", columns="x", values="value")
        shade = np.log10(surface.to_numpy().clip(top / 1e3))
        limits = {"vmin": np.log10(top / 1e3), "vmax": np.log10(top)}
        mesh = axes.pcolormesh(surface.columns, surface.index, shade, cmap="cividis", **limits)
        axes.set(title=name, xlabel="cycles/px", ylabel="Hz (above 0: to the right)")
    figure.colorbar(mesh, ax=grid, label="log10 amplitude")
    return figure


def draw_curves(axes: Axes, rows: pd.DataFrame, looks: Styles) -> None:
    """A line for each clip; the first of a condition is in the legend."""
    for (condition, seed), own in rows.groupby(["condition", "seed"], sort=False):
        look = {"label": condition, "markersize": 3, "linewidth": 1} | looks[condition]
        axes.plot(own["at"].astype(float), own["value"], **look | ({"label": None} if seed else {}))


def with_legend(figure: Figure, axes: Axes) -> Figure:
    """One legend for all panels, above them."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=6)
    return figure


def _panels(
    panels: Iterable[Axes], names: Iterable[str], values: pd.DataFrame
) -> Iterable[tuple[Axes, str, pd.DataFrame]]:
    """Each panel, with its title, a measure and its rows along its axis."""
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(MEASURES[name].label, fontsize="medium")
        axes.set_ylabel(MEASURES[name].unit, fontsize="small")
        yield axes, name, values[(values["measure"] == name) & (values["axis"] != "clip")]
