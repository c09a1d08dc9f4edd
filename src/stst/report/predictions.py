"""Next-frame predictions of clips at several rates: tables, and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stst.metrics.prediction import Predicted
from stst.report.figures import COLOURS

Watched = Mapping[str, Mapping[int, Predicted]]  # clip -> every n-th frame -> its predictions
_ORDINALS = {1: "", 2: "2nd ", 3: "3rd "}


class ClipRow(NamedTuple):
    """A clip at a rate: means over its predicted frames."""

    clip: str
    every: int
    frames: int
    mse: float
    repeat_mse: float
    ratio: float
    ssim: float
    repeat_ssim: float


class FrameRow(NamedTuple):
    """A frame that was predicted, by its place in the clip, from 0."""

    clip: str
    every: int
    frame: int
    mse: float
    ssim: float
    repeat_mse: float
    repeat_ssim: float


def clip_rows(watched: Watched) -> list[ClipRow]:
    """A row for each clip at each rate; the ratio is NaN where nothing changes."""
    return [
        ClipRow(
            clip=name,
            every=every,
            frames=len(found.mse),
            mse=float(found.mse.mean()),
            repeat_mse=float(found.repeat_mse.mean()),
            ratio=found.ratio,
            ssim=float(found.ssim.mean()),
            repeat_ssim=float(found.repeat_ssim.mean()),
        )
        for name, rates in watched.items()
        for every, found in rates.items()
    ]


def frame_rows(watched: Watched) -> list[FrameRow]:
    """A row for each frame that was predicted."""
    return [
        FrameRow(
            name,
            every,
            every * (index + 1),
            *(float(values[index]) for values in vars(found).values()),
        )
        for name, rates in watched.items()
        for every, found in rates.items()
        for index in range(len(found.mse))
    ]


def prediction_figure(watched: Watched) -> Figure:
    """Draw the error of each predicted frame, a column for each rate, a colour for each clip.

    Above, MSE over the clip's mean for repeating the previous frame; below, SSIM. Thin lines
    are those of repeating.

    Parameters
    ----------
    watched : mapping
        Clip -> every n-th frame -> `Predicted`, the same rates for all.

    Returns
    -------
    matplotlib.figure.Figure
        Free of pyplot, so nothing has to be closed.

    Examples
    --------
    >>> found = Predicted(*np.ones((4, 3)))
    >>> [axes.get_title() for axes in prediction_figure({"a": {1: found, 2: found}}).axes][:2]
    ['every frame', 'every 2nd frame']
    """
    rates = list(next(iter(watched.values())))
    figure = Figure(figsize=(1.5 + 4 * len(rates), 6), dpi=150, layout="constrained")
    panels = figure.subplots(2, len(rates), sharex="col", sharey="row", squeeze=False)
    for (above, below), every in zip(panels.T, rates, strict=True):
        above.set_title(f"every {_ORDINALS.get(every, f'{every}th ')}frame")
        below.set_xlabel("frame of the clip")
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        for (name, found), colour in zip(watched.items(), cycle(COLOURS), strict=False):
            _draw(above, below, found[every], every, colour, name)
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("MSE / mean of repeating\nthe previous frame")
    panels[1, 0].set_ylabel("SSIM")
    panels[0, -1].legend(
        loc="upper left", bbox_to_anchor=(1, 1), frameon=False, title="thin: repeating"
    )
    return figure


def _draw(above: Axes, below: Axes, found: Predicted, every: int, colour: str, name: str) -> None:
    frames = every * np.arange(1, len(found.mse) + 1)
    unit = found.repeat_mse.mean() or np.nan
    above.plot(frames, found.mse / unit, ".-", color=colour, linewidth=1.5, label=name)
    above.plot(frames, found.repeat_mse / unit, ".-", markersize=3, color=colour, linewidth=0.6)
    below.plot(frames, found.ssim, ".-", color=colour, linewidth=1.5)
    below.plot(frames, found.repeat_ssim, ".-", markersize=3, color=colour, linewidth=0.6)
