"""Discs that move: random-dot kinematograms and dead leaves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationInfo, field_validator

from stst.stimuli.stimulus import Array, Generator, Stimulus, heading, to_stimulus

_POLARITIES = {"white": (1,), "black": (-1,), "mixed": (1, -1)}
_NOISE = {
    "direction": "the same speed in random directions",
    "walk": "the same speed in directions that are random in each frame",
    "position": "random positions in each frame",
}


class RandomDots(Generator):
    """Dots of which a share moves coherently, as a signal in noise.

    A dot is signal or noise for as long as the clip lasts (the rule "same" of Scase, Braddick
    & Raymond 1996, Vision Res. 36, 2579). Dots that leave the frame come in again on the other
    side; one whose life ends appears at a random place in the next frame. The flow is NaN on the
    ground and on dots that jump, because their life ends or because noise is new positions.

    Parameters
    ----------
    coherence : float
        Share of dots that are signal, in [0, 1]; rounded to whole dots.
    density : float
        Dots per square px.
    dot_size : float
        Diameter, px, at least 1; pixels show a dot's middle to 0.03 px from 3 px on.
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

    def make(self) -> Stimulus:
        """Draw them; the flow is that of the dots, NaN elsewhere."""
        margin = self.dot_size / 2 + 1
        count = max(1, round(self.density * float(period(self, margin).prod())))
        signs = np.resize(_POLARITIES[self.polarity], count)
        levels = np.append(0.5 + 0.5 * self.contrast * signs, 0.5)
        radii = np.full(count, self.dot_size / 2)
        return _film_discs(self, self._moments(count, margin), radii, levels)

    def _moments(self, count: int, margin: float) -> Iterator[tuple[Array, Array]]:
        """Places of the dots in each frame, (N, 2), and steps of dots and ground, (N + 1, 2)."""
        rng = np.random.default_rng(self.seed)
        field = period(self, margin)
        signal = rng.permutation(count) < round(self.coherence * count)
        born = rng.integers(self.lifetime or 1, size=count)
        places = wrap(self, rng.uniform(size=(count, 2)) * field, margin)
        ways = rng.uniform(0, 360, count)
        for t in range(self.frames):
            headings = [heading(way) for way in np.where(signal, self.direction, ways).tolist()]
            steps = self.speed * np.stack(headings)
            if self.noise == "position":
                steps[~signal] = np.nan
            if self.lifetime is not None:
                steps[(born + t + 1) % self.lifetime == 0] = np.nan
            yield places, np.vstack([steps, [[np.nan, np.nan]]])
            fresh = rng.uniform(size=(count, 2)) * field
            places = wrap(self, np.where(np.isnan(steps), fresh, places + steps), margin)
            if self.noise == "walk":
                ways = rng.uniform(0, 360, count)

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


# Leaves that cover a point, on average: exp(-12) of the ground, a pixel in ten frames, is seen.
_DEEP = 12


class DeadLeaves(Generator):
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

    def make(self) -> Stimulus:
        """Let them fall, and move them; the flow is that of the leaf seen at each pixel."""
        rng = np.random.default_rng(self.seed)
        margin = self.largest + 1
        field = period(self, margin)
        radii = self.radii(math.ceil(_DEEP * field.prod() / self._area), rng)
        places = rng.uniform(size=(len(radii), 2)) * field
        levels = 0.5 + 0.5 * self.contrast * rng.uniform(-1, 1, len(radii) + 1)
        together = np.multiply(self.speed, heading(self.direction))
        steps = together + self.scatter * rng.standard_normal((len(radii) + 1, 2))
        moments = ((wrap(self, places + t * steps[:-1], margin), steps) for t in range(self.frames))
        return _film_discs(self, moments, radii, levels)

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


Names = npt.NDArray[np.int32]

_FINE = 8  # samples a px in each direction
_STRIP = 128  # px drawn at once, so that a large frame does not need 64 times its memory
_BITS = 4  # of a sample, below its unit, in OpenCV's fixed point
_RIM = 0.5  # samples by which OpenCV draws a polygon too large, on each side
_CORNERS = 48  # of a polygon of the area of the unit circle
_ANGLES = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1) / np.sqrt(np.sinc(2 / _CORNERS))


def _film_discs(
    raster: Generator, moments: Iterable[tuple[Array, Array]], radii: Array, levels: Array
) -> Stimulus:
    """Film discs: at each moment their places, and steps of discs and ground, (N + 1, 2)."""
    frames, flow = [], []
    for places, steps in moments:
        frame, names = draw_discs(raster, places, radii, levels)
        frames.append(frame)
        flow.append(steps.astype(np.float32)[names].transpose(2, 0, 1))
    return to_stimulus(raster, frames, np.stack(flow[:-1]))


def draw_discs(
    raster: Generator, places: Array, radii: Array, levels: Array
) -> tuple[Array, Names]:
    """Draw discs, the last one on top: the frame (H, W), means over the areas of pixels.

    Also the index of the disc at the middle of each pixel, (H, W), N for the ground. `places`,
    (N, 2), are px to the right and DOWN of the first pixel; `levels`, (N + 1,), end in the ground.
    """
    middles = (places + 0.5) * _FINE - 0.5  # in samples, then as fixed-point numbers
    reach = (radii * _FINE - _RIM)[:, None, None]
    outlines = np.round((middles[:, None] + reach * _CIRCLE) * 2**_BITS).astype(np.int32)
    frame = np.empty((raster.height, raster.width), np.float32)
    names = np.empty(frame.shape, np.int32)
    for top in range(0, raster.height, _STRIP):
        rows = slice(top, min(top + _STRIP, raster.height))
        fine = _strip(outlines, rows, raster.width)
        size = (raster.width, rows.stop - rows.start)
        shades = levels.astype(np.float32)[fine]
        frame[rows] = cv2.resize(shades, size, interpolation=cv2.INTER_AREA)
        names[rows] = fine[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE]
    return frame, names


def _strip(outlines: Names, rows: slice, width: int) -> Names:
    """Which disc is seen at each sample of some rows."""
    fine = np.full(((rows.stop - rows.start) * _FINE, width * _FINE), len(outlines), np.int32)
    moved = outlines - np.array([0, rows.start * _FINE * 2**_BITS], np.int32)
    end = np.array(fine.shape[::-1]) * 2**_BITS
    inside = ((moved.max(1) >= 0) & (moved.min(1) < end)).all(1)
    for index in np.flatnonzero(inside).tolist():
        cv2.fillConvexPoly(fine, moved[index], index, shift=_BITS)
    return fine


def wrap(raster: Generator, places: Array, margin: float) -> Array:
    """Bring places that left the frame by more than `margin` px in again on the other side."""
    return np.asarray((places + margin) % period(raster, margin) - margin)


def period(raster: Generator, margin: float) -> Array:
    """Width and height, px, of the field in which discs are that can reach into the frame."""
    return np.array([raster.width, raster.height]) + 2 * margin
