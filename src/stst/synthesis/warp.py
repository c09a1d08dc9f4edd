"""A finished frame moved as the target moves: where the next one starts from."""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

MIN_SIDE = 16  # px; smaller frames have no room for the flow's patches


def flow_back(before: Tensor, after: Tensor) -> Tensor:
    """Where each pixel of `after` was in `before`: displacement in px, (right, down).

    (B, 3, H, W), (B, 3, H, W) in [0, 1] -> (B, 2, H, W). Dense inverse search (Kroeger et
    al. 2016) as in OpenCV, on the CPU; none, that is 0, below 16 px a side.
    """
    if min(before.shape[-2:]) < MIN_SIDE:
        return torch.zeros_like(before[:, :2])
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [x.mean(1).mul(255).round().to(torch.uint8).cpu().numpy() for x in (after, before)]
    # None: no flow to begin with, which OpenCV's stubs do not know of.
    found = [engine.calc(a, b, None) for a, b in zip(*grey, strict=True)]  # type: ignore[call-overload]
    return torch.stack([*map(torch.from_numpy, found)]).permute(0, 3, 1, 2).to(before)


def warped(frames: Tensor, flow: Tensor) -> Tensor:
    """Move frames (B, 3, H, W) in [0, 1] along a flow (1 or B, 2, H, W) in px.

    Bicubic; what comes from outside is taken from the mirror.

    Examples
    --------
    >>> frame = torch.rand(1, 3, 8, 8)
    >>> right = torch.tensor([-1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8)
    >>> torch.allclose(warped(frame, right)[..., 1:], frame[..., :-1], atol=1e-5)
    True
    """
    height, width = frames.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=frames.device),
        torch.arange(width, device=frames.device),
        indexing="ij",
    )
    # grid_sample counts from the centre, in half sides.
    across = (2 * (x + flow[:, 0]) + 1) / width - 1
    down = (2 * (y + flow[:, 1]) + 1) / height - 1
    places = torch.stack((across, down), -1).expand(len(frames), -1, -1, -1)
    moved = F.grid_sample(
        frames, places, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    return moved.clamp(0, 1)
