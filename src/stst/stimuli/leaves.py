"""Dead leaves: occlusion, edges and sizes as in natural pictures, and motion that is known."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from stst.stimuli.raster import (
    draw_discs,
    finished,
    heading,
    period,
    wrapped,
)
from stst.stimuli.scenes import Array
from stst.stimuli.stimulus import Generated, Made

# Leaves that cover a point, on average: exp(-12) of the ground, a pixel in ten frames, is seen.
_DEEP = 12


class DeadLeaves(Generated):
    """Opaque discs fallen over each other, the density of their radii falling as radius ** -3.

    So pictures look alike at all scales between the smallest and the largest leaf (Lee,
    Mumford & Huang 2001, Int. J. Comput. Vis. 41, 35). Leaves that leave the frame come in
    again on the other side. The flow of a pixel is the motion of the leaf that is seen at its
    middle, also where another leaf covers that place in the next frame.

    Parameters
    ----------
    smallest, largest : float
        Radius, px; the smallest at least 1.
    speed, direction : float
        px a frame, and degrees counter-clockwise from the right: of all leaves together.
    scatter : float
        px a frame: deviation, in each direction, of the motion of each leaf about that of all;
        0 moves them as one.
    contrast : float
        Greys of leaves are uniform in 0.5 +- contrast / 2.
    """

    smallest: float = Field(3, ge=1)
    largest: float = Field(40, validate_default=True)
    speed: float = Field(1, ge=0)
    direction: float = 0
    scatter: float = Field(0, ge=0)
    contrast: float = Field(0.9, gt=0, le=1)

    @field_validator("largest")
    @classmethod
    def _above_smallest(cls, largest: float, info: ValidationInfo) -> float:
        if largest <= info.data.get("smallest", 0):
            raise ValueError("must be above the smallest radius")
        return largest

    def make(self) -> Made:
        """Let them fall, and move them; the flow is that of the leaf seen at each pixel."""
        rng = np.random.default_rng(self.seed)
        margin = self.largest + 1
        field = period(self, margin)
        radii = self.radii(math.ceil(_DEEP * field.prod() / self._area), rng)
        places = rng.uniform(size=(len(radii), 2)) * field
        levels = 0.5 + 0.5 * self.contrast * rng.uniform(-1, 1, len(radii) + 1)
        together = np.multiply(self.speed, heading(self.direction))
        steps = together + self.scatter * rng.standard_normal((len(radii) + 1, 2))
        frames, flow = [], []
        for t in range(self.frames):
            moved = wrapped(self, places + t * steps[:-1], margin)
            frame, names = draw_discs(self, moved, radii, levels)
            frames.append(frame)
            flow.append(steps.astype(np.float32)[names].transpose(2, 0, 1))
        return finished(self, frames, np.stack(flow[:-1]))

    def radii(self, count: int, rng: np.random.Generator) -> Array:
        """Draw radii, px: the inverse of their cumulative distribution, at random places."""
        small, large = self.smallest**-2, self.largest**-2
        return np.asarray((small - rng.uniform(size=count) * (small - large)) ** -0.5)

    @property
    def _area(self) -> float:
        """Of a leaf, square px, on average."""
        small, large = self.smallest, self.largest
        return 2 * math.pi * math.log(large / small) / (small**-2 - large**-2)

    @property
    def sentence(self) -> str:
        """What it is."""
        own = f", each with its own deviation (SD {self.scatter:g} px a frame in each direction)"
        return (
            f"dead leaves (Lee et al. 2001), opaque discs of {self.smallest:g} to "
            f"{self.largest:g} px radius with density radius ** -3, moving by {self.speed:g} px "
            f"a frame towards {self.direction:g} degrees (counter-clockwise from the right)"
            f"{own if self.scatter else ''}"
        )
