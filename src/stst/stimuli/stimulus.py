"""What a stimulus made without optimisation is, and what generated ones are drawn with."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from stst.errors import FramesError
from stst.recipe import FrozenConfig
from stst.video.frames import Clip

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A clip that was made, and what is known of it.

    Parameters
    ----------
    clip : Clip
        The stimulus.
    flow : Tensor, optional
        (T - 1, 2, H, W), float32: where each pixel of a frame goes until the next, px to the
        right and DOWN; NaN where that is not known. None where nothing moves as one.
    clipped : float
        Share of values that did not fit into [0, 1] and were clipped.
    residuals : tuple of float
        Relative error of each frame's statistics, where a descent matched them.

    Raises
    ------
    FramesError
        If the flow is not of the clip's frames.
    """

    clip: Clip
    flow: Tensor | None = None
    clipped: float = 0.0
    residuals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wanted = (len(self.clip) - 1, 2, *self.clip.size)
        if self.flow is not None and tuple(self.flow.shape) != wanted:
            raise FramesError(f"the flow must be {wanted}, got {tuple(self.flow.shape)}.")


class Described(FrozenConfig):
    """Settings of a stimulus, and a sentence that describes it by them."""

    words: ClassVar[str]  # of `sentence`: a format of the settings, as `self`

    @property
    def sentence(self) -> str:
        """What it is, or, of a control, how it is made, for a Methods section, with units."""
        return self.words.format(self=self)


class Generator(Described):
    """A stimulus drawn from its settings alone; the same settings give the same pixels.

    Parameters
    ----------
    frames, height, width : int
        Length in frames, size in px.
    frame_rate : Fraction
        Frames per second, exact.
    seed : int
        Random seed.
    """

    frames: int = Field(48, ge=2)
    height: int = Field(128, ge=16)
    width: int = Field(128, ge=16)
    frame_rate: Fraction = Field(Fraction(24), gt=0)
    seed: int = Field(0, ge=0)

    @abstractmethod
    def make(self) -> Stimulus:
        """Draw it."""


class Control(Described):
    """A stimulus made of a natural clip, of which it keeps some statistics and loses others.

    Its sentence begins with a verb: "has its phases ...".

    Parameters
    ----------
    seed : int
        Random seed.
    """

    needs: ClassVar[str | None] = None  # a package that only this kind of control needs
    random: ClassVar[bool] = True  # whether another seed gives another clip

    seed: int = Field(0, ge=0)

    @abstractmethod
    def make(self, natural: Clip) -> Stimulus:
        """Make it of a clip: of the same length, size and frame rate."""


def heading(direction: float) -> tuple[float, float]:
    """Unit step to the right and DOWN, for degrees counter-clockwise from the right."""
    angle = math.radians(direction)
    return math.cos(angle), -math.sin(angle)


def centred(raster: Generator) -> tuple[Array, Array]:
    """Places of the pixels: px to the right, (1, W), and DOWN, (H, 1), of the frame's centre."""
    right = np.arange(raster.width) - (raster.width - 1) / 2
    down = np.arange(raster.height) - (raster.height - 1) / 2
    return right[None, :], down[:, None]


def across(raster: Generator, direction: float) -> Array:
    """Places of the pixels, (H, W): px along a direction from the frame's centre."""
    (right, down), (x, y) = heading(direction), centred(raster)
    return np.asarray(right * x + down * y)


def drift(raster: Generator, speed: float, direction: float) -> Array:
    """Flow, (2, H, W), of what moves as one: px a frame, degrees."""
    step = speed * np.reshape(heading(direction), (2, 1, 1))
    return np.broadcast_to(step, (2, raster.height, raster.width))


def to_stimulus(raster: Generator, frames: Iterable[Array], flow: Array | None = None) -> Stimulus:
    """Make a stimulus of frames, (H, W) or (3, H, W), which are clipped to [0, 1].

    The flow is (2, H, W), the same at all times, or (T - 1, 2, H, W).
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
    """Draw Gaussian noise whose amplitude falls as 1 / frequency ** slope: float32, SD 1, mean 0.

    Photographs have a slope near 1 (Field 1987). `stretch`: how much longer than high features are.
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]) * stretch)
    frequency[0, 0] = np.inf  # no constant part: the mean is 0
    noise = np.fft.irfft2(spectrum * frequency**-slope, s=shape)
    return np.asarray(noise / noise.std(), np.float32)
