"""Luminance and its changes: pure functions of (T, H, W), 0 is black and 1 is white."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def mean_luminance(luminance: Array) -> Array:
    """Mean of each frame: (T, H, W) -> (T,)."""
    return np.asarray(luminance.mean((1, 2)))


def rms_contrast(luminance: Array) -> Array:
    """Standard deviation of each frame, not divided by the mean: (T, H, W) -> (T,)."""
    return np.asarray(luminance.std((1, 2)))


def pixel_change(luminance: Array) -> Array:
    """Mean absolute difference of each frame to the next: (T, H, W) -> (T - 1,)."""
    return np.array([np.abs(b - a).mean() for a, b in pairwise(luminance)])


def flicker(luminance: Array) -> Array:
    """How far pixels are from the mean of their neighbours in time: (T, H, W) -> (T - 2,).

    The mean absolute difference, of each frame but the first and the last: 0 for a change
    that goes on evenly, the whole step for one that goes back at once.
    """
    around = zip(luminance, luminance[1:], luminance[2:], strict=False)
    return np.array([np.abs(b - (a + c) / 2).mean() for a, b, c in around])


def drift(luminance: Array) -> float:
    """Change of mean luminance from the first frame to the last, by a straight line."""
    steps = np.arange(len(luminance))
    slope = np.polynomial.Polynomial.fit(steps, mean_luminance(luminance), 1).convert().coef
    return float(slope[1] * steps[-1]) if len(slope) > 1 else 0.0


def histogram_distance(luminance: Array, natural: Array) -> Array:
    """Distance between the histograms of luminance of each frame: two (T, H, W) -> (T,).

    The 1-Wasserstein distance: how far pixels would have to change on average for one
    histogram to become the other, wherever they are.
    """
    pairs = zip(luminance, natural, strict=True)
    return np.array([np.abs(np.sort(a, None) - np.sort(b, None)).mean() for a, b in pairs])
