"""Figures of an evaluation: curves over frames, spectra, layers, arrangement and residuals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, MultipleLocator, NullFormatter

from stst.drawing.figures import (
    NotebookFigure,
    Styles,
    bounds_note,
    draw_bounds,
    log_scale,
    make_panels,
    styles,
)
from stst.metrics.arrangement import LIMITS
from stst.metrics.chance import MARGIN
from stst.metrics.layer_trends import LAYER_MEASURES, VIEWS
from stst.metrics.measures import MEASURES
from stst.metrics.tables import CEILING, FLOOR, NATURAL

_FRAMES = (
    *("luminance", "contrast", "histogram", "pixel_change", "flicker", "spectral_slope"),
    *("flow", "speed", "direction", "coherence"),
)
_ANGLES = "degrees, counter-clockwise from "
_BANDS = {  # label and scale of the horizontal axis, scale of the vertical axis
    "spatial_spectrum": ("spatial frequency, cycles/px", "log", "log"),
    "temporal_spectrum": ("temporal frequency, Hz", "linear", "log"),
    "orientation": (_ANGLES + "horizontal", "linear", "linear"),
    "speed_histogram": ("lower edge of speed bin, px/frame", "bins", "linear"),
    "direction_histogram": (_ANGLES + "right", "linear", "linear"),
    "motion_energy": (_ANGLES + "right", "linear", "linear"),
}


def frame_figure(values: pd.DataFrame) -> Figure:
    """Draw measures over the frames of one stimulus.

    Parameters
    ----------
    values : DataFrame
        Rows of the table ``values`` for one stimulus.

    Returns
    -------
    Figure
        One panel per measure, one line per clip.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> figure = frame_figure(stst.evaluate(clip, {"same": clip}).values)
    >>> figure.axes[0].get_title()
    'mean luminance'
    """
    figure, grid = make_panels(2, 5, size=(12, 5))
    for axes, _, rows in _panels(grid.flat, _FRAMES, values):
        draw_curves(axes, rows, styles(values["condition"]))
        axes.set_xlabel("frame, from 0")
    return with_legend(figure, grid[0, 0])


def band_figure(values: pd.DataFrame) -> Figure:
    """Draw spectra and histograms of one stimulus.

    Parameters
    ----------
    values : DataFrame
        Rows of the table ``values`` for one stimulus.

    Returns
    -------
    Figure
        One panel per measure, one line per clip.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> figure = band_figure(stst.evaluate(clip, {"same": clip}).values)
    >>> figure.axes[0].get_title()
    'spatial spectrum'
    """
    figure, grid = make_panels(2, 3, size=(12, 6))
    for axes, name, rows in _panels(grid.flat, _BANDS, values):
        label, across, up = _BANDS[name]
        if across == "bins":
            edges = list(rows["at"].unique())
            rows = rows.assign(at=rows["at"].map(edges.index))
            axes.set_xticks(range(len(edges)), [f"{edge:g}" for edge in edges])
        draw_curves(axes, rows, styles(values["condition"]))
        axes.set_xlabel(label)
        if up == "log":
            log_scale(axes, "y")
        if across == "log":
            log_scale(axes, "x")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        if label.startswith(_ANGLES):
            axes.xaxis.set_major_locator(MultipleLocator(90 if label.endswith("right") else 45))
    return with_legend(figure, grid[0, 0])


_DEPTH = 1e3  # strongest amplitude / amplitude of the darkest colour


def xt_figure(values: pd.DataFrame) -> Figure:
    """Draw the x-t spectrum of the first clip of each condition.

    Parameters
    ----------
    values : DataFrame
        Rows of the table ``values`` for one stimulus.

    Returns
    -------
    Figure
        One panel per condition, on one colour scale. Motion to the left is below 0, motion to the
        right above. Half the frame rate, which has no direction, is in a row of its own.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> figure = xt_figure(stst.evaluate(clip, {"same": clip}).values)
    >>> figure.axes[0].get_title()
    'natural'
    """
    rows = values[(values["measure"] == "xt_spectrum") & (values["seed"] == 0)]
    places = rows["at"].str.split("; ", expand=True).astype(float)
    rows = rows.assign(x=places[0], y=places[1])
    conditions = rows["condition"].unique()
    figure = NotebookFigure(figsize=(3.2 * len(conditions) + 1, 3.2), dpi=150, layout="constrained")
    grid = figure.subplots(1, len(conditions), squeeze=False)[0]
    top = rows["value"].max() or 1.0
    colours = ScalarMappable(LogNorm(top / _DEPTH, top), "cividis")
    for axes, name in zip(grid, conditions, strict=True):
        surface = rows[rows["condition"] == name].pivot(index="y", columns="x", values="value")
        _draw_xt(axes, surface, colours)
        axes.set(title=name, xlabel="spatial frequency, cycles/px")
    grid[0].set_ylabel("temporal frequency, Hz\n(below 0: leftward, above 0: rightward)")
    for axes in grid[1:]:
        axes.set_ylabel("Hz")
    label = "amplitude (luminance, 0 to 1; log)"
    figure.colorbar(colours, ax=grid, label=label, extend="min")
    return figure


def _draw_xt(axes: Axes, surface: pd.DataFrame, colours: ScalarMappable) -> None:
    """Draw cells at their frequencies; half the frame rate is above the others, after a gap."""
    rates, step = surface.index.to_numpy(), np.diff(surface.index).min()
    either = rates > -rates.min() + step / 2
    shade = surface.to_numpy().clip(colours.norm.vmin)
    across = surface.columns.to_numpy()
    edges = np.concatenate([[1.5 * across[0] - across[1] / 2], (across[1:] + across[:-1]) / 2])
    edges = np.append(edges, across[-1] + (across[-1] - edges[-1]))
    look: dict[str, Any] = {"cmap": colours.cmap, "norm": colours.norm}
    for part, lift in ((rates < 0, 0.0), ((rates > 0) & ~either, 0.0), (either, step)):
        if part.any():
            ends = np.append(rates[part] - step / 2, rates[part][-1] + step / 2) + lift
            axes.pcolormesh(edges, ends, shade[part], **look)
    ticks = MaxNLocator(5).tick_values(rates[0], rates[~either][-1])
    ticks = ticks[np.abs(ticks) <= -rates[0] + step / 2]
    own = [(rate + step, f"{rate:.3g}, either") for rate in rates[either]]
    places, words = zip(*[*((tick, f"{tick:g}") for tick in ticks), *own], strict=True)
    axes.set_yticks(places, words)


def draw_curves(axes: Axes, rows: pd.DataFrame, looks: Styles) -> None:
    """Draw one line per clip.

    Parameters
    ----------
    axes : Axes
        Panel.
    rows : DataFrame
        Rows with ``condition``, ``seed``, ``at`` and ``value``.
    looks : mapping of str to dict
        Line style of each condition. The first seed of a condition is in the legend.

    Examples
    --------
    >>> axes = Figure().subplots()
    >>> rows = pd.DataFrame({"condition": "metamer", "seed": 0, "at": [0, 1], "value": [0.1, 0.2]})
    >>> draw_curves(axes, rows, {"metamer": {}})
    >>> len(axes.lines)
    1
    """
    for (condition, seed), own in rows.groupby(["condition", "seed"], sort=False):
        look = {"label": condition, "markersize": 3, "linewidth": 1} | looks[condition]
        axes.plot(own["at"].astype(float), own["value"], **look | ({"label": None} if seed else {}))


def with_legend(figure: Figure, axes: Axes) -> Figure:
    """Add one legend for all panels.

    Parameters
    ----------
    figure : Figure
        Figure.
    axes : Axes
        Panel whose lines are in the legend.

    Returns
    -------
    Figure
        The same figure.

    Examples
    --------
    >>> figure = Figure(layout="constrained")
    >>> with_legend(figure, figure.subplots()) is figure
    True
    """
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=6)
    return figure


def _panels(
    panels: Iterable[Axes], names: Iterable[str], values: pd.DataFrame
) -> Iterable[tuple[Axes, str, pd.DataFrame]]:
    """Yield each panel, with title and labels, its measure and the rows along its axis."""
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(MEASURES[name].label, fontsize="medium")
        axes.set_ylabel(MEASURES[name].unit, fontsize="small")
        yield axes, name, values[(values["measure"] == name) & (values["axis"] != "clip")]


_NAMES = 6  # layer names along the axis
_GREY: dict[str, Any] = {"color": "0.5", "linewidth": 1}
_ENDS: Styles = {
    CEILING: {"linestyle": "-", "label": "ceiling: noisy copies", **_GREY},
    FLOOR: {"linestyle": "--", "label": "floor: unrelated clips", **_GREY},
}

Ends = Callable[[Axes, pd.Series, pd.DataFrame], None]  # panel, positions, rows of a condition


def layer_figure(profiles: pd.DataFrame) -> Figure:
    """Draw the similarity of each condition in each layer of one network.

    Parameters
    ----------
    profiles : DataFrame
        Rows of the table ``profiles`` for one network.

    Returns
    -------
    Figure
        One column per measure, one row per view, with bounds. The grey area goes from floor
        (dashed) to ceiling (solid).

    Examples
    --------
    >>> from stst.metrics.layer_trends import profiles
    >>> from stst.metrics.tables import make_table
    >>> line = ("clip", "metamer", 0, "toy", "places", "cosine", "conv1", 0.0)
    >>> rows = [(*line, "natural", "clip", "", 0.8)]
    >>> figure = layer_figure(profiles(make_table("layers", rows)))
    >>> figure.axes[0].get_title()
    'cosine'
    """

    def ends(axes: Axes, places: pd.Series, rows: pd.DataFrame) -> None:
        axes.fill_between(places, rows["floor"], rows["ceiling"], color="0.92")
        axes.plot(places, rows["ceiling"], **_ENDS[CEILING])
        axes.plot(places, rows["floor"], **_ENDS[FLOOR])

    return _layer_grid(profiles, "similarity", ends)


def bias_figure(biases: pd.DataFrame) -> Figure:
    """Draw the bias of each condition in each layer of one network.

    Parameters
    ----------
    biases : DataFrame
        Rows of the table ``biases`` for one network.

    Returns
    -------
    Figure
        One column per measure, one row per view, with bounds. The grey area goes from the bias of
        the clip of the motion to that of the clip of the appearance.

    Examples
    --------
    >>> from stst.metrics.tables import make_table
    >>> row = ("metamer", "toy", "places", "cosine", "conv1", 0.0, 0.3, "", 1, 0.1)
    >>> figure = bias_figure(make_table("biases", [(*row, float("nan"), float("nan"), "none")]))
    >>> figure.axes[0].get_title()
    'cosine'
    """

    def ends(axes: Axes, places: pd.Series, rows: pd.DataFrame) -> None:
        limit = rows["limit"]
        axes.fill_between(places, -limit, limit, color="0.92", label="range of the natural clips")
        axes.axhline(0, **_GREY)

    return _layer_grid(biases, "bias (above 0: appearance)", ends)


def _layer_grid(rows: pd.DataFrame, label: str, ends: Ends) -> Figure:
    measures = {
        name: title for name, title in LAYER_MEASURES.items() if name in set(rows["measure"])
    }
    size = (1 + 3 * len(measures), 6)
    figure, grid = make_panels(len(VIEWS), len(measures), size=size, sharex=True)
    layers, looks = list(rows["layer"].unique()), styles(rows["condition"])
    for across, view in zip(grid, VIEWS, strict=True):
        for axes, measure in zip(across, measures, strict=True):
            shown = rows[(rows["view"] == view) & (rows["measure"] == measure)]
            _draw_layers(axes, shown, layers, looks, ends)
        for axes in across:
            axes.set_ylabel(f"{label}\n{VIEWS[view]}", fontsize="x-small")
    for axes, title in zip(grid[0], measures.values(), strict=True):
        axes.set_title(title, fontsize="medium")
    ticks = sorted({round(place) for place in np.linspace(0, len(layers) - 1, _NAMES)})
    for axes in grid[-1]:
        axes.set_xticks(ticks, [layers[tick] for tick in ticks], rotation=45, ha="right")
        axes.set_xlabel("layer, first to last")
    figure.supxlabel(bounds_note(rows["bounds"]), fontsize="small")
    return with_legend(figure, grid[0, 0])


def _draw_layers(
    axes: Axes, rows: pd.DataFrame, layers: Sequence[str], looks: Styles, ends: Ends
) -> None:
    """Draw one line per condition, and the area from floor to ceiling once."""
    for index, (condition, own) in enumerate(rows.groupby("condition", sort=False)):
        places, look = own["layer"].map(layers.index), looks[condition]
        if index == 0:
            ends(axes, places, own)
        axes.plot(places, own["mean"], markersize=3, label=condition, **look)
        draw_bounds(axes.vlines, places, own, look["color"])


def arrangement_figure(rows: pd.DataFrame) -> Figure:
    """Draw shape and layout over the frames of one stimulus.

    Parameters
    ----------
    rows : DataFrame
        Rows of the table ``arrangement`` for one stimulus.

    Returns
    -------
    Figure
        One column per part (luminance, colour), one row per measure. The light grey band is what
        chance alone can give a single film.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> figure = arrangement_figure(stst.evaluate(clip, {"same": clip}).arrangement)
    >>> figure.axes[0].get_title()
    'luminance'
    """
    rows = rows[(rows["axis"] == "frame") & (rows["reference"] == NATURAL)]
    measures, parts = ("shape", "layout"), rows["part"].unique()
    sharing = {"sharex": True, "sharey": "row"}
    figure, grid = make_panels(len(measures), len(parts), size=(10, 6), **sharing)
    looks = {**styles(rows.loc[~rows["condition"].isin(_ENDS), "condition"]), **_ENDS}
    for across, measure in zip(grid, measures, strict=True):
        _, limit, where = LIMITS[measure]
        across[0].set_ylabel(f"{measure}: correlation {where}", fontsize="small")
        for axes, part in zip(across, parts, strict=True):
            draw_curves(axes, rows[(rows["measure"] == measure) & (rows["part"] == part)], looks)
            axes.axhspan(-limit, limit, color="0.92")
    for axes, part in zip(grid[0], parts, strict=True):
        axes.set_title(part, fontsize="medium")
    for axes in grid[-1]:
        axes.set_xlabel("frame, from 0 (grey band: possible by chance)")
    return with_legend(figure, grid[0, 0])


def chance_figure(rows: pd.DataFrame) -> Figure:
    """Draw the residual of each matched layer of one stimulus.

    Parameters
    ----------
    rows : DataFrame
        Rows of the table ``chance`` for one stimulus.

    Returns
    -------
    Figure
        One row per layer, one mark per clip. In the grey bar a layer is matched. The black line
        goes from the 5th percentile to the median of the errors between unrelated frames.

    Examples
    --------
    >>> from stst.metrics.tables import make_table
    >>> row = ("clip", "metamer", 0, "space_texture/conv1", 0.1, 0.62, 0.8, 2)
    >>> chance_figure(make_table("chance", [row])).axes[0].get_ylabel()
    'matched layer'
    """
    nulls = rows.drop_duplicates("layer").reset_index(drop=True)
    layers = list(nulls["layer"])
    figure, ((axes,),) = make_panels(1, 1, size=(9, 1.5 + 0.3 * len(layers)))
    axes.barh(nulls.index, nulls["null"] / MARGIN, 0.9, color="0.9")
    for place, row in nulls.iterrows():
        axes.plot([row["null"], row["median"]], [place, place], "|-", color="black", linewidth=1)
    looks = styles(rows["condition"])
    for name, own in rows.groupby("condition", sort=False):
        places = own["layer"].map(layers.index)
        axes.plot(
            own["residual"], places, label=name, clip_on=False, **looks[name] | {"linestyle": ""}
        )
    axes.set_yticks(range(len(layers)), layers)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(
        "relative error of the layer\n(grey: matched; black: errors between unrelated frames, "
        "5th percentile to median)"
    )
    axes.set_ylabel("matched layer")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    return figure
