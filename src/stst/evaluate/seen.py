"""A clip as the measures see it, and what they find: values along an axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stst.errors import FramesError
from stst.evaluate.estimators import DIS, Estimator
from stst.evaluate.luminance import Array
from stst.stimuli.light import Scale, luminances
from stst.video.frames import Footage

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
    """Look at a clip: its luminance on a scale of `stst.stimuli.light`, and its optical flow.

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
