"""Ends of clips, which the Fourier transform takes to be neighbours, faded."""

from __future__ import annotations

import numpy as np

from stst.evaluate.luminance import Array


def faded(values: Array, window: Array) -> Array:
    """Values about the mean over time that the window sees, faded to 0."""
    return np.asarray((values - (values * window).sum(0) / window.sum()) * window)


def hann(length: int) -> Array:
    """Weights at the middles of samples, so that none is 0 and lost."""
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)
