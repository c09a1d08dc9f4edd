"""Next-frame predictions of clips at several frame steps: tables, and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stst.drawing.figures import COLOURS, log_scale, make_panels
from stst.metrics.prediction import PredictionErrors

Predictions = Mapping[str, Mapping[int, PredictionErrors]]  # clip -> frame step -> errors
_ORDINALS = {1: "", 2: "2nd ", 3: "3rd "}
_TALL = 10  # MSE / MSE of repeating from which the axis is logarithmic
_ERRORS = ["mse", "ssim", "repeat_mse", "repeat_ssim"]


def frame_table(predictions: Predictions) -> pd.DataFrame:
    """Make a table of the errors of each predicted frame.

    Parameters
    ----------
    predictions : mapping of str to mapping of int to PredictionErrors
        For each clip and frame step (``every``), its errors.

    Returns
    -------
    DataFrame
        One row per predicted frame; ``frame`` is its index in the clip.

    Examples
    --------
    >>> errors = PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)])
    >>> frame_table({"natural": {2: errors}}).values.tolist()
    [['natural', 2, 2, 0.1, 0.9, 0.2, 0.8]]
    """
    rows = [
        (name, every, every * (index + 1), *values)
        for name, rates in predictions.items()
        for every, errors in rates.items()
        for index, values in enumerate(zip(*(vars(errors)[e] for e in _ERRORS), strict=True))
    ]
    return pd.DataFrame(rows, columns=["clip", "every", "frame", *_ERRORS])


def clip_table(predictions: Predictions) -> pd.DataFrame:
    """Make a table of the mean errors of each clip at each frame step.

    Parameters
    ----------
    predictions : mapping of str to mapping of int to PredictionErrors
        For each clip and frame step (``every``), its errors.

    Returns
    -------
    DataFrame
        One row per clip and frame step, with the ratio of MSE to that of repeating the previous
        frame, its bounds and a verdict. The ratio is NaN if nothing changes.

    Examples
    --------
    >>> errors = PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)])
    >>> clip_table({"natural": {1: errors}})["ratio"].tolist()
    [0.5]
    """
    groups = frame_table(predictions).groupby(["clip", "every"], sort=False)
    table = groups[_ERRORS].mean().assign(frames=groups.size())
    table["ratio"] = (table["mse"] / table["repeat_mse"]).where(table["repeat_mse"] > 0)
    each = [errors for rates in predictions.values() for errors in rates.values()]
    ends = [errors.ratio_bounds[1:] for errors in each]
    table[["ratio_low", "ratio_high", "ratio_bounds"]] = pd.DataFrame(ends, table.index)
    table["verdict"] = [errors.verdict for errors in each]
    columns = ["frames", "mse", "repeat_mse", *(name for name in table if name.startswith("ratio"))]
    return table[[*columns, "ssim", "repeat_ssim", "verdict"]].reset_index()


def prediction_figure(predictions: Predictions) -> Figure:
    """Draw the error of each predicted frame.

    Parameters
    ----------
    predictions : mapping of str to mapping of int to PredictionErrors
        For each clip and frame step (``every``), its errors.

    Returns
    -------
    Figure
        One column per frame step, one colour per clip: above the MSE, below SSIM. The dashed line
        is the mean error of repeating the previous frame. The legend marks clips that do not
        change.

    Examples
    --------
    >>> errors = PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)])
    >>> len(prediction_figure({"natural": {1: errors}}).axes)
    2
    """
    rates = list(next(iter(predictions.values())))
    size = (1.5 + 4 * len(rates), 6)
    figure, panels = make_panels(2, len(rates), size=size, sharex="col", sharey="row")
    for (above, below), every in zip(panels.T, rates, strict=True):
        above.set_title(f"every {_ORDINALS.get(every, f'{every}th ')}frame")
        below.set_xlabel("frame of the clip, from 0")
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        for (name, by_rate), colour in zip(predictions.items(), cycle(COLOURS), strict=False):
            errors = by_rate[every]
            frames = every * np.arange(1, len(errors.mse) + 1)
            unit = errors.repeat_mse.mean() or np.nan
            own: dict[str, Any] = {"color": colour, "linewidth": 1.5}
            repeated: dict[str, Any] = {"color": colour, "linewidth": 0.6, "markersize": 3}
            label = name if errors.repeat_mse.any() else f"{name} (does not change)"
            above.plot(frames, errors.mse / unit, ".-", label=label, **own)
            above.plot(frames, errors.repeat_mse / unit, ".-", **repeated)
            below.plot(frames, errors.ssim, ".-", **own)
            below.plot(frames, errors.repeat_ssim, ".-", **repeated)
        above.axhline(1, color="0.4", linestyle="--", label="repeating the last frame, mean")
    panels[0, 0].set_ylabel("MSE / mean MSE of repeating\nthe last frame")
    panels[1, 0].set_ylabel("SSIM with the frame, -1 to 1")
    if any(
        (np.asarray(line.get_ydata()) > _TALL).any() for axes in panels[0] for line in axes.lines
    ):
        for axes in panels[0]:
            log_scale(axes, "y")
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False}
    panels[0, -1].legend(title="thin: repeating", **beside)
    return figure
