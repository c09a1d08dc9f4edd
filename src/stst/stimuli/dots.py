"""Random-dot kinematograms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from stst.stimuli.raster import (
    draw_discs,
    finished,
    heading,
    period,
    wrapped,
)
from stst.stimuli.scenes import Array
from stst.stimuli.stimulus import Generated, Made

_POLARITIES = {"white": (1,), "black": (-1,), "mixed": (1, -1)}
_NOISE = {
    "direction": "the same speed in random directions",
    "walk": "the same speed in directions that are random in each frame",
    "position": "random positions in each frame",
}


class RandomDots(Generated):
    """Dots of which a share moves coherently, as a signal in noise.

    A dot is signal or noise for as long as the clip lasts (the rule "same" of Scase, Braddick
    & Raymond 1996, Vision Res. 36, 2579). Dots that leave the frame come in again on the other
    side; one whose life ends appears at a random place in the next frame, and ages are spread
    evenly over the dots.

    The flow is known where there are dots: each pixel on a dot, signal or noise, goes where
    that dot goes. It is NaN on the ground and on dots that are elsewhere in the next frame,
    because their life ends or because noise is new positions. The velocity of the signal alone
    is in the settings.

    Parameters
    ----------
    coherence : float
        Share of dots that are signal, in [0, 1]; rounded to whole dots.
    density : float
        Dots per square px.
    dot_size : float
        Diameter, px, at least 1. Pixels are means over their areas, so that a dot's middle, as
        pixels show it, is right to 0.03 px from 3 px on, and to 0.15 px at 1 px.
    speed, direction : float
        Of the signal, px a frame, and degrees counter-clockwise from the right.
    lifetime : int or None
        Frames for which a dot is seen, at least 2; None is without end.
    noise : {"direction", "walk", "position"}
        Noise dots move at the same speed in a random direction that each keeps, or in another
        one in each frame, or jump to a random place in each frame.
    polarity : {"white", "black", "mixed"}
        Lighter than the mid-grey ground, darker, or every second one of each.
    contrast : float
        Weber contrast of a dot against the ground.
    """

    coherence: float = Field(0.5, ge=0, le=1)
    density: float = Field(0.01, gt=0, le=1)
    dot_size: float = Field(4, ge=1)
    speed: float = Field(1, ge=0)
    direction: float = 0
    lifetime: int | None = Field(None, ge=2)
    noise: Literal["direction", "walk", "position"] = "direction"
    polarity: Literal["white", "black", "mixed"] = "white"
    contrast: float = Field(0.8, gt=0, le=1)

    def make(self) -> Made:
        """Draw them; the flow is that of the dots, NaN elsewhere."""
        frames, flow = [], []
        for places, steps in self._moments():
            radii = np.full(len(places), self.dot_size / 2)
            frame, names = draw_discs(self, places, radii, self._levels(len(places)))
            frames.append(frame)
            known = np.vstack([steps, [[np.nan, np.nan]]]).astype(np.float32)
            flow.append(known[names].transpose(2, 0, 1))
        return finished(self, frames, np.stack(flow[:-1]))

    def _moments(self) -> Iterator[tuple[Array, Array]]:
        """Places of the dots in each frame, (N, 2), and their steps, NaN where one ends."""
        rng = np.random.default_rng(self.seed)
        margin = self.dot_size / 2 + 1
        field = period(self, margin)
        count = max(1, round(self.density * float(field.prod())))
        signal = rng.permutation(count) < round(self.coherence * count)
        born = rng.integers(self.lifetime or 1, size=count)
        places = wrapped(self, rng.uniform(size=(count, 2)) * field, margin)
        ways = rng.uniform(0, 360, count)
        for t in range(self.frames):
            steps = self._steps(np.where(signal, self.direction, ways))
            if self.noise == "position":
                steps[~signal] = np.nan
            if self.lifetime is not None:
                steps[(born + t + 1) % self.lifetime == 0] = np.nan
            yield places, steps
            fresh = rng.uniform(size=(count, 2)) * field
            places = wrapped(self, np.where(np.isnan(steps), fresh, places + steps), margin)
            if self.noise == "walk":
                ways = rng.uniform(0, 360, count)

    def _steps(self, ways: Array) -> Array:
        return self.speed * np.stack([heading(way) for way in ways.tolist()])

    def _levels(self, count: int) -> Array:
        """Grey of each dot, and of the ground."""
        signs = np.resize(_POLARITIES[self.polarity], count)
        return np.append(0.5 + 0.5 * self.contrast * signs, 0.5)

    @property
    def sentence(self) -> str:
        """What it is."""
        life = "unlimited lifetime" if self.lifetime is None else f"lifetime {self.lifetime} frames"
        return (
            f"a random-dot kinematogram: {self.polarity} dots of {self.dot_size:g} px, "
            f"{self.density:g} per square px, Weber contrast {self.contrast:g}, {life}, "
            f"{100 * self.coherence:g} % of them moving by {self.speed:g} px a frame towards "
            f"{self.direction:g} degrees (counter-clockwise from the right), the others with "
            f"{_NOISE[self.noise]}"
        )
