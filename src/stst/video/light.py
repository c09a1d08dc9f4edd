"""Luminance of a pixel: measured, and changed with the colour kept."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.video.frames import Clip, Footage

Array = npt.NDArray[np.float64]
Scale = Literal["linear", "encoded"]

WEIGHTS = (0.2126, 0.7152, 0.0722)  # of R, G and B: Rec. 709, and sRGB, which has its primaries
_ROUNDING = 1e-6  # beyond [0, 1] by less than this is no clipping


def luminances(footage: Footage, scale: Scale) -> Array:
    """Luminance of every pixel: (T, H, W), 0 is black and 1 is white.

    ``linear`` is of light, on a screen that shows sRGB (IEC 61966-2-1) as it should; ``encoded`` is
    the weighted sum of the values as they are (luma).
    """
    frames = (_light(footage.take([index]), scale)[0] for index in range(len(footage)))
    return np.stack([r * WEIGHTS[0] + g * WEIGHTS[1] + b * WEIGHTS[2] for r, g, b in frames])


def relit(footage: Footage, before: Array, after: Array, scale: Scale) -> tuple[Clip, float]:
    """Give every pixel another luminance by one factor for R, G and B.

    `before` and `after`, (T, H, W), are its luminance on this `scale` and the wanted one. A black
    pixel becomes grey. Also returns the share of values that had to be clipped to [0, 1].
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
    """Values clipped to [0, 1], and the share of them that did not fit."""
    outside = (values < -_ROUNDING) | (values > 1 + _ROUNDING)
    return values.clip(0, 1), float(outside.mean())


def _light(frames: Tensor, scale: Scale) -> Array:
    """Encoded values on the scale on which luminances add: of the same shape."""
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
