"""The table of all measures: what each is called, and what an error in it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stst.metrics import curves, motion
from stst.metrics.curves import Curve, Seen
from stst.metrics.luminance import Array

Gap = Callable[[Array, Array, Seen], float]

LEVEL = 1 / 255  # of 8 bits: luminance below it is rounding
SLOW = 0.1  # px a frame: slower is at rest, as far as the flow can tell
INCOHERENT = 0.1  # below it there is no one direction


@dataclass(frozen=True)
class Measure:
    """A measure, and how far another clip is from the natural one in it.

    Parameters
    ----------
    label : str
        What people call it.
    unit : str
        Of its values.
    curve : callable
        (the clip, the natural one), both `Seen` -> `Curve`.
    gap : callable
        (values of the natural clip, values of the other, the natural clip) -> error, 0 for
        none; NaN where the natural clip has too little to tell.
    meaning : str
        Of the error: "difference in ...".
    tolerance : float
        The largest error that is called kept. Our choice.
    """

    label: str
    unit: str
    curve: Callable[[Seen, Seen], Curve]
    gap: Gap
    meaning: str
    tolerance: float = 0.15


def _of_own(least: float) -> Gap:
    """In means of what the natural clip has."""
    return lambda a, b, _: relative(a, b, scale=float(np.abs(a).mean()), least=least)


def _of(other: Callable[[Seen, Seen], Curve], least: float) -> Gap:
    """In means of another measure of the natural clip."""
    return lambda a, b, natural: relative(
        a, b, scale=other(natural, natural).pooled or 0, least=least
    )


def _plain(gap: Callable[[Array, Array], float]) -> Gap:
    return lambda a, b, _: gap(a, b)


def _moving(gap: Callable[[Array, Array], float], coherent: float = 0) -> Gap:
    """An error that only a natural clip that moves can have."""

    def tested(a: Array, b: Array, natural: Seen) -> float:
        moves = motion.speed(natural.flow).mean() >= SLOW
        return gap(a, b) if moves and _coherence(natural) >= coherent else math.nan

    return tested


def _coherence(clip: Seen) -> float:
    return float(motion.coherence(clip.flow).mean())


def _difference(a: Array, b: Array) -> float:
    return float(np.abs(b - a).mean())


_LIGHT, _OWN = "luminance, 0 to 1", "difference in means of the natural clip"
_BANDS = "relative difference, mean over frequencies"
_SHARES = "share of the histogram that is elsewhere"
_SPEEDS = "distance in mean speeds of the natural clip: a still clip has about 100 %"
_HALF = 0.5  # of what a still clip has


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


MEASURES = {
    "luminance": Measure("mean luminance", _LIGHT, curves.luminance, _of_own(LEVEL), _OWN),
    "contrast": Measure("RMS contrast", _LIGHT, curves.contrast, _of_own(LEVEL), _OWN),
    "histogram": Measure(
        "luminance histogram",
        "distance in luminance",
        curves.histogram,
        _of(curves.contrast, LEVEL),
        "distance in contrasts of the natural clip",
    ),
    "drift": Measure(
        "luminance drift",
        "luminance, first frame to last",
        curves.drift,
        _of(curves.luminance, LEVEL),
        "difference in mean luminances of the natural clip",
    ),
    "pixel_change": Measure(
        "pixel change", "luminance, frame to frame", curves.pixel_change, _of_own(LEVEL / 2), _OWN
    ),
    "flicker": Measure("flicker", "luminance", curves.flicker, _of_own(LEVEL / 4), _OWN),
    "spatial_spectrum": Measure(
        "spatial spectrum", "amplitude", curves.spatial_spectrum, _plain(bands), _BANDS
    ),
    "spectral_slope": Measure(
        "spectral slope", "exponent of frequency", curves.spectral_slope, _of_own(0.1), _OWN
    ),
    "orientation": Measure(
        "orientation energy", "share", curves.orientation, _plain(shares), _SHARES
    ),
    "temporal_spectrum": Measure(
        "temporal spectrum", "amplitude", curves.temporal_spectrum, _plain(bands), _BANDS
    ),
    "xt_spectrum": Measure("x-t spectrum", "amplitude", curves.xt_spectrum, _plain(bands), _BANDS),
    "flow": Measure(
        "optical flow",
        "end-point error, px",
        curves.flow,
        _of(curves.speed, SLOW),
        _SPEEDS,
        _HALF,
    ),
    "mean_field": Measure(
        "mean flow field",
        "end-point error, px",
        curves.mean_field,
        _of(curves.speed, SLOW),
        _SPEEDS,
        _HALF,
    ),
    "speed": Measure("speed", "px/frame", curves.speed, _of_own(SLOW), _OWN),
    "speed_histogram": Measure(
        "speed histogram", "share", curves.speed_histogram, _moving(shares), _SHARES
    ),
    "direction": Measure(
        "direction",
        "degrees",
        curves.direction,
        _moving(turn, INCOHERENT),
        "difference in half turns",
    ),
    "direction_histogram": Measure(
        "direction histogram", "share", curves.direction_histogram, _moving(shares), _SHARES
    ),
    "coherence": Measure(
        "coherence of motion", "0 to 1", curves.coherence, _moving(_difference), "difference"
    ),
    "motion_energy": Measure("motion energy", "share", curves.energy, _moving(shares), _SHARES),
}
