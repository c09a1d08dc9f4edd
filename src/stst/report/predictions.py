"""Next-frame predictions of clips at several rates: tables, and a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stst.evaluate.prednet.measures import Predicted
from stst.report.figures import COLOURS

Watched = Mapping[str, Mapping[int, Predicted]]  # clip -> every n-th frame -> its predictions
Row = dict[str, str | int | float | None]
_ORDINALS = {1: "", 2: "2nd ", 3: "3rd "}


def clip_rows(watched: Watched) -> list[Row]:
    """A row for each clip at each rate; the ratio is None where nothing changes."""
    return [
        {
            "clip": name,
            "every": every,
            "frames": len(found.mse),
            "mse": round(float(found.mse.mean()), 8),
            "repeat_mse": round(float(found.repeat_mse.mean()), 8),
            "ratio": None if math.isnan(found.ratio) else round(found.ratio, 4),
            "ssim": round(float(found.ssim.mean()), 4),
            "repeat_ssim": round(float(found.repeat_ssim.mean()), 4),
        }
        for name, rates in watched.items()
        for every, found in rates.items()
    ]


def frame_rows(watched: Watched) -> list[Row]:
    """A row for each frame that was predicted, by its place in the clip, from 0."""
    return [
        {
            "clip": name,
            "every": every,
            "frame": every * (index + 1),
            **{measure: round(float(values[index]), 8) for measure, values in vars(found).items()},
        }
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
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
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
    above.plot(frames, found.mse / unit, color=colour, linewidth=1.5, label=name)
    above.plot(frames, found.repeat_mse / unit, color=colour, linewidth=0.6)
    below.plot(frames, found.ssim, color=colour, linewidth=1.5)
    below.plot(frames, found.repeat_ssim, color=colour, linewidth=0.6)
