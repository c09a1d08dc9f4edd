"""Moving discs: random-dot kinematograms and dead leaves."""

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
    """A random-dot kinematogram: signal dots move coherently among noise dots.

    Each dot is signal or noise for the whole clip. Dots that leave the frame re-enter on the
    opposite side; a dot whose lifetime ends reappears at a random position in the next frame. The
    flow is NaN on the background and on dots that jump.

    Notes
    -----
    The assignment of signal dots is the rule "same" of Scase, Braddick & Raymond 1996, Vision
    Res. 36, 2579. The centroid of a dot of 3 px or more is drawn to within 0.03 px.

    Examples
    --------
    >>> stimulus = RandomDots(frames=2, coherence=1, speed=2).make()
    >>> flow = stimulus.flow[0, 0]
    >>> flow[flow.isfinite()].unique().tolist()  # all dots move 2 px to the right
    [2.0]
    """

    coherence: float = Field(
        0.5, ge=0, le=1, description="Proportion of signal dots, rounded to whole dots."
    )
    density: float = Field(0.01, gt=0, le=1, description="Dots per square pixel.")
    dot_size: float = Field(4, ge=1, description="Dot diameter in pixels.")
    speed: float = Field(1, ge=0, description="Speed of the dots in pixels per frame.")
    direction: float = Field(
        0, description="Direction of the signal dots in degrees counter-clockwise from right."
    )
    lifetime: int | None = Field(
        None, ge=2, description="Lifetime of a dot in frames. None: unlimited."
    )
    noise: Literal["direction", "walk", "position"] = Field(
        "direction",
        description="Motion of the noise dots. 'direction': at the signal speed in a random, "
        "constant direction. 'walk': at the signal speed in a new random direction on each frame. "
        "'position': to a new random position on each frame.",
    )
    polarity: Literal["white", "black", "mixed"] = Field(
        "white",
        description="Dots lighter than the mid-grey background, darker, or alternately both.",
    )
    contrast: float = Field(
        0.8, gt=0, le=1, description="Weber contrast of the dots against the background."
    )

    def make(self) -> Stimulus:
        """Draw the dots.

        Returns
        -------
        Stimulus
            The clip and the flow of the dots, NaN elsewhere.
        """
        margin = self.dot_size / 2 + 1
        count = max(1, round(self.density * float(period(self, margin).prod())))
        signs = np.resize(_POLARITIES[self.polarity], count)
        levels = np.append(0.5 + 0.5 * self.contrast * signs, 0.5)
        radii = np.full(count, self.dot_size / 2)
        return _film_discs(self, self._moments(count, margin), radii, levels)

    def _moments(self, count: int, margin: float) -> Iterator[tuple[Array, Array]]:
        """Yield dot positions, (N, 2), and steps of dots and background, (N + 1, 2), per frame."""
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
        """Description of the stimulus for a Methods section."""
        life = "unlimited lifetime" if self.lifetime is None else f"lifetime {self.lifetime} frames"
        return (
            f"a random-dot kinematogram: {self.polarity} dots of {self.dot_size:g} px, "
            f"{self.density:g} per square px, Weber contrast {self.contrast:g}, {life}, "
            f"{100 * self.coherence:g} % of them moving by {self.speed:g} px per frame towards "
            f"{self.direction:g} degrees (counter-clockwise from the right), the others with "
            f"{_NOISE[self.noise]}"
        )


# Mean number of leaves over a point: exp(-12) of the background, a pixel in ten frames, shows.
_DEEP = 12


