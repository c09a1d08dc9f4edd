"""Next-frame predictions of clips at several rates: tables, and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stst.drawing.figures import COLOURS, make_panels
from stst.metrics.prediction import PredictionErrors

Predictions = Mapping[str, Mapping[int, PredictionErrors]]  # clip -> every n-th frame -> errors
_ORDINALS = {1: "", 2: "2nd ", 3: "3rd "}
_ERRORS = ["mse", "ssim", "repeat_mse", "repeat_ssim"]


def frame_table(predictions: Predictions) -> pd.DataFrame:
    """A row for each frame that was predicted, by its place in the clip, from 0."""
    rows = [
        (name, every, every * (index + 1), *values)
        for name, rates in predictions.items()
        for every, errors in rates.items()
        for index, values in enumerate(zip(*(vars(errors)[e] for e in _ERRORS), strict=True))
    ]
    return pd.DataFrame(rows, columns=["clip", "every", "frame", *_ERRORS])


def clip_table(predictions: Predictions) -> pd.DataFrame:
    """Means of each clip at each rate; the ratio is NaN where nothing changes."""
    groups = frame_table(predictions).groupby(["clip", "every"], sort=False)
    table = groups[_ERRORS].mean().assign(frames=groups.size())
    table["ratio"] = (table["mse"] / table["repeat_mse"]).where(table["repeat_mse"] > 0)
    columns = ["frames", "mse", "repeat_mse", "ratio", "ssim", "repeat_ssim"]
    return table[columns].reset_index()


def prediction_figure(predictions: Predictions) -> Figure:
    """Draw the error of each predicted frame, a column for each rate, a colour for each clip."""
    rates = list(next(iter(predictions.values())))
    size = (1.5 + 4 * len(rates), 6)
    figure, panels = make_panels(2, len(rates), size=size, sharex="col", sharey="row")
    for (above, below), every in zip(panels.T, rates, strict=True):
        above.set_title(f"every {_ORDINALS.get(every, f'{every}th ')}frame")
        below.set_xlabel("frame of the clip")
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        for (name, by_rate), colour in zip(predictions.items(), cycle(COLOURS), strict=False):
            errors = by_rate[every]
            frames = every * np.arange(1, len(errors.mse) + 1)
            unit = errors.repeat_mse.mean() or np.nan
            own: dict[str, Any] = {"color": colour, "linewidth": 1.5}
            repeated: dict[str, Any] = {"color": colour, "linewidth": 0.6, "markersize": 3}
            above.plot(frames, errors.mse / unit, ".-", label=name, **own)
            above.plot(frames, errors.repeat_mse / unit, ".-", **repeated)
            below.plot(frames, errors.ssim, ".-", **own)
            below.plot(frames, errors.repeat_ssim, ".-", **repeated)
    panels[0, 0].set_ylabel("MSE / mean of repeating\nthe previous frame")
    panels[1, 0].set_ylabel("SSIM")
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False}
    panels[0, -1].legend(title="thin: repeating", **beside)
    return figure
