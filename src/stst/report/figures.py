"""How a synthesis went, drawn: losses over the steps, and what is left of the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from PIL import Image

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
