"""Luminance and its changes.

All functions take luminance of shape (T, H, W), where 0 is black and 1 is white.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def mean_luminance(luminance: Array) -> Array:
    """Compute the mean luminance of each frame.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    ndarray
        Mean luminance, shape (T,).

    Examples
    --------
    >>> clip = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    >>> mean_luminance(clip).tolist()
    [0.0, 1.0]
    """
    return np.asarray(luminance.mean((1, 2)))


def rms_contrast(luminance: Array) -> Array:
    """Compute the RMS contrast of each frame.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    ndarray
        Standard deviation of luminance, shape (T,). It is not divided by the mean.

    Examples
    --------
    >>> checks = np.indices((4, 4)).sum(0) % 2
    >>> rms_contrast(checks[None]).tolist()
    [0.5]
    """
    return np.asarray(luminance.std((1, 2)))


def pixel_change(luminance: Array) -> Array:
    """Compute the mean absolute difference between successive frames.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    ndarray
        Mean absolute difference, shape (T - 1,).

    Examples
    --------
    >>> clip = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    >>> pixel_change(clip).tolist()
    [1.0]
    """
    return np.array([np.abs(b - a).mean() for a, b in pairwise(luminance)])


def flicker(luminance: Array) -> Array:
    """Compute how far pixels are from the mean of the previous and the next frame.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    ndarray
        Mean absolute difference, shape (T - 2,). A steady change of luminance has no flicker.

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 5)[:, None, None] * np.ones((4, 4))
    >>> flicker(ramp).tolist()
    [0.0, 0.0, 0.0]
    """
    around = zip(luminance, luminance[1:], luminance[2:], strict=False)
    return np.array([np.abs(b - (a + c) / 2).mean() for a, b, c in around])


def drift(luminance: Array) -> float:
    """Compute the drift of mean luminance over a clip.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    float
        Rise of the straight line fitted to mean luminance, first frame to last.

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 5)[:, None, None] * np.ones((4, 4))
    >>> round(drift(ramp), 6)
    1.0
    """
    steps = np.arange(len(luminance))
    slope = np.polynomial.Polynomial.fit(steps, mean_luminance(luminance), 1).convert().coef
    return float(slope[1] * steps[-1]) if len(slope) > 1 else 0.0


def histogram_distance(luminance: Array, natural: Array) -> Array:
    """Compute the distance between the luminance histograms of two clips, frame by frame.

    Parameters
    ----------
    luminance, natural : ndarray
        Luminance of both clips, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    ndarray
        1-Wasserstein distance in units of luminance, shape (T,).

    Examples
    --------
    >>> dark, bright = np.full((1, 4, 4), 0.2), np.full((1, 4, 4), 0.5)
    >>> histogram_distance(bright, dark).round(6).tolist()
    [0.3]
    """
    pairs = zip(luminance, natural, strict=True)
    return np.array([np.abs(np.sort(a, None) - np.sort(b, None)).mean() for a, b in pairs])
