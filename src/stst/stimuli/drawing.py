"""What stimuli are drawn with: grids of pixels, directions, coloured noise, finished clips."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.stimuli.stimulus import Generator, Stimulus
from stst.video.frames import Clip

Array = npt.NDArray[np.floating]


def heading(direction: float) -> tuple[float, float]:
    """Unit step to the right and DOWN, for degrees counter-clockwise from the right.

    Examples
    --------
    >>> [round(step, 3) for step in heading(90)]
    [0.0, -1.0]
    """
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


def finished(raster: Generator, frames: Iterable[Array], flow: Array | None = None) -> Stimulus:
    """Make frames a clip of that frame rate, and the truth that goes with it.

    Parameters
    ----------
    raster : Generator
        Whose frames they are.
    frames : iterable of ndarray
        (H, W), grey, or (3, H, W), RGB; what is not in [0, 1] is clipped, and counted.
    flow : ndarray, optional
        (2, H, W), the same at all times, or (T - 1, 2, H, W).
    """
    drawn = torch.from_numpy(np.stack([frame.astype(np.float32) for frame in frames]))
    fits = drawn.clamp(0, 1)
    clipped = float((drawn != fits).double().mean())
    pixels = fits.view(raster.frames, -1, raster.height, raster.width).expand(-1, 3, -1, -1)
    clip = Clip(pixels.contiguous(), raster.frame_rate)
    return Stimulus(clip, None if flow is None else _at_all_times(flow, raster.frames - 1), clipped)


def _at_all_times(flow: Array, times: int) -> Tensor:
    truth = torch.from_numpy(np.ascontiguousarray(flow, np.float32))
    return truth.expand(times, *truth.shape[-3:]).contiguous()


def pink_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    slope: float = 1.0,
    stretch: int = 1,
) -> Array:
    """Draw Gaussian noise whose amplitude falls as 1 / frequency ** slope.

    Natural photographs have a slope near 1 (Field 1987, J. Opt. Soc. Am. A 4, 2379).

    Parameters
    ----------
    shape : tuple of int
        Height and width in px; the noise is periodic in both.
    rng : numpy.random.Generator
        Where the phases come from.
    slope : float
        Steeper is smoother; 0 is white.
    stretch : int
        How many times longer than high the features are, as ground seen at a slant.

    Returns
    -------
    ndarray
        Of that shape, float32, mean 0, standard deviation 1.

    Examples
    --------
    >>> noise = pink_noise((32, 48), np.random.default_rng(0))
    >>> noise.shape, round(float(noise.std()), 3)
    ((32, 48), 1.0)
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    vertical = np.fft.fftfreq(shape[0])[:, None]
    horizontal = np.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(vertical, horizontal * stretch)
    frequency[0, 0] = np.inf  # no constant part: the mean is 0
    noise = np.fft.irfft2(spectrum * frequency**-slope, s=shape)
    return np.asarray(noise / noise.std(), np.float32)
