"""Gratings whose motion is known: the simplest dynamic stimuli."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, NonNegativeFloat, ValidationInfo, field_validator

from stst.stimuli.stimulus import (
    Array,
    Generator,
    Stimulus,
    across,
    centred,
    drift,
    heading,
    to_stimulus,
)

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


class Windowed(Generator):
    """What is seen in a round window of a `radius` in px, one px soft, or everywhere (None)."""

    radius: float | None = Field(None, gt=0)

    def windowed(self, waves: Iterable[Array], flow: Array | None = None) -> Stimulus:
        """Show waves, (H, W) with 1 for the full contrast; the flow beside the window is 0."""
        inside = 0.5 + (self.radius or math.inf) - np.hypot(*centred(self))
        frames = (0.5 + 0.5 * wave * inside.clip(0, 1) for wave in waves)
        return to_stimulus(self, frames, None if flow is None else np.where(inside >= 0.5, flow, 0))

    @property
    def window(self) -> str:
        """The end of a sentence."""
        return "" if self.radius is None else f", in a disc of {self.radius:g} px radius"


class Grating(Windowed):
    """What all single gratings have.

    Parameters
    ----------
    wavelength : float
        px per cycle, at least 2.
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

    words = (
        "a sine grating of {self.cycle}, drifting by {self.speed:g} px a frame towards "
        "{self.direction:g} degrees (counter-clockwise from the right){self.window}"
    )

    speed: Annotated[Speed, Field(ge=0)] = 1
    direction: float = 0

    def make(self) -> Stimulus:
        """Draw it; the flow is the drift."""
        return self.windowed(self.waves(), drift(self, self.speed, self.direction))

    def waves(self) -> Iterator[Array]:
        """The grating of each frame, without its window."""
        place = across(self, self.direction)
        return (self.wave(place - self.speed * t) for t in range(self.frames))


class CounterphaseGrating(Grating):
    """A standing sine grating whose contrast reverses in time as a cosine; it has no flow.

    Parameters
    ----------
    temporal_frequency : float
        Hz: cycles of the contrast a second, at most half the frame rate.
    direction : float
        Of the normal of its bars, degrees counter-clockwise from the right.
    wavelength, contrast, phase, radius
        See `Grating`.
    """

    words = (
        "a counterphase sine grating of {self.cycle}, reversing at {self.temporal_frequency:g} Hz, "
        "its bars normal to {self.direction:g} degrees (counter-clockwise from the "
        "right){self.window}"
    )

    temporal_frequency: float = Field(4, gt=0, validate_default=True)
    direction: float = 0

    @field_validator("temporal_frequency")
    @classmethod
    def _below_nyquist(cls, frequency: float, info: ValidationInfo) -> float:
        nyquist = float(info.data.get("frame_rate", math.inf)) / 2
        if frequency > nyquist:
            raise ValueError(f"must be at most half the frame rate, {nyquist:g} Hz")
        return frequency

    def make(self) -> Stimulus:
        """Draw it."""
        standing = self.wave(across(self, self.direction))
        turn = 2 * math.pi * self.temporal_frequency / float(self.frame_rate)  # a frame
        return self.windowed(standing * math.cos(turn * t) for t in range(self.frames))


Pair = tuple[float, float]


