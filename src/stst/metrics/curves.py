"""The measures as curves of what was seen, which the table of measures lists.

Each takes the clip, and the natural clip that it is compared with: most have no use for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import circmean

from stst.errors import FramesError
from stst.metrics import luminance as light
from stst.metrics import motion, spectra
from stst.metrics import spectra as time_spectra
from stst.metrics.luminance import Array
from stst.metrics.motion import DIS, Estimator, motion_energy
from stst.video.frames import Footage
from stst.video.light import Scale, luminances

LEAST_FRAMES, LEAST_SIDE = 4, 32  # for spectra to have a few frequencies, and the flow its patches


@dataclass(frozen=True, eq=False)
class Seen:
    """What the measures are made of.

    Parameters
    ----------
    luminance : ndarray
        (T, H, W), 0 is black and 1 is white.
    flow : ndarray
        (T - 1, 2, H, W), px a frame, right and DOWN.
    frame_rate : float
        Frames per second.
    """

    luminance: Array
    flow: Array
    frame_rate: float


def seen(footage: Footage, scale: Scale, flow: Estimator = DIS) -> Seen:
    """Look at a clip: its luminance on a scale of `stst.video.light`, and its optical flow.

    Raises
    ------
    FramesError
        If it is too short or too small to be measured.
    """
    if len(footage) < LEAST_FRAMES or min(footage.size) < LEAST_SIDE:
        height, width = footage.size
        raise FramesError(
            f"{len(footage)} frames of {width}x{height} px are too few to be measured: give at "
            f"least {LEAST_FRAMES} frames of {LEAST_SIDE} px a side."
        )
    return Seen(luminances(footage, scale), flow.of(footage), float(footage.frame_rate))


@dataclass(frozen=True, eq=False)
class Curve:
    """Values of a measure along an axis.

    Parameters
    ----------
    axis : str
        ``"frame"``, ``"clip"`` (one value), or the unit of `at`.
    at : ndarray
        (n,), or (n, 2) where the unit is of two, as of the x-t spectrum.
    values : ndarray
        (n,).
    mean : callable
        Of the values over frames; another than the mean where they are angles.
    """

    axis: str
    at: Array
    values: Array
    mean: Callable[[Array], float] = np.mean

    @cached_property
    def pooled(self) -> float | None:
        """The mean over the frames of the clip, where the axis is that of frames."""
        return float(self.mean(self.values)) if self.axis in ("frame", "clip") else None


def over_frames(values: Array, mean: Callable[[Array], float] = np.mean) -> Curve:
    """Values of each frame, or from each frame to the next."""
    return Curve("frame", np.arange(len(values), dtype=np.float64), values, mean)


def of_clip(value: float) -> Curve:
    """A single value."""
    return Curve("clip", np.zeros(1), np.array([value]))


def luminance(clip: Seen, _: Seen) -> Curve:
    """Mean luminance of each frame."""
    return over_frames(light.mean_luminance(clip.luminance))


def contrast(clip: Seen, _: Seen) -> Curve:
    """RMS contrast of each frame."""
    return over_frames(light.rms_contrast(clip.luminance))


def histogram(clip: Seen, natural: Seen) -> Curve:
    """Distance of the luminance histogram from the natural one, of each frame."""
    return over_frames(light.histogram_distance(clip.luminance, natural.luminance))


def pixel_change(clip: Seen, _: Seen) -> Curve:
    """Pixel change from each frame to the next."""
    return over_frames(light.pixel_change(clip.luminance))


def flicker(clip: Seen, _: Seen) -> Curve:
    """Flicker of each frame but the first and the last."""
    return over_frames(light.flicker(clip.luminance))


def drift(clip: Seen, _: Seen) -> Curve:
    """Change of mean luminance over the clip."""
    return of_clip(light.drift(clip.luminance))


def spatial_spectrum(clip: Seen, _: Seen) -> Curve:
    """Amplitude at each spatial frequency, root mean square over frames."""
    frequency, amplitude = spectra.spatial_spectrum(clip.luminance)
    return Curve("cycles/px", frequency, np.sqrt(np.square(amplitude).mean(0)))


def spectral_slope(clip: Seen, _: Seen) -> Curve:
    """Slope of the spatial spectrum of each frame."""
    side = min(clip.luminance.shape[1:])
    return over_frames(spectra.spectral_slope(*spectra.spatial_spectrum(clip.luminance), side))


def orientation(clip: Seen, _: Seen) -> Curve:
    """Share of power at each orientation, mean over frames."""
    angle, share = spectra.orientation_energy(clip.luminance)
    return Curve("degrees", angle, share.mean(0))


def temporal_spectrum(clip: Seen, _: Seen) -> Curve:
    """Amplitude at each temporal frequency."""
    return Curve("Hz", *time_spectra.temporal_spectrum(clip.luminance, clip.frame_rate))


def xt_spectrum(clip: Seen, _: Seen) -> Curve:
    """Amplitude at each spatial and temporal frequency."""
    spatial, temporal, amplitude = time_spectra.xt_spectrum(clip.luminance, clip.frame_rate)
    places = np.stack(np.meshgrid(spatial, temporal), -1).reshape(-1, 2)
    return Curve("cycles/px; Hz", places, amplitude.ravel())


def flow(clip: Seen, natural: Seen) -> Curve:
    """End-point error of the flow against the natural one, from each frame to the next."""
    return over_frames(motion.end_point_error(clip.flow, natural.flow))


def mean_field(clip: Seen, natural: Seen) -> Curve:
    """End-point error of the mean flow field against the natural one."""
    means = (motion.mean_field(one.flow)[None] for one in (clip, natural))
    return of_clip(float(motion.end_point_error(*means)[0]))


def speed(clip: Seen, _: Seen) -> Curve:
    """Mean speed from each frame to the next."""
    return over_frames(motion.speed(clip.flow))


def speed_histogram(clip: Seen, _: Seen) -> Curve:
    """Share of pixels at each speed."""
    return Curve("px/frame", *motion.speed_histogram(clip.flow))


def direction(clip: Seen, _: Seen) -> Curve:
    """Mean direction from each frame to the next."""
    return over_frames(motion.direction(clip.flow), lambda v: float(circmean(v, 180, -180)))


def direction_histogram(clip: Seen, _: Seen) -> Curve:
    """Share of the motion in each direction."""
    return Curve("degrees", *motion.direction_histogram(clip.flow))


def coherence(clip: Seen, _: Seen) -> Curve:
    """Coherence of the motion from each frame to the next."""
    return over_frames(motion.coherence(clip.flow))


def energy(clip: Seen, _: Seen) -> Curve:
    """Share of the motion energy in each direction."""
    return Curve("degrees", *motion_energy(clip.luminance))
