"""Optical flow of a film for the browser, in the colours of `stst.report.flow`."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image

from stst.errors import FramesError

if TYPE_CHECKING:
    from torch import Tensor

    from stst.losses.arrangement import Array
    from stst.studio.media import Shown

SAMPLES = 16  # pairs of frames that give the scale of the colours
SHARE = 99  # % of pixels that are not faster than the full colour
PICTURES = 256  # of a film that are kept
_scales: WeakKeyDictionary[Shown, float] = WeakKeyDictionary()
_pictures: WeakKeyDictionary[Shown, dict[tuple[int, float], bytes]] = WeakKeyDictionary()


def flow(shown: Shown, index: int) -> Array:
    """Compute the optical flow from a frame to the next one, px/frame, (1, 2, H, W).

    Raises
    ------
    FramesError
        If there is no such pair of frames.
    """
    from stst.metrics.motion import optical_flow
    from stst.video.frames import Clip

    pairs = len(shown.footage) - 1
    if not 0 <= index < pairs:
        raise FramesError(f"the film has {max(pairs, 0)} pairs of frames, counted from 0.")
    frames = shown.footage.take([index, index + 1])
    return optical_flow(Clip(frames, shown.footage.frame_rate))


def fastest(shown: Shown) -> float:
    """Return a high speed of a film, px/frame: for the scale of the colours.

    It is the 99th percentile over the pixels of up to 16 pairs of frames.
    """
    if shown not in _scales:
        last = len(shown.footage) - 2
        if last < 0:
            return 0.0
        pairs = np.unique(np.linspace(0, last, SAMPLES).round().astype(int))
        speeds = [np.hypot(*flow(shown, int(pair))[0]).astype("f4") for pair in pairs]
        _scales[shown] = round(float(np.percentile(np.stack(speeds), SHARE)), 3)
    return _scales[shown]


def flow_png(shown: Shown, index: int, scale: float) -> bytes:
    """Draw the flow from a frame to the next one; `scale` has full colour, px/frame.

    Raises
    ------
    FramesError
        If there is no such pair of frames, or the scale is not a speed.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise FramesError("the speed of full colour must be above 0.")
    pictures = _pictures.setdefault(shown, {})
    if (index, scale) not in pictures:
        from stst.report.flow import flow_picture

        pixels = _slowed(flow(shown, index), scale)
        encoded = io.BytesIO()
        Image.fromarray(flow_picture(pixels, scale)[0]).save(encoded, "PNG", compress_level=1)
        if len(pictures) >= PICTURES:
            pictures.clear()
        pictures[index, scale] = encoded.getvalue()
    return pictures[index, scale]


def _slowed(flow: Array, most: float) -> Tensor:
    """Reduce higher speeds to `most`, in their directions."""
    import torch

    speed = np.hypot(flow[:, :1], flow[:, 1:])
    return torch.from_numpy(flow * np.minimum(1, (1 - 1e-9) * most / np.maximum(speed, 1e-12)))