class Plaid(Windowed):
    """The sum of two drifting sine gratings; its flow is the intersection of constraints.

    See Adelson & Movshon 1982, Nature 300, 523.

    Parameters
    ----------
    wavelengths : tuple of float
        px per cycle of each grating, at least 2.
    directions : tuple of float
        Where each moves alone, degrees counter-clockwise from the right; not parallel.
    speeds : tuple of float
        px a frame of each along its direction, below half its wavelength.
    contrasts : tuple of float
        Michelson contrast of each, about mid grey; together at most 1.
    phases : tuple of float
        Degrees; the sines' at the centre of the first frame.
    radius : float or None
        Of a round window, px; None shows the whole frame.

    Examples
    --------
    >>> speed, direction = Plaid(directions=(90, 30), speeds=(1, 1)).velocity
    >>> round(speed, 3), round(direction, 3)
    (1.155, 60.0)
    """

    wavelengths: tuple[Wavelength, Wavelength] = (16, 16)
    directions: Pair = (45, -45)
    speeds: tuple[NonNegativeFloat, NonNegativeFloat] = Field((1, 1), validate_default=True)
    contrasts: tuple[Contrast, Contrast] = (0.4, 0.4)
    phases: Pair = (0, 0)

    @field_validator("directions")
    @classmethod
    def _not_parallel(cls, directions: Pair) -> Pair:
        between = math.radians(directions[0] - directions[1])
        if abs(math.sin(between)) < math.sin(math.radians(1)):
            raise ValueError("must differ by a degree at least, or they have no velocity in common")
        return directions

    @field_validator("speeds")
    @classmethod
    def _not_aliased(cls, speeds: Pair, info: ValidationInfo) -> Pair:
        for speed, wavelength in zip(speeds, info.data.get("wavelengths", ()), strict=False):
            unaliased(speed, wavelength)
        return speeds

    @field_validator("contrasts")
    @classmethod
    def _not_clipped(cls, contrasts: Pair) -> Pair:
        if sum(contrasts) > 1:
            raise ValueError("must together be at most 1, or the sum is clipped")
        return contrasts

    @property
    def velocity(self) -> tuple[float, float]:
        """Of the pattern: its speed in px a frame, and its direction in degrees."""
        normals = [heading(direction) for direction in self.directions]
        right, down = np.linalg.solve(normals, self.speeds)
        return math.hypot(right, down), math.degrees(math.atan2(-down, right))

    @property
    def gratings(self) -> list[DriftingGrating]:
        """The two, each alone."""
        raster = self.model_dump(include=set(Generator.model_fields))
        names = ("wavelength", "direction", "speed", "contrast", "phase")
        values = zip(*(getattr(self, f"{name}s") for name in names), strict=True)
        return [DriftingGrating(**raster, **dict(zip(names, own, strict=True))) for own in values]

    def make(self) -> Stimulus:
        """Draw it; the flow is the pattern's drift."""
        first, second = (grating.waves() for grating in self.gratings)
        return self.windowed(map(np.add, first, second), drift(self, *self.velocity))

    @property
    def sentence(self) -> str:
        """What it is."""
        form = "{0.cycle}, {0.speed:g} px a frame towards {0.direction:g} degrees"
        each = map(form.format, self.gratings)
        speed, direction = (round(part, 3) + 0.0 for part in self.velocity)  # never -0
        return (
            f"a plaid of two sine gratings ({'; '.join(each)}, counter-clockwise from the right), "
            f"which together move by {speed:g} px a frame towards {direction:g} degrees"
            f"{self.window}"
        )


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

    def make(self) -> Stimulus:
        """Draw it; the flow is a rotation inside the disc, and 0 beside it."""
        directions = (self.direction + self.turn * t for t in range(self.frames))
        waves = (self.wave(across(self, direction)) for direction in directions)
        x, y = centred(self)
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        # To where the whole turn, not its tangent, takes each pixel.
        return self.windowed(waves, np.stack([(cos - 1) * x + sin * y, (cos - 1) * y - sin * x]))

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

    def make(self) -> Stimulus:
        """Draw it; the flow is radial, and NaN at the centre, where rings begin or end."""
        x, y = centred(self)
        distance = np.hypot(x, y)
        waves = (self.wave(distance - self.speed * t) for t in range(self.frames))
        goes_on = (distance > 0) & (distance + self.speed >= 0)
        share = np.where(goes_on, self.speed / np.where(goes_on, distance, 1), np.nan)
        return self.windowed(waves, np.stack([share * x, share * y]))

    @property
    def sentence(self) -> str:
        """What it is."""
        way = "expanding" if self.speed >= 0 else "contracting"
        return (
            f"concentric rings, a sine of {self.cycle}, {way} by {abs(self.speed):g} px a frame"
            f"{self.window}"
        )
