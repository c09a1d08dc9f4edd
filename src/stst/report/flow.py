"""Optical flow as colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.colors import hsv_to_rgb
from torch import Tensor

_UNKNOWN = 128


def flow_picture(flow: Tensor) -> npt.NDArray[np.uint8]:
    """Draw a flow: the hue is the direction, the saturation the speed.

    Red moves to the right, and a hue goes around the wheel with the direction, counter-clockwise
    as seen: yellow-green up, cyan to the left, violet down. White is at rest, and full
    saturation is the highest speed anywhere in the flow.

    Parameters
    ----------
    flow : Tensor
        (T, 2, H, W), px a frame to the right and DOWN; NaN where it is not known.

    Returns
    -------
    ndarray
        (T, H, W, 3), uint8; mid grey where the flow is not known.

    Examples
    --------
    >>> import torch
    >>> flow = torch.tensor([[2.0, 0.0], [0.0, 1.0], [torch.nan, 0.0]])  # right, down, unknown
    >>> flow_picture(flow.T[None, :, None])[0, 0].tolist()
    [[255, 0, 0], [191, 128, 255], [128, 128, 128]]
    """
    right, down = flow.detach().double().cpu().numpy().transpose(1, 0, 2, 3)
    speed = np.hypot(right, down)
    known = np.isfinite(speed)
    fastest = speed.max(where=known, initial=0) or 1
    hue = np.where(known, np.arctan2(-down, right) / (2 * np.pi) % 1, 0)
    saturation = np.where(known, speed / fastest, 0)
    wheel = hsv_to_rgb(np.stack([hue, saturation, np.ones_like(hue)], -1))
    return np.where(known[..., None], np.rint(255 * wheel), _UNKNOWN).astype(np.uint8)
