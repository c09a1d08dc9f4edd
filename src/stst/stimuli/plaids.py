"""Plaids: two gratings that are seen to move as one."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, NonNegativeFloat, ValidationInfo, field_validator

from stst.stimuli.gratings import Contrast, DriftingGrating, Wavelength, Windowed, unaliased
from stst.stimuli.raster import drift, heading
from stst.stimuli.stimulus import Generated, Made

Pair = tuple[float, float]


class Plaid(Windowed):
    """The sum of two drifting sine gratings; its flow is the intersection of constraints.

    That is the one velocity whose part along the normal of each grating is the speed of that
    grating (Adelson & Movshon 1982, Nature 300, 523).

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
        raster = self.model_dump(include=set(Generated.model_fields))
        own = zip(
            self.wavelengths, self.directions, self.speeds, self.contrasts, self.phases, strict=True
        )
        names = ("wavelength", "direction", "speed", "contrast", "phase")
        return [
            DriftingGrating.model_validate(raster | dict(zip(names, one, strict=True)))
            for one in own
        ]

    def make(self) -> Made:
        """Draw it; the flow is the pattern's drift."""
        first, second = (grating.waves() for grating in self.gratings)
        return self.windowed(map(np.add, first, second), drift(self, *self.velocity))

    @property
    def sentence(self) -> str:
        """What it is."""
        each = (
            f"{g.cycle}, {g.speed:g} px a frame towards {g.direction:g} degrees"
            for g in self.gratings
        )
        speed, direction = (round(part, 3) + 0.0 for part in self.velocity)  # never -0
        return (
            f"a plaid of two sine gratings ({'; '.join(each)}, counter-clockwise from the right), "
            f"which together move by {speed:g} px a frame towards {direction:g} degrees"
            f"{self.window}"
        )
