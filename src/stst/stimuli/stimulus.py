"""Base classes of generators and controls, and the helpers that generators draw with."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BeforeValidator, Field
from torch import Tensor

from stst.errors import FramesError
from stst.recipe import FrozenConfig
from stst.video.frames import Clip
from stst.video.timing import rate_setting

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A stimulus clip with its true optical flow and the errors made in generating it.

    Parameters
    ----------
    clip : Clip
        The stimulus.
    flow : Tensor, optional
        True optical flow, float32, of shape (T - 1, 2, H, W): the displacement of each pixel
        from one frame to the next, in pixels rightwards and DOWNWARDS. NaN where it is
        undefined. None if the stimulus has no single flow field.
    clipped : float, default 0
        Proportion of values outside [0, 1] that were clipped.
    residuals : tuple of float, optional
        Relative error of the statistics of each frame, for controls that match statistics by
        optimisation.

    Raises
    ------
    FramesError
        If the shape of `flow` does not fit the clip.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> stimulus = make_stimulus("drifting-grating", frames=4, speed=2)
    >>> stimulus.clip
    Clip(4 frames of 128x128 px at 24/s, 0.167 s)
    >>> stimulus.flow.shape, stimulus.clipped
    (torch.Size([3, 2, 128, 128]), 0.0)
    """

    clip: Clip
    flow: Tensor | None = None
    clipped: float = 0.0
    residuals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.clip) - 1, 2, *self.clip.size)
        if self.flow is not None and tuple(self.flow.shape) != shape:
            raise FramesError(
                f"the flow must be {shape}, (T - 1, 2, H, W); got {tuple(self.flow.shape)}."
            )


class Described(FrozenConfig):
    """Settings of a stimulus, documented by their descriptions."""

    words: ClassVar[str]  # format string of `sentence`; the settings are `self`

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section, with units."""
        return self.words.format(self=self)


class Generator(Described):
    """A stimulus drawn from its settings alone.

    The same settings always give the same pixels.
    """

    frames: int = Field(48, ge=2, le=100_000, description="Number of frames.")
    height: int = Field(128, ge=16, le=16_384, description="Frame height in pixels.")
    width: int = Field(128, ge=16, le=16_384, description="Frame width in pixels.")
    frame_rate: Annotated[Fraction, BeforeValidator(rate_setting)] = Field(
        Fraction(24), description="Frames per second, exact."
    )
    seed: int = Field(0, ge=0, description="Random seed. No effect on stimuli without randomness.")

    @abstractmethod
    def make(self) -> Stimulus:
        """Draw the stimulus.

        Returns
        -------
        Stimulus
            The clip and, where defined, its true optical flow.
        """


class Control(Described):
    """A stimulus made from a natural clip that keeps some of its statistics and destroys others.

    The Methods sentence of a control starts with a verb: "has random phases ...".
    """

    needs: ClassVar[str | None] = None  # optional package that only this control needs
    random: ClassVar[bool] = True  # whether the seed changes the clip

    seed: int = Field(0, ge=0, description="Random seed. No effect on controls without randomness.")

    @abstractmethod
    def make(self, natural: Clip) -> Stimulus:
        """Make the control from a natural clip.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            A clip of the same length, size and frame rate.
        """


def heading(direction: float) -> tuple[float, float]:
    """Convert a direction, degrees counter-clockwise from right, to a unit step right and DOWN."""
    angle = math.radians(direction)
    return math.cos(angle), -math.sin(angle)


def centred(raster: Generator) -> tuple[Array, Array]:
    """Return pixel coordinates from the frame centre: px right, (1, W), and px DOWN, (H, 1)."""
    right = np.arange(raster.width) - (raster.width - 1) / 2
    down = np.arange(raster.height) - (raster.height - 1) / 2
    return right[None, :], down[:, None]


def across(raster: Generator, direction: float) -> Array:
    """Return the position of each pixel, (H, W), along a direction: px from the frame centre."""
    (right, down), (x, y) = heading(direction), centred(raster)
    return np.asarray(right * x + down * y)


def drift(raster: Generator, speed: float, direction: float) -> Array:
    """Return the flow of rigid translation, (2, H, W): speed in px per frame, direction in deg."""
    step = speed * np.reshape(heading(direction), (2, 1, 1))
    return np.broadcast_to(step, (2, raster.height, raster.width))


def to_stimulus(raster: Generator, frames: Iterable[Array], flow: Array | None = None) -> Stimulus:
    """Make a stimulus from frames, (H, W) or (3, H, W), clipped to [0, 1].

    `flow` is (2, H, W), constant over time, or (T - 1, 2, H, W).
    """
    drawn = torch.from_numpy(np.stack([frame.astype(np.float32) for frame in frames]))
    fits = drawn.clamp(0, 1)
    clipped = float((drawn != fits).double().mean())
    pixels = fits.view(raster.frames, -1, raster.height, raster.width).expand(-1, 3, -1, -1)
    truth = None
    if flow is not None:
        truth = torch.from_numpy(np.ascontiguousarray(flow, np.float32))
        truth = truth.expand(raster.frames - 1, *truth.shape[-3:]).contiguous()
    return Stimulus(Clip(pixels.contiguous(), raster.frame_rate), truth, clipped)


def pink_noise(
    shape: tuple[int, int], rng: np.random.Generator, *, slope: float = 1.0, stretch: int = 1
) -> Array:
    """Draw Gaussian noise with amplitude 1 / frequency ** slope: float32, mean 0, SD 1.

    Photographs have a slope near 1 (Field 1987). `stretch` is the ratio of width to height of the
    features.
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]) * stretch)
    frequency[0, 0] = np.inf  # no DC component: the mean is 0
    noise = np.fft.irfft2(spectrum * frequency**-slope, s=shape)
    return np.asarray(noise / noise.std(), np.float32)
