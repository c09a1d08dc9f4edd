"""The table of all measures: how each is found in a clip, and what an error in it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import circmean

from stst.errors import FramesError
from stst.metrics import luminance as light
from stst.metrics import motion
from stst.metrics.clips import Indices, kept_triples
from stst.metrics.luminance import Array
from stst.metrics.motion import DIS, Estimator, flow_within_shots
from stst.video.frames import Footage
from stst.video.light import Scale, luminances

LEAST_FRAMES, LEAST_SIDE = 4, 32  # for spectra to have a few frequencies, and the flow its patches


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """What the measures are made of."""

    luminance: Array  # (T, H, W), 0 is black and 1 is white
    pairs: Indices  # (P,), the first frame of each pair of neighbours that are of one shot
    flow: Array  # (P, 2, H, W), px a frame, right and DOWN, of these pairs
    frame_rate: float  # frames per second


def clip_features(
    footage: Footage, scale: Scale, flow: Estimator = DIS, cuts: frozenset[int] = frozenset()
) -> ClipFeatures:
    """Luminance of a clip on a scale of `stst.video.light`, and its flow within shots."""
    height, width = footage.size
    if len(footage) < LEAST_FRAMES or min(height, width) < LEAST_SIDE:
        raise FramesError(
            f"{len(footage)} frames of {width}x{height} px are too few to be measured: give at "
            f"least {LEAST_FRAMES} frames of {LEAST_SIDE} px a side."
        )
    field, pairs = flow_within_shots(footage, flow, cuts)
    return ClipFeatures(luminances(footage, scale), pairs, field, float(footage.frame_rate))


@dataclass(frozen=True, eq=False)
class Curve:
    """Values of a measure along an axis."""

    axis: str  # "frame", "clip" (one value), or the unit of `at`
    at: Array | Indices  # (n,), or (n, 2) where the unit is of two, as of the x-t spectrum
    values: Array  # (n,)
    mean: Callable[[Array], float] = np.mean  # over frames; another one where they are angles

    @cached_property
    def pooled(self) -> float | None:
        """The mean over the frames of the clip, where the axis is that of frames."""
        if self.axis not in ("frame", "clip"):
            return None
        return float(self.mean(self.values)) if len(self.values) else math.nan

    def rows(self) -> Iterator[tuple[str, float | str, float]]:
        """Axis, place and value of each point, and of the mean over frames."""
        if self.axis != "clip":
            for at, value in zip(self.at, self.values, strict=True):
                place = "; ".join(f"{part:.6g}" for part in at) if at.ndim else float(at)
                yield self.axis, place, float(value)
        if self.pooled is not None:
            yield "clip", "", self.pooled


Find = Callable[[ClipFeatures, ClipFeatures], Curve]  # of a clip, beside its natural one
# Natural values, others, natural clip -> error, 0 for none; NaN where there is too little to tell.
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
    frequency, amplitude = light.spatial_spectrum(clip.luminance)
    return Curve("cycles/px", frequency, np.sqrt(np.square(amplitude).mean(0)))


def _spectral_slope(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    side = min(clip.luminance.shape[1:])
    return _over_frames(light.spectral_slope(*light.spatial_spectrum(clip.luminance), side))


def _orientation(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    angle, share = light.orientation_energy(clip.luminance)
    return Curve("degrees", angle, share.mean(0))


def _xt_spectrum(clip: ClipFeatures, _: ClipFeatures) -> Curve:
    spatial, temporal, amplitude = light.xt_spectrum(clip.luminance, clip.frame_rate)
    places = np.stack(np.meshgrid(spatial, temporal), -1).reshape(-1, 2)
    return Curve("cycles/px; Hz", places, amplitude.ravel())


def _flow(clip: ClipFeatures, natural: ClipFeatures) -> Curve:
    errors = motion.end_point_error(clip.flow, _flow_at(natural, clip))
    return Curve("frame", clip.pairs, errors)


def _mean_field(clip: ClipFeatures, natural: ClipFeatures) -> Curve:
    fields = (flow.mean(0, keepdims=True) for flow in (clip.flow, _flow_at(natural, clip)))
    return _of_clip(float(motion.end_point_error(*fields)[0]))


def _flow_at(natural: ClipFeatures, clip: ClipFeatures) -> Array:
    """The natural flow of the pairs of a clip, which has the natural cuts at least."""
    if len(natural.pairs) == len(clip.pairs):
        return natural.flow
    return natural.flow[np.isin(natural.pairs, clip.pairs)]


LEVEL = 1 / 255  # of 8 bits: luminance below it is rounding
SLOW = 0.1  # px a frame: slower is at rest, as far as the flow can tell
INCOHERENT = 0.1  # below it there is no one direction
FAINT = 1e-3  # of the strongest band: weaker ones are rounding, and count as this strong


def relative(natural: Array, other: Array, *, scale: float, least: float) -> float:
    """Mean absolute difference in units of `scale`; NaN where that is below `least`."""
    return float(np.abs(other - natural).mean() / scale) if scale >= least else math.nan


def bands(natural: Array, other: Array) -> float:
    """Mean over bands of the relative difference, so that each counts alike, weak or strong."""
    least = FAINT * natural.max()
    return float((np.abs(other - natural) / natural.clip(least)).mean()) if least else math.nan


def shares(natural: Array, other: Array) -> float:
    """Share of one histogram that would have to go elsewhere to give the other; NaN of an empty."""
    return float(np.abs(other - natural).sum() / 2) if natural.any() else math.nan


def turn(natural: Array, other: Array) -> float:
    """Mean difference of directions in degrees, in half turns."""
    return float((np.abs((other - natural + 180) % 360 - 180) / 180).mean())


def _of_own(least: float) -> Gap:
    """In means of what the natural clip has."""
    return lambda a, b, _: relative(a, b, scale=float(np.abs(a).mean()), least=least)


def _of(other: Find, least: float) -> Gap:
    """In means of another measure of the natural clip."""
    return lambda a, b, natural: relative(
        a, b, scale=other(natural, natural).pooled or 0, least=least
    )


def _plain(gap: Callable[[Array, Array], float]) -> Gap:
    return lambda a, b, _: gap(a, b)


def _moving(gap: Callable[[Array, Array], float], coherent: float = 0) -> Gap:
    """An error that only a natural clip that moves can have."""

    def tested(a: Array, b: Array, natural: ClipFeatures) -> float:
        moves = motion.speed(natural.flow).mean() >= SLOW
        one_way = motion.coherence(natural.flow).mean() >= coherent
        return gap(a, b) if moves and one_way else math.nan

    return tested


@dataclass(frozen=True)
class Measure:
    """A measure, and how far another clip is from the natural one in it."""

    label: str
    unit: str  # of its values
    curve: Find
    gap: Gap
    meaning: str  # of the error
    tolerance: float = 0.15  # the largest error that is called kept; our choice

    def error(self, own: Curve, other: Curve, natural: ClipFeatures) -> float:
        """How far a curve is from that of the natural clip, where both have values."""
        values = own.values
        if own.axis == "frame":
            values = values[np.isin(own.at, other.at)]
        return self.gap(values, other.values, natural) if len(values) else math.nan


_LIGHT, _OWN = "luminance, 0 to 1", "difference in means of the natural clip"
_BANDS = "relative difference, mean over frequencies"
_SHARES = "share of the histogram that is elsewhere"
_SPEEDS = "distance in mean speeds of the natural clip: a still clip has about 100 %"
_HALF = 0.5  # of what a still clip has
_ENDS = "end-point error, px"

_LUMINANCE, _CONTRAST = _of_frames(light.mean_luminance), _of_frames(light.rms_contrast)
_SPEED = _of_pairs(motion.speed)
_DIRECTION = _of_pairs(motion.direction, lambda v: float(circmean(v, 180, -180)))

MEASURES = {
    "luminance": Measure("mean luminance", _LIGHT, _LUMINANCE, _of_own(LEVEL), _OWN),
    "contrast": Measure("RMS contrast", _LIGHT, _CONTRAST, _of_own(LEVEL), _OWN),
    "histogram": Measure(
        "luminance histogram",
        "distance in luminance",
        lambda a, b: _over_frames(light.histogram_distance(a.luminance, b.luminance)),
        _of(_CONTRAST, LEVEL),
        "distance in contrasts of the natural clip",
    ),
    "drift": Measure(
        "luminance drift",
        "luminance, first frame to last",
        lambda clip, _: _of_clip(light.drift(clip.luminance)),
        _of(_LUMINANCE, LEVEL),
        "difference in mean luminances of the natural clip",
    ),
    "pixel_change": Measure(
        "pixel change", "luminance, frame to frame", _pixel_change, _of_own(LEVEL / 2), _OWN
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
        lambda clip, _: Curve("Hz", *light.temporal_spectrum(clip.luminance, clip.frame_rate)),
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
        "direction", "degrees", _DIRECTION, _moving(turn, INCOHERENT), "difference in half turns"
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
        "difference",
    ),
    "motion_energy": Measure(
        "motion energy",
        "share",
        lambda clip, _: Curve("degrees", *motion.motion_energy(clip.luminance)),
        _moving(shares),
        _SHARES,
    ),
}
