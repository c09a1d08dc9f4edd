"""Gratings whose motion is known: the simplest dynamic stimuli."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from stst.stimuli.raster import across, centred, drift, finished
from stst.stimuli.stimulus import Generated, Made
from stst.stimuli.texture import Array

Wavelength = Annotated[float, Field(ge=2)]  # px per cycle; 2 is the raster's limit
Contrast = Annotated[float, Field(gt=0, le=1)]  # Michelson


def unaliased(speed: float, wavelength: float) -> float:
    """Refuse a speed, px a frame, at which bars are seen to go back."""
    if abs(speed) >= wavelength / 2:
        raise ValueError(
            f"must be below half a wavelength, {wavelength / 2:g} px a frame, "
            "or the bars are seen to go back"
        )
    return speed


def _below_half_a_cycle(speed: float, info: ValidationInfo) -> float:
    return unaliased(speed, info.data.get("wavelength", math.inf))


Speed = Annotated[float, Field(validate_default=True), AfterValidator(_below_half_a_cycle)]


class Windowed(Generated):
    """What is seen in a round window, or everywhere.

    Parameters
    ----------
    radius : float or None
        Of the window, px, about the centre of the frame; mid grey, at rest, is beside it.
        The edge is one px soft. None shows the whole frame.
    """

    radius: float | None = Field(None, gt=0)

    def windowed(self, waves: Iterable[Array], flow: Array | None = None) -> Made:
        """Show waves, (H, W) with 1 for the full contrast; the flow beside the window is 0."""
        inside = 0.5 + (self.radius or math.inf) - np.hypot(*centred(self))
        frames = (0.5 + 0.5 * wave * inside.clip(0, 1) for wave in waves)
        return finished(self, frames, None if flow is None else np.where(inside >= 0.5, flow, 0))

    @property
    def window(self) -> str:
        """The end of a sentence."""
        return "" if self.radius is None else f", in a disc of {self.radius:g} px radius"


class Grating(Windowed):
    """What all single gratings have.

    Parameters
    ----------
    wavelength : float
        px per cycle, at least 2 (one is the raster's limit).
    contrast : float
        Michelson contrast, about mid grey.
    phase : float
        Degrees; the sine's at the centre of the first frame.
    radius : float or None
        Of a round window, px; None shows the whole frame.
    """

    wavelength: Wavelength = 16
    contrast: Contrast = 0.8
    phase: float = 0

    def wave(self, place: Array) -> Array:
        """Value of the grating `place` px along its normal from the centre."""
        angle = 2 * np.pi * place / self.wavelength + math.radians(self.phase)
        return np.asarray(self.contrast * np.sin(angle))

    @property
    def cycle(self) -> str:
        """The middle of a sentence."""
        return f"{self.wavelength:g} px per cycle and contrast {self.contrast:g}"


class DriftingGrating(Grating):
    """A sine grating that drifts across its bars.

    Parameters
    ----------
    speed : float
        px a frame, along `direction`; below half a wavelength, or it is seen to go back.
    direction : float
        Where it moves, degrees counter-clockwise from the right.
    wavelength, contrast, phase, radius
        See `Grating`.
    """

    speed: Annotated[Speed, Field(ge=0)] = 1
    direction: float = 0

    def make(self) -> Made:
        """Draw it; the flow is the drift."""
        return self.windowed(self.waves(), drift(self, self.speed, self.direction))

    def waves(self) -> Iterator[Array]:
        """The grating of each frame, without its window."""
        place = across(self, self.direction)
        return (self.wave(place - self.speed * t) for t in range(self.frames))

    @property
    def sentence(self) -> str:
        """What it is."""
        return (
            f"a sine grating of {self.cycle}, drifting by {self.speed:g} px a frame towards "
            f"{self.direction:g} degrees (counter-clockwise from the right){self.window}"
        )


class CounterphaseGrating(Grating):
    """A standing sine grating whose contrast reverses in time as a cosine.

    It has no flow: it is the sum of two gratings that drift in opposite directions.

    Parameters
    ----------
    temporal_frequency : float
        Hz: cycles of the contrast a second, at most half the frame rate.
    direction : float
        Of the normal of its bars, degrees counter-clockwise from the right.
    wavelength, contrast, phase, radius
        See `Grating`.
    """

    temporal_frequency: float = Field(4, gt=0, validate_default=True)
    direction: float = 0

    @field_validator("temporal_frequency")
    @classmethod
    def _below_nyquist(cls, frequency: float, info: ValidationInfo) -> float:
        nyquist = float(info.data.get("frame_rate", math.inf)) / 2
        if frequency > nyquist:
            raise ValueError(f"must be at most half the frame rate, {nyquist:g} Hz")
        return frequency

    def make(self) -> Made:
        """Draw it."""
        standing = self.wave(across(self, self.direction))
        turn = 2 * math.pi * self.temporal_frequency / float(self.frame_rate)  # a frame
        return self.windowed(standing * math.cos(turn * t) for t in range(self.frames))

    @property
    def sentence(self) -> str:
        """What it is."""
        return (
            f"a counterphase sine grating of {self.cycle}, reversing at "
            f"{self.temporal_frequency:g} Hz, its bars normal to {self.direction:g} degrees "
            f"(counter-clockwise from the right){self.window}"
        )
