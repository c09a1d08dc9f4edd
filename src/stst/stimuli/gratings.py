"""Gratings, plaids and rings with exact optical flow."""

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

Wavelength = Annotated[float, Field(ge=2)]  # px per cycle; 2 is the Nyquist limit
Contrast = Annotated[float, Field(gt=0, le=1)]  # Michelson


def unaliased(speed: float, wavelength: float) -> float:
    """Refuse a speed, px per frame, at which motion appears reversed."""
    if abs(speed) >= wavelength / 2:
        raise ValueError(
            f"must be less than half a wavelength, {wavelength / 2:g} px per frame; faster motion "
            "is aliased and appears reversed"
        )
    return speed


def _below_half_a_cycle(speed: float, info: ValidationInfo) -> float:
    return unaliased(speed, info.data.get("wavelength", math.inf))


Speed = Annotated[float, Field(validate_default=True), AfterValidator(_below_half_a_cycle)]


class Windowed(Generator):
    """A stimulus in a circular window with an edge of 1 px, or in the whole frame."""

    radius: float | None = Field(
        None, gt=0, description="Radius of the circular window in pixels. None: the whole frame."
    )

    def windowed(self, waves: Iterable[Array], flow: Array | None = None) -> Stimulus:
        """Window waves about mid grey.

        Parameters
        ----------
        waves : iterable of ndarray
            One wave of shape (H, W) per frame; 1 is full contrast.
        flow : ndarray, optional
            Flow of shape (2, H, W) in pixels per frame; set to 0 outside the window.

        Returns
        -------
        Stimulus
            The clip and its flow.
        """
        inside = 0.5 + (self.radius or math.inf) - np.hypot(*centred(self))
        frames = (0.5 + 0.5 * wave * inside.clip(0, 1) for wave in waves)
        return to_stimulus(self, frames, None if flow is None else np.where(inside >= 0.5, flow, 0))

    @property
    def window(self) -> str:
        """The window in words, the end of a sentence."""
        return "" if self.radius is None else f", in a disc of {self.radius:g} px radius"


class Grating(Windowed):
    """Settings of all single gratings."""

    wavelength: Wavelength = Field(16, description="Wavelength in pixels per cycle.")
    contrast: Contrast = Field(0.8, description="Michelson contrast about mid grey.")
    phase: float = Field(
        0, description="Phase of the sine at the centre of the first frame in degrees."
    )

    def wave(self, place: Array) -> Array:
        """Evaluate the grating.

        Parameters
        ----------
        place : ndarray
            Distance from the frame centre along the normal of the bars in pixels.

        Returns
        -------
        ndarray
            Contrast in [-1, 1], the same shape.
        """
        angle = 2 * np.pi * place / self.wavelength + math.radians(self.phase)
        return np.asarray(self.contrast * np.sin(angle))

    @property
    def cycle(self) -> str:
        """Wavelength and contrast in words, the middle of a sentence."""
        return f"{self.wavelength:g} px per cycle and contrast {self.contrast:g}"


class DriftingGrating(Grating):
    """A drifting sine grating.

    Examples
    --------
    >>> stimulus = DriftingGrating(frames=4, speed=2, direction=90).make()
    >>> stimulus.flow[0, :, 0, 0].round().tolist()  # right, DOWN
    [0.0, -2.0]
    """

    words = (
        "a sine grating of {self.cycle}, drifting by {self.speed:g} px per frame towards "
        "{self.direction:g} degrees (counter-clockwise from the right){self.window}"
    )

    speed: Annotated[Speed, Field(ge=0)] = Field(
        1, description="Speed in pixels per frame, less than half a wavelength."
    )
    direction: float = Field(
        0, description="Direction of motion in degrees counter-clockwise from right."
    )

    def make(self) -> Stimulus:
        """Draw the grating.

        Returns
        -------
        Stimulus
            The clip and its flow.
        """
        return self.windowed(self.waves(), drift(self, self.speed, self.direction))

    def waves(self) -> Iterator[Array]:
        """Return the grating of each frame without its window.

        Returns
        -------
        iterator of ndarray
            Contrast in [-1, 1], (H, W), for each frame.
        """
        place = across(self, self.direction)
        return (self.wave(place - self.speed * t) for t in range(self.frames))


