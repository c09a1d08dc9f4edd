"""Measure the luminance of pixels, and change it without changing their colour."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.video.frames import Clip, Footage

Array = npt.NDArray[np.float64]
Scale = Literal["linear", "encoded"]

WEIGHTS = (0.2126, 0.7152, 0.0722)  # R, G and B: Rec. 709 and sRGB, which share primaries
_ROUNDING = 1e-6  # values outside [0, 1] by less do not count as clipped


def luminances(footage: Footage, scale: Scale) -> Array:
    """Return the luminance of every pixel: (T, H, W), 0 black, 1 white.

    ``linear`` is the light of a standard sRGB screen (IEC 61966-2-1); ``encoded`` is the weighted
    sum of the encoded values (luma).
    """
    frames = (_light(footage.take([index]), scale)[0] for index in range(len(footage)))
    return np.stack([r * WEIGHTS[0] + g * WEIGHTS[1] + b * WEIGHTS[2] for r, g, b in frames])


def relit(footage: Footage, before: Array, after: Array, scale: Scale) -> tuple[Clip, float]:
    """Change the luminance of every pixel by one factor for R, G and B.

    `before` and `after`, (T, H, W), are its present and new luminance on this `scale`. A black
    pixel becomes grey. Also returns the proportion of values clipped to [0, 1].
    """
    parts = []
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        black = old <= 0
        factor = np.where(black, 0, new / np.where(black, 1, old))
        light = _light(footage.take([index]), scale) * factor + black * new
        parts.append(clip_to_unit(light))
    frames = torch.cat([_shown(frame, scale) for frame, _ in parts])
    return Clip(frames, footage.frame_rate), float(np.mean([share for _, share in parts]))


def clip_to_unit(values: Array) -> tuple[Array, float]:
    """Clip values to [0, 1], and return the proportion that was outside."""
    outside = (values < -_ROUNDING) | (values > 1 + _ROUNDING)
    return values.clip(0, 1), float(outside.mean())


def _light(frames: Tensor, scale: Scale) -> Array:
    """Convert encoded values to the luminance scale, same shape."""
    values = frames.double().numpy()
    if scale == "encoded":
        return values
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _shown(light: Array, scale: Scale) -> Tensor:
    """Undo `_light`: float32."""
    if scale == "linear":
        curve = 1.055 * light ** (1 / 2.4) - 0.055
        light = np.where(light <= 0.0031308, 12.92 * light, curve).clip(0, 1)
    return torch.from_numpy(light.astype(np.float32))
