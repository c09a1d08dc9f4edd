"""How far the values of a clip are from those of the natural one; NaN where none can be said.

A gap takes the values of the natural clip and of the other, and returns a number.
"""

from __future__ import annotations

import math

import numpy as np

from stst.evaluate.luminance import Array

FAINT = 1e-3  # of the strongest band: weaker ones are rounding, and count as this strong


def relative(natural: Array, other: Array, *, scale: float, least: float) -> float:
    """Mean absolute difference in units of `scale`; NaN where that is below `least`.

    Examples
    --------
    >>> relative(np.array([1.0, 3.0]), np.array([1.5, 2.5]), scale=2, least=0.1)
    0.25
    """
    return float(np.abs(other - natural).mean() / scale) if scale >= least else math.nan


def bands(natural: Array, other: Array) -> float:
    """Mean over bands of the relative difference, so that each counts alike, weak or strong.

    Examples
    --------
    >>> round(bands(np.array([100.0, 1.0]), np.array([110.0, 0.7])), 6)
    0.2
    """
    least = FAINT * natural.max()
    return float((np.abs(other - natural) / natural.clip(least)).mean()) if least else math.nan


def shares(natural: Array, other: Array) -> float:
    """Share of one histogram that would have to go elsewhere to give the other.

    NaN where the natural one is empty.

    Examples
    --------
    >>> shares(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    0.25
    """
    return float(np.abs(other - natural).sum() / 2) if natural.any() else math.nan


def turn(natural: Array, other: Array) -> float:
    """Mean difference of directions in degrees, in half turns.

    Examples
    --------
    >>> turn(np.array([170.0]), np.array([-100.0]))
    0.5
    """
    return float((np.abs((other - natural + 180) % 360 - 180) / 180).mean())
