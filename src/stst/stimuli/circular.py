"""Gratings that turn or spread about the centre: their flow differs from place to place."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from stst.stimuli.gratings import Grating, Speed
from stst.stimuli.raster import across, centred
from stst.stimuli.scenes import Array
from stst.stimuli.stimulus import Made


class RotatingGrating(Grating):
    """A sine grating that turns about the centre of the frame.

    Parameters
    ----------
    radius : float or None
        Of the disc that is seen, px; None shows the whole frame.
    turn : float
        Degrees a frame, positive counter-clockwise; the rim (or the corner of the frame)
        must move by less than half a wavelength.
    direction : float
        Of the normal of its bars in the first frame, degrees counter-clockwise from the right.
    wavelength, contrast, phase
        See `Grating`.
    """

    radius: float | None = Field(56, gt=0)
    turn: float = Field(2, validate_default=True)
    direction: float = 0

    @field_validator("turn")
    @classmethod
    def _rim_not_aliased(cls, turn: float, info: ValidationInfo) -> float:
        if {"height", "width", "radius", "wavelength"} <= info.data.keys():
            corner = math.hypot(info.data["height"], info.data["width"]) / 2
            rim = min(info.data["radius"] or corner, corner)
            most = math.degrees(info.data["wavelength"] / 2 / rim)
            if abs(turn) >= most:
                raise ValueError(
                    f"must be below {most:.3g} degrees a frame, or the rim, {rim:.3g} px from the "
                    "centre, moves by half a wavelength and is seen to go back"
                )
        return turn

    def make(self) -> Made:
        """Draw it; the flow is a rotation inside the disc, and 0 beside it."""
        waves = (
            self.wave(across(self, self.direction + self.turn * t)) for t in range(self.frames)
        )
        return self.windowed(waves, self._flow())

    def _flow(self) -> Array:
        """(2, H, W): from each pixel to where the whole turn, not its tangent, takes it."""
        x, y = centred(self)
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        return np.stack([(cos - 1) * x + sin * y, (cos - 1) * y - sin * x])

    @property
    def sentence(self) -> str:
        """What it is."""
        way = "counter-clockwise" if self.turn >= 0 else "clockwise"
        return (
            f"a sine grating of {self.cycle}, turning {way} about the centre by "
            f"{abs(self.turn):g} degrees a frame{self.window}"
        )


class ExpandingRings(Grating):
    """Concentric rings, a sine of the distance from the centre, that move outwards or inwards.

    Parameters
    ----------
    speed : float
        px a frame outwards, negative inwards; below half a wavelength either way.
    wavelength, contrast, phase, radius
        See `Grating`.
    """

    speed: Speed = 1

    def make(self) -> Made:
        """Draw it; the flow is radial, and NaN at the centre, where rings begin or end."""
        distance = np.hypot(*centred(self))
        waves = (self.wave(distance - self.speed * t) for t in range(self.frames))
        return self.windowed(waves, self._flow())

    def _flow(self) -> Array:
        x, y = centred(self)
        distance = np.hypot(x, y)
        goes_on = (distance > 0) & (distance + self.speed >= 0)
        share = np.where(goes_on, self.speed / np.where(goes_on, distance, 1), np.nan)
        return np.stack([share * x, share * y])

    @property
    def sentence(self) -> str:
        """What it is."""
        way = "expanding" if self.speed >= 0 else "contracting"
        return (
            f"concentric rings, a sine of {self.cycle}, {way} by {abs(self.speed):g} px a frame"
            f"{self.window}"
        )