class CounterphaseGrating(Grating):
    """A counterphase sine grating: its contrast reverses sinusoidally; its flow is None.

    Examples
    --------
    >>> stimulus = CounterphaseGrating(frames=4, temporal_frequency=6).make()
    >>> bool(stimulus.clip.frames[1].std() < 1e-6), stimulus.flow is None  # a quarter cycle later
    (True, True)
    """

    words = (
        "a counterphase sine grating of {self.cycle}, reversing at {self.temporal_frequency:g} Hz, "
        "its bars normal to {self.direction:g} degrees (counter-clockwise from the "
        "right){self.window}"
    )

    temporal_frequency: float = Field(
        4,
        gt=0,
        validate_default=True,
        description="Contrast reversal frequency in Hz (full cycles per second), at most half the "
        "frame rate.",
    )
    direction: float = Field(
        0,
        description="Direction of the normal of the bars in degrees counter-clockwise from right.",
    )

    @field_validator("temporal_frequency")
    @classmethod
    def _below_nyquist(cls, frequency: float, info: ValidationInfo) -> float:
        nyquist = float(info.data.get("frame_rate", math.inf)) / 2
        if frequency > nyquist:
            raise ValueError(f"must be at most half the frame rate, {nyquist:g} Hz")
        return frequency

    def make(self) -> Stimulus:
        """Draw the grating.

        Returns
        -------
        Stimulus
            The clip, without flow.
        """
        standing = self.wave(across(self, self.direction))
        turn = 2 * math.pi * self.temporal_frequency / float(self.frame_rate)  # rad per frame
        return self.windowed(standing * math.cos(turn * t) for t in range(self.frames))


Pair = tuple[float, float]


