"""The measures of an evaluation, and the error of a clip in each of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy  # scipy.stats is slow to import: it loads on first use

from stst.errors import FramesError
from stst.metrics import luminance as light
from stst.metrics import motion, spectra
from stst.metrics.clips import Indices, kept_triples
from stst.metrics.luminance import Array
from stst.metrics.motion import DIS, Estimator, flow_within_shots
from stst.video.frames import Footage
from stst.video.light import Scale, luminances

LEAST_FRAMES, LEAST_SIDE = 4, 32  # a few frequencies for spectra, and room for flow patches


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """Hold what the measures are computed from.

    Parameters
    ----------
    luminance : ndarray
        Luminance, 0 (black) to 1 (white), shape (T, H, W).
    pairs : ndarray of int
        Index of the first frame of each pair of successive frames within a shot, shape (P,).
    flow : ndarray
        Optical flow of these pairs, px/frame to the right and DOWN, shape (P, 2, H, W).
    frame_rate : float
        Frames per second.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> features = clip_features(clip, "linear")
    >>> features.luminance.shape, features.flow.shape
    ((6, 64, 64), (5, 2, 64, 64))
    """

    luminance: Array
    pairs: Indices
    flow: Array
    frame_rate: float


def clip_features(
    footage: Footage, scale: Scale, flow: Estimator = DIS, cuts: frozenset[int] = frozenset()
) -> ClipFeatures:
    """Compute the luminance of a clip and its optical flow within shots.

    Parameters
    ----------
    footage : Clip or Film
        Clip of at least 4 frames, at least 32 px on each side.
    scale : {'linear', 'encoded'}
        Luminance scale.
    flow : Estimator, default DIS
        Optical-flow method.
    cuts : frozenset of int, optional
        Index of the first frame of each shot but the first.

    Returns
    -------
    ClipFeatures
        Luminance and flow.

    Raises
    ------
    FramesError
        If the clip is too short or too small.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> clip_features(clip, "linear", cuts=frozenset({3})).pairs.tolist()
    [0, 1, 3, 4]
    """
    height, width = footage.size
    if len(footage) < LEAST_FRAMES or min(height, width) < LEAST_SIDE:
        raise FramesError(
            f"an evaluation needs at least {LEAST_FRAMES} frames, with at least {LEAST_SIDE} px on "
            f"each side; got {len(footage)} frames of {width}x{height} px. Give a longer or larger "
            "clip."
        )
    field, pairs = flow_within_shots(footage, flow, cuts)
    return ClipFeatures(luminances(footage, scale), pairs, field, float(footage.frame_rate))


@dataclass(frozen=True, eq=False)
class Curve:
    """Hold the values of a measure along an axis.

    Parameters
    ----------
    axis : str
        ``"frame"``, ``"clip"`` (a single value), or the unit of `at`, such as ``"Hz"``.
    at : ndarray
        Places along the axis, shape (n,), or (n, 2) if the axis has two units.
    values : ndarray
        Values, shape (n,).
    mean : callable, default numpy.mean
        Function that averages over frames; angles need a circular mean.

    Examples
    --------
    >>> Curve("frame", np.arange(2), np.array([0.2, 0.4])).pooled
    0.30000000000000004
    """

    axis: str
    at: Array | Indices
    values: Array
    mean: Callable[[Array], float] = np.mean

    @cached_property
    def pooled(self) -> float | None:
        """Mean over the frames of the clip; None if the axis is not that of frames.

        Examples
        --------
        >>> Curve("Hz", np.array([1.0, 2]), np.array([0.2, 0.4])).pooled is None
        True
        """
        if self.axis not in ("frame", "clip"):
            return None
        return float(self.mean(self.values)) if len(self.values) else math.nan

    def rows(self) -> Iterator[tuple[str, float | str, float]]:
        """List the points, then the mean over frames.

        Yields
        ------
        tuple
            Axis, place and value, as in the table ``values``.

        Examples
        --------
        >>> list(Curve("Hz", np.array([1.0]), np.array([0.2])).rows())
        [('Hz', 1.0, 0.2)]
        """
        if self.axis != "clip":
            for at, value in zip(self.at, self.values, strict=True):
                place = "; ".join(f"{part:.6g}" for part in at) if at.ndim else float(at)
                yield self.axis, place, float(value)
        if self.pooled is not None:
            yield "clip", "", self.pooled


Find = Callable[[ClipFeatures, ClipFeatures], Curve]  # (clip, natural clip) -> curve
# (natural values, other values, natural clip) -> error: 0 if equal, NaN if not testable
Gap = Callable[[Array, Array, ClipFeatures], float]


def _of_frames(measure: Callable[[Array], Array]) -> Find:
    return lambda clip, _: _over_frames(measure(clip.luminance))


def _of_pairs(measure: Callable[[Array], Array], mean: Callable[[Array], float] = np.mean) -> Find:
    return lambda clip, _: Curve("frame", clip.pairs, measure(clip.flow), mean)


def _over_frames(values: Array) -> Curve:
    return Curve("frame", np.arange(len(values), dtype=np.float64), values)


def _of_clip(value: float) -> Curve:
    return Curve("clip", np.zeros(1), np.array([value]))


def _pixel_change(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    return Curve("frame", clip.pairs, light.pixel_change(clip.luminance)[clip.pairs])


def _flicker(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    first = kept_triples(clip.pairs)
    return Curve("frame", first, light.flicker(clip.luminance)[first])


def _spatial_spectrum(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    frequency, amplitude = spectra.spatial_spectrum(clip.luminance)
    return Curve("cycles/px", frequency, np.sqrt(np.square(amplitude).mean(0)))


def _spectral_slope(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    side = min(clip.luminance.shape[1:])
    return _over_frames(spectra.spectral_slope(*spectra.spatial_spectrum(clip.luminance), side))


def _orientation(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    angle, share = spectra.orientation_energy(clip.luminance)
    return Curve("degrees", angle, share.mean(0))


def _xt_spectrum(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    spatial, temporal, amplitude = spectra.xt_spectrum(clip.luminance, clip.frame_rate)
    places = np.stack(np.meshgrid(spatial, temporal), -1).reshape(-1, 2)
    return Curve("cycles/px; Hz", places, amplitude.ravel())


def _flow(clip: ClipFeatures, natural: ClipFeatures) -> Curve:
    errors = motion.end_point_error(clip.flow, _flow_at(natural, clip))
    return Curve("frame", clip.pairs, errors)


def _mean_field(clip: ClipFeatures, natural: ClipFeatures) -> Curve:
    fields = (flow.mean(0, keepdims=True) for flow in (clip.flow, _flow_at(natural, clip)))
    return _of_clip(float(motion.end_point_error(*fields)[0]))


def _flow_at(natural: ClipFeatures, clip: ClipFeatures) -> Array:
    """Return the natural flow of the pairs of a clip, which has at least the natural cuts."""
    if len(natural.pairs) == len(clip.pairs):
        return natural.flow
    return natural.flow[np.isin(natural.pairs, clip.pairs)]


LEVEL = 1 / 255  # one 8-bit level: smaller luminances are rounding error
SLOW = 0.1  # px/frame: optical flow cannot tell slower motion from rest
INCOHERENT = 0.1  # coherence below this has no clear direction
FAINT = 1e-3  # of the strongest band: weaker bands are rounding error and are raised to this


def relative(natural: Array, other: Array, *, scale: float, least: float) -> float:
    """Compute the mean absolute difference relative to a scale.

    Parameters
    ----------
    natural, other : ndarray
        Values of the natural and of the other clip, same shape.
    scale : float
        Divisor.
    least : float
        Smallest `scale` that can be tested.

    Returns
    -------
    float
        Error, 0 if the values are equal; NaN if `scale` is below `least`.

    Examples
    --------
    >>> relative(np.array([0.5]), np.array([0.6]), scale=0.5, least=0.01)
    0.19999999999999996
    """
    return float(np.abs(other - natural).mean() / scale) if scale >= least else math.nan


def bands(natural: Array, other: Array) -> float:
    """Compute the mean relative difference over frequency bands.

    Parameters
    ----------
    natural, other : ndarray
        Amplitudes of the natural and of the other clip, same shape.

    Returns
    -------
    float
        Error, in which weak and strong bands count alike; NaN if `natural` is 0.

    Examples
    --------
    >>> bands(np.array([1.0, 0.1]), np.array([1.5, 0.1]))
    0.25
    """
    least = FAINT * natural.max()
    return float((np.abs(other - natural) / natural.clip(least)).mean()) if least else math.nan


def shares(natural: Array, other: Array) -> float:
    """Compute the share of a histogram that differs from another.

    Parameters
    ----------
    natural, other : ndarray
        Shares of the natural and of the other clip, each with the sum 1.

    Returns
    -------
    float
        Share that would have to move to other bins, 0 to 1; NaN if `natural` is empty.

    Examples
    --------
    >>> shares(np.array([1.0, 0.0]), np.array([0.75, 0.25]))
    0.25
    """
    return float(np.abs(other - natural).sum() / 2) if natural.any() else math.nan


def turn(natural: Array, other: Array) -> float:
    """Compute the mean difference between directions, relative to 180 degrees.

    Parameters
    ----------
    natural, other : ndarray
        Directions of the natural and of the other clip, degrees.

    Returns
    -------
    float
        Error, 0 (same direction) to 1 (opposite).

    Examples
    --------
    >>> turn(np.array([170.0]), np.array([-170.0])) == 20 / 180
    True
    """
    return float((np.abs((other - natural + 180) % 360 - 180) / 180).mean())


def _of_own(least: float) -> Gap:
    """Divide by the mean of the natural clip."""
    return lambda a, b, _: relative(a, b, scale=float(np.abs(a).mean()), least=least)


def _of(other: Find, least: float) -> Gap:
    """Divide by the mean of another measure of the natural clip."""
    return lambda a, b, natural: relative(
        a, b, scale=other(natural, natural).pooled or 0, least=least
    )


def _plain(gap: Callable[[Array, Array], float]) -> Gap:
    return lambda a, b, _: gap(a, b)


def _moving(gap: Callable[[Array, Array], float], coherent: float = 0) -> Gap:
    """Return NaN unless the natural clip moves, and moves coherently if `coherent` is given."""

    def tested(a: Array, b: Array, natural: ClipFeatures) -> float:
        moves = motion.speed(natural.flow).mean() >= SLOW
        one_way = motion.coherence(natural.flow).mean() >= coherent
        return gap(a, b) if moves and one_way else math.nan

    return tested


@dataclass(frozen=True)
class Measure:
    """Define a measure and its error against the natural clip.

    Parameters
    ----------
    label : str
        Name on pages and in figures.
    unit : str
        Unit of the values.
    curve : callable
        Function from the features of a clip and of its natural clip to a `Curve`.
    gap : callable
        Function from natural values, other values and the features of the natural clip to an error.
    meaning : str
        What the error is.
    tolerance : float, default 0.15
        Largest error that counts as kept; our choice.

    Examples
    --------
    >>> MEASURES["contrast"].label, MEASURES["contrast"].tolerance
    ('RMS contrast', 0.15)
    """

    label: str
    unit: str
    curve: Find
    gap: Gap
    meaning: str
    tolerance: float = 0.15

    def error(self, own: Curve, other: Curve, natural: ClipFeatures) -> float:
        """Compute the error of a clip against its natural clip.

        Parameters
        ----------
        own : Curve
            Curve of the natural clip.
        other : Curve
            Curve of the other clip. Only frames that both curves have are compared.
        natural : ClipFeatures
            Features of the natural clip.

        Returns
        -------
        float
            Error, 0 if the values are equal; NaN if not testable.

        Examples
        --------
        >>> from stst import make_stimulus
        >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
        >>> features = clip_features(clip, "linear")
        >>> curve = MEASURES["contrast"].curve(features, features)
        >>> MEASURES["contrast"].error(curve, curve, features)
        0.0
        """
        values = own.values
        if own.axis == "frame":
            values = values[np.isin(own.at, other.at)]
        return self.gap(values, other.values, natural) if len(values) else math.nan


_LIGHT, _OWN = "luminance, 0 to 1", "mean difference / mean of the natural clip"
_BANDS = "relative difference, mean over frequencies"
_SHARES = "share of the histogram in other bins"
_SPEEDS = "mean distance / mean speed of the natural clip; a still clip has about 100 %"
_HALF = 0.5  # half the error of a still clip
_ENDS = "end-point error, px"

_LUMINANCE, _CONTRAST = _of_frames(light.mean_luminance), _of_frames(light.rms_contrast)
_SPEED = _of_pairs(motion.speed)
_DIRECTION = _of_pairs(motion.direction, lambda v: float(scipy.stats.circmean(v, 180, -180)))

MEASURES = {
    "luminance": Measure("mean luminance", _LIGHT, _LUMINANCE, _of_own(LEVEL), _OWN),
    "contrast": Measure("RMS contrast", _LIGHT, _CONTRAST, _of_own(LEVEL), _OWN),
    "histogram": Measure(
        "luminance histogram",
        "distance in luminance",
        lambda a, b: _over_frames(light.histogram_distance(a.luminance, b.luminance)),
        _of(_CONTRAST, LEVEL),
        "mean distance / RMS contrast of the natural clip",
    ),
    "drift": Measure(
        "luminance drift",
        "change of luminance, first to last frame",
        lambda clip, _: _of_clip(light.drift(clip.luminance)),
        _of(_LUMINANCE, LEVEL),
        "difference / mean luminance of the natural clip",
    ),
    "pixel_change": Measure(
        "pixel change", "change of luminance", _pixel_change, _of_own(LEVEL / 2), _OWN
    ),
    "flicker": Measure("flicker", "luminance", _flicker, _of_own(LEVEL / 4), _OWN),
    "spatial_spectrum": Measure(
        "spatial spectrum", "amplitude, luminance 0 to 1", _spatial_spectrum, _plain(bands), _BANDS
    ),
    "spectral_slope": Measure(
        "spectral slope", "exponent of frequency", _spectral_slope, _of_own(0.1), _OWN
    ),
    "orientation": Measure("orientation energy", "share", _orientation, _plain(shares), _SHARES),
    "temporal_spectrum": Measure(
        "temporal spectrum",
        "amplitude, luminance 0 to 1",
        lambda clip, _: Curve("Hz", *spectra.temporal_spectrum(clip.luminance, clip.frame_rate)),
        _plain(bands),
        _BANDS,
    ),
    "xt_spectrum": Measure(
        "x-t spectrum", "amplitude, luminance 0 to 1", _xt_spectrum, _plain(bands), _BANDS
    ),
    "flow": Measure("optical flow", _ENDS, _flow, _of(_SPEED, SLOW), _SPEEDS, _HALF),
    "mean_field": Measure("mean flow field", _ENDS, _mean_field, _of(_SPEED, SLOW), _SPEEDS, _HALF),
    "speed": Measure("speed", "px/frame", _SPEED, _of_own(SLOW), _OWN),
    "speed_histogram": Measure(
        "speed histogram",
        "share",
        lambda clip, _: Curve("px/frame", *motion.speed_histogram(clip.flow)),
        _moving(shares),
        _SHARES,
    ),
    "direction": Measure(
        "direction", "degrees", _DIRECTION, _moving(turn, INCOHERENT), "mean difference / 180°"
    ),
    "direction_histogram": Measure(
        "direction histogram",
        "share",
        lambda clip, _: Curve("degrees", *motion.direction_histogram(clip.flow)),
        _moving(shares),
        _SHARES,
    ),
    "coherence": Measure(
        "coherence of motion",
        "0 to 1",
        _of_pairs(motion.coherence),
        _moving(lambda a, b: float(np.abs(b - a).mean())),
        "mean difference",
    ),
    "motion_energy": Measure(
        "motion energy",
        "share",
        lambda clip, _: Curve("degrees", *motion.motion_energy(clip.luminance)),
        _moving(shares),
        _SHARES,
    ),
}
