"""Grids of pixels that stimuli are drawn on, and discs with smooth rims."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.stimuli.scenes import Array
from stst.stimuli.stimulus import Generated, Made
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


Names = npt.NDArray[np.int32]


_FINE = 8  # samples a px in each direction


_STRIP = 128  # px drawn at once, so that a large frame does not need 64 times its memory


_CORNERS = 48


_BITS = 4  # of a sample, below its unit, in OpenCV's fixed point


# A polygon of the area of the unit circle.
_ANGLES = 2 * np.pi * np.arange(_CORNERS) / _CORNERS


_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1) / np.sqrt(np.sinc(2 / _CORNERS))


_RIM = 0.5  # samples by which OpenCV draws a polygon too large, on each side


def draw_discs(
    raster: Generated, places: Array, radii: Array, levels: Array
) -> tuple[Array, Names]:
    """Draw discs over each other, the last one on top.

    Parameters
    ----------
    raster : Generated
        Gives the size of the frame.
    places, radii : ndarray
        (N, 2), px to the right and DOWN of the centre of the first pixel, to 1 / 128 px; (N,), px.
    levels : ndarray
        (N + 1,), grey of each disc; the last is that of the ground.

    Returns
    -------
    frame : ndarray
        (H, W), float32: the mean over the area of each pixel.
    names : ndarray
        (H, W), the index of the disc at the middle of each pixel, to 1 / 16 px; N is the ground.
    """
    outlines = _outlines(places, radii)
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


def _outlines(places: Array, radii: Array) -> Names:
    """(N, corners, 2), in samples, as fixed-point numbers."""
    middles = (places + 0.5) * _FINE - 0.5
    reach = (radii * _FINE - _RIM)[:, None, None]
    return np.asarray(np.round((middles[:, None] + reach * _CIRCLE) * 2**_BITS), np.int32)


def _strip(outlines: Names, rows: slice, width: int) -> Names:
    """Which disc is seen at each sample of some rows."""
    fine = np.full(((rows.stop - rows.start) * _FINE, width * _FINE), len(outlines), np.int32)
    moved = outlines - np.array([0, rows.start * _FINE * 2**_BITS], np.int32)
    end = np.array(fine.shape[::-1]) * 2**_BITS
    seen = ((moved.max(1) >= 0) & (moved.min(1) < end)).all(1)
    for index in np.flatnonzero(seen).tolist():
        cv2.fillConvexPoly(fine, moved[index], index, shift=_BITS)
    return fine


def wrapped(raster: Generated, places: Array, margin: float) -> Array:
    """Bring places that left the frame by more than `margin` px in again on the other side."""
    return np.asarray((places + margin) % period(raster, margin) - margin)


def period(raster: Generated, margin: float) -> Array:
    """Width and height, px, of the field in which discs are that can reach into the frame."""
    return np.array([raster.width, raster.height]) + 2 * margin