class DeadLeaves(Generator):
    """Moving dead leaves: overlapping opaque discs with a radius density of radius ** -3.

    The image is scale-invariant between the smallest and the largest radius. Leaves that leave
    the frame re-enter on the opposite side. The flow of a pixel is the motion of the leaf visible
    at its centre, even if another leaf occludes it in the next frame.

    Notes
    -----
    See Lee, Mumford & Huang 2001, Int. J. Comput. Vis. 41, 35.

    Examples
    --------
    >>> stimulus = DeadLeaves(frames=2, height=64, width=64, largest=20, speed=2).make()
    >>> stimulus.flow[0, :, 32, 32].tolist()  # right, DOWN
    [2.0, -0.0]
    """

    smallest: float = Field(3, ge=1, description="Smallest leaf radius in pixels.")
    largest: float = Field(
        40,
        validate_default=True,
        description="Largest leaf radius in pixels, greater than `smallest`.",
    )
    speed: float = Field(1, ge=0, description="Common speed of the leaves in pixels per frame.")
    direction: float = Field(
        0, description="Common direction of motion in degrees counter-clockwise from right."
    )
    scatter: float = Field(
        0,
        ge=0,
        description="Standard deviation of the velocity of single leaves about the common one, in "
        "pixels per frame along each axis. 0: all leaves move together.",
    )
    contrast: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Range of grey levels: uniform within 0.5 +- contrast / 2, as encoded.",
    )

    @field_validator("largest")
    @classmethod
    def _above_smallest(cls, largest: float, info: ValidationInfo) -> float:
        if largest <= info.data.get("smallest", 0):
            raise ValueError("must be greater than smallest, the smallest radius")
        return largest

    def make(self) -> Stimulus:
        """Draw the leaves.

        Returns
        -------
        Stimulus
            The clip and the flow of the leaf visible at each pixel.
        """
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
        """Draw radii by inverting their cumulative distribution.

        Parameters
        ----------
        count : int
            Number of leaves.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray
            Radii in pixels, (count,).
        """
        small, large = self.smallest**-2, self.largest**-2
        return np.asarray((small - rng.uniform(size=count) * (small - large)) ** -0.5)

    @property
    def _area(self) -> float:
        """Mean area of a leaf in square px."""
        small, large = self.smallest, self.largest
        return 2 * math.pi * math.log(large / small) / (small**-2 - large**-2)

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section."""
        own = f", each with its own deviation (SD {self.scatter:g} px per frame in each direction)"
        return (
            f"dead leaves (Lee et al. 2001), opaque discs of {self.smallest:g} to "
            f"{self.largest:g} px radius with density radius ** -3, moving by {self.speed:g} px "
            f"per frame towards {self.direction:g} degrees (counter-clockwise from the right)"
            f"{own if self.scatter else ''}"
        )


Names = npt.NDArray[np.int32]

_FINE = 8  # samples per px in each direction
_STRIP = 128  # rows drawn at once, to limit memory
_BITS = 4  # fractional bits of OpenCV's fixed-point coordinates
_RIM = 0.5  # samples by which OpenCV draws a polygon too large on each side
_CORNERS = 48  # corners of a polygon with the area of the unit circle
_ANGLES = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1) / np.sqrt(np.sinc(2 / _CORNERS))


def _film_discs(
    raster: Generator, moments: Iterable[tuple[Array, Array]], radii: Array, levels: Array
) -> Stimulus:
    """Draw a clip of discs from their positions and the steps of discs and background."""
    frames, flow = [], []
    for places, steps in moments:
        frame, indices = draw_discs(raster, places, radii, levels)
        frames.append(frame)
        flow.append(steps.astype(np.float32)[indices].transpose(2, 0, 1))
    return to_stimulus(raster, frames, np.stack(flow[:-1]))


def draw_discs(
    raster: Generator, places: Array, radii: Array, levels: Array
) -> tuple[Array, Names]:
    """Draw antialiased discs, the last one on top.

    `places`, (N, 2), are px right and DOWN from the first pixel. `levels`, (N + 1,), end with the
    background. Returns the frame, (H, W), and the index of the disc at the centre of each pixel,
    (H, W), N for the background.
    """
    middles = (places + 0.5) * _FINE - 0.5  # in samples
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
    """Return the index of the disc visible at each sample of some rows."""
    fine = np.full(((rows.stop - rows.start) * _FINE, width * _FINE), len(outlines), np.int32)
    moved = outlines - np.array([0, rows.start * _FINE * 2**_BITS], np.int32)
    end = np.array(fine.shape[::-1]) * 2**_BITS
    inside = ((moved.max(1) >= 0) & (moved.min(1) < end)).all(1)
    for index in np.flatnonzero(inside).tolist():
        cv2.fillConvexPoly(fine, moved[index], index, shift=_BITS)
    return fine


def wrap(raster: Generator, places: Array, margin: float) -> Array:
    """Move positions more than `margin` px outside the frame to the opposite side."""
    return np.asarray((places + margin) % period(raster, margin) - margin)


def period(raster: Generator, margin: float) -> Array:
    """Return width and height, px, of the frame with its margin: the period of positions."""
    return np.array([raster.width, raster.height]) + 2 * margin
