"""The raster that stimuli are drawn on: places, directions, grey values made a clip."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from stst.stimuli.stimulus import Generated, Made
from stst.stimuli.texture import Array
from stst.video.frames import Clip


def heading(direction: float) -> tuple[float, float]:
    """Unit step to the right and DOWN, for degrees counter-clockwise from the right.

    Examples
    --------
    >>> [round(step, 3) for step in heading(90)]
    [0.0, -1.0]
    """
    angle = math.radians(direction)
    return math.cos(angle), -math.sin(angle)


def centred(raster: Generated) -> tuple[Array, Array]:
    """Places of the pixels: px to the right, (1, W), and DOWN, (H, 1), of the frame's centre."""
    right = np.arange(raster.width) - (raster.width - 1) / 2
    down = np.arange(raster.height) - (raster.height - 1) / 2
    return right[None, :], down[:, None]


def across(raster: Generated, direction: float) -> Array:
    """Places of the pixels, (H, W): px along a direction from the frame's centre."""
    (right, down), (x, y) = heading(direction), centred(raster)
    return np.asarray(right * x + down * y)


def drift(raster: Generated, speed: float, direction: float) -> Array:
    """Flow, (2, H, W), of what moves as one: px a frame, degrees."""
    step = speed * np.reshape(heading(direction), (2, 1, 1))
    return np.broadcast_to(step, (2, raster.height, raster.width))


def finished(raster: Generated, frames: Iterable[Array], flow: Array | None = None) -> Made:
    """Make frames a clip of that frame rate, and the truth that goes with it.

    Parameters
    ----------
    raster : Generated
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
    return Made(clip, None if flow is None else _at_all_times(flow, raster.frames - 1), clipped)


def _at_all_times(flow: Array, times: int) -> Tensor:
    truth = torch.from_numpy(np.ascontiguousarray(flow, np.float32))
    return truth.expand(times, *truth.shape[-3:]).contiguous()
