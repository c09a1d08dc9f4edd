"""What is made equal between clips: mean, contrast or histogram of luminance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.ndimage import correlate1d

from stst.stimuli.light import Array

Statistic = Literal["mean", "rms", "histogram"]


def measured(groups: Array, statistic: Statistic) -> Array:
    """The statistic of each group of luminances: (n, N) -> (n, 1), (n, 2) or (n, N).

    The mean; the mean and the standard deviation; or all luminances, sorted.
    """
    if statistic == "histogram":
        return np.sort(groups, 1)
    mean: Array = groups.mean(1, keepdims=True)
    if statistic == "mean":
        return mean
    return np.hstack([mean, groups.std(1, keepdims=True)])


def average(found: Sequence[Array]) -> Array:
    """Average the statistics over the groups of each clip, then over clips: (n, k)s -> (k,).

    Sorted before they are added up, so that no rounding tells the order of the clips.
    """
    average: Array = np.sort([one.mean(0) for one in found], 0).mean(0)
    return average


def moved(frames: Array, groups: Array, target: Array, statistic: Statistic) -> Array:
    """Luminances that have the target statistic: (T, H, W), the same as (n, N) -> (n, N)."""
    if statistic == "histogram":
        return _ranked(frames, groups, target)
    now = measured(groups, statistic)
    if statistic == "mean":
        return groups * (target / now)
    scaled: Array = target[0] + (groups - now[:, :1]) * (target[1] / now[:, 1:])
    return scaled


def gap(groups: Array, target: Array, statistic: Statistic) -> float:
    """How far the worst group is from the target, in luminance.

    The larger of the differences of mean and contrast; or the mean difference of sorted
    luminances.
    """
    off = np.abs(measured(groups, statistic) - target)
    return float((off.mean(1) if statistic == "histogram" else off).max())


def _ranked(frames: Array, groups: Array, target: Array) -> Array:
    """Exact histogram specification: the k-th darkest px of a group gets the k-th target value.

    Of px as dark as each other that with the darker surround (3 x 3 px) comes first (after
    Coltuc, Bolon & Chassery 2006, IEEE Trans. Image Process. 15, 1143), and of those whose
    surround is equal too the order is random, the same in every frame: by position, an even
    area would become a slope.
    """
    surround = correlate1d(correlate1d(frames, np.ones(3), 1), np.ones(3), 2)
    dice = np.random.default_rng(0).permutation(frames[0].size).reshape(frames[0].shape)
    keys = (np.broadcast_to(dice, frames.shape), surround)
    order = np.lexsort((*(key.reshape(groups.shape) for key in keys), groups))
    made = np.empty_like(groups)
    np.put_along_axis(made, order, np.broadcast_to(target, groups.shape), 1)
    return made