class Plaid(Windowed):
    """A plaid: the sum of two drifting sine gratings.

    Its flow is the intersection-of-constraints velocity.

    Notes
    -----
    See Adelson & Movshon 1982, Nature 300, 523.

    Examples
    --------
    >>> speed, direction = Plaid(directions=(90, 30), speeds=(1, 1)).velocity
    >>> round(speed, 3), round(direction, 3)
    (1.155, 60.0)
    """

    wavelengths: tuple[Wavelength, Wavelength] = Field(
        (16, 16), description="Wavelength of each grating in pixels per cycle, at least 2."
    )
    directions: Pair = Field(
        (45, -45),
        description="Direction of each grating in degrees counter-clockwise from right; not "
        "parallel.",
    )
    speeds: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
        (1, 1),
        validate_default=True,
        description="Speed of each grating in pixels per frame, at least 0 and less than half its "
        "wavelength.",
    )
    contrasts: tuple[Contrast, Contrast] = Field(
        (0.4, 0.4),
        description="Michelson contrast of each grating about mid grey; greater than 0, together "
        "at most 1.",
    )
    phases: Pair = Field(
        (0, 0), description="Phase of each sine at the centre of the first frame in degrees."
    )

    @field_validator("directions")
    @classmethod
    def _not_parallel(cls, directions: Pair) -> Pair:
        between = math.radians(directions[0] - directions[1])
        if abs(math.sin(between)) < math.sin(math.radians(1)):
            raise ValueError("must differ by at least 1 degree; parallel gratings make no plaid")
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
            raise ValueError("must sum to at most 1, or the plaid is clipped")
        return contrasts

    @property
    def velocity(self) -> tuple[float, float]:
        """Pattern velocity: speed in px per frame, direction in degrees."""
        normals = [heading(direction) for direction in self.directions]
        right, down = np.linalg.solve(normals, self.speeds)
        return math.hypot(right, down), math.degrees(math.atan2(-down, right))

    @property
    def gratings(self) -> list[DriftingGrating]:
        """The two component gratings."""
        raster = self.model_dump(include=set(Generator.model_fields))
        names = ("wavelength", "direction", "speed", "contrast", "phase")
        values = zip(*(getattr(self, f"{name}s") for name in names), strict=True)
        return [DriftingGrating(**raster, **dict(zip(names, own, strict=True))) for own in values]

    def make(self) -> Stimulus:
        """Draw the plaid.

        Returns
        -------
        Stimulus
            The clip and the flow of the pattern.
        """
        first, second = (grating.waves() for grating in self.gratings)
        return self.windowed(map(np.add, first, second), drift(self, *self.velocity))

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section."""
        form = "{0.cycle}, {0.speed:g} px per frame towards {0.direction:g} degrees"
        each = map(form.format, self.gratings)
        speed, direction = (round(part, 3) + 0.0 for part in self.velocity)  # never -0
        return (
            f"a plaid of two sine gratings ({'; '.join(each)}, counter-clockwise from the right), "
            f"which together move by {speed:g} px per frame towards {direction:g} degrees"
            f"{self.window}"
        )


class RotatingGrating(Grating):
    """A sine grating that rotates about the centre of the frame.

    Examples
    --------
    >>> stimulus = RotatingGrating(frames=2, height=17, width=17, wavelength=64, turn=90).make()
    >>> stimulus.flow[0, :, 8, 16].round().tolist()  # right, DOWN, 8 px right of the centre
    [-8.0, -8.0]
    """

    radius: float | None = Field(
        56, gt=0, description="Radius of the visible disc in pixels. None: the whole frame."
    )
    turn: float = Field(
        2,
        validate_default=True,
        description="Rotation in degrees per frame, positive counter-clockwise. The rim, or the "
        "corner of the frame, must move by less than half a wavelength per frame.",
    )
    direction: float = Field(
        0,
        description="Direction of the normal of the bars in the first frame in degrees "
        "counter-clockwise from right.",
    )

    @field_validator("turn")
    @classmethod
    def _rim_not_aliased(cls, turn: float, info: ValidationInfo) -> float:
        if {"height", "width", "radius", "wavelength"} <= info.data.keys():
            corner = math.hypot(info.data["height"], info.data["width"]) / 2
            rim = min(info.data["radius"] or corner, corner)
            most = math.degrees(info.data["wavelength"] / 2 / rim)
            if abs(turn) >= most:
                raise ValueError(
                    f"must be less than {most:.3g} degrees per frame; faster, the rim, {rim:.3g} "
                    "px from the centre, moves by half a wavelength and appears reversed"
                )
        return turn

    def make(self) -> Stimulus:
        """Draw the grating.

        Returns
        -------
        Stimulus
            The clip and its flow: a rotation inside the disc, 0 outside.
        """
        directions = (self.direction + self.turn * t for t in range(self.frames))
        waves = (self.wave(across(self, direction)) for direction in directions)
        x, y = centred(self)
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        # The exact displacement by the rotation, not its tangent.
        return self.windowed(waves, np.stack([(cos - 1) * x + sin * y, (cos - 1) * y - sin * x]))

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section."""
        way = "counter-clockwise" if self.turn >= 0 else "clockwise"
        return (
            f"a sine grating of {self.cycle}, turning {way} about the centre by "
            f"{abs(self.turn):g} degrees per frame{self.window}"
        )


class ExpandingRings(Grating):
    """Concentric rings, a sine of the distance from the centre, that expand or contract.

    Examples
    --------
    >>> stimulus = ExpandingRings(frames=2, height=17, width=17, speed=3).make()
    >>> stimulus.flow[0, :, 8, 16].tolist()  # right, DOWN, at the right end of the middle row
    [3.0, 0.0]
    """

    speed: Speed = Field(
        1,
        description="Radial speed in pixels per frame: positive outwards, negative inwards; less "
        "than half a wavelength.",
    )

    def make(self) -> Stimulus:
        """Draw the rings.

        Returns
        -------
        Stimulus
            The clip and its radial flow, NaN at the centre, where rings start or end.
        """
        x, y = centred(self)
        distance = np.hypot(x, y)
        waves = (self.wave(distance - self.speed * t) for t in range(self.frames))
        goes_on = (distance > 0) & (distance + self.speed >= 0)
        share = np.where(goes_on, self.speed / np.where(goes_on, distance, 1), np.nan)
        return self.windowed(waves, np.stack([share * x, share * y]))

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section."""
        way = "expanding" if self.speed >= 0 else "contracting"
        return (
            f"concentric rings, a sine of {self.cycle}, {way} by {abs(self.speed):g} px per frame"
            f"{self.window}"
        )
