"""A finished frame moved as the target moves: where the next one starts from."""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

MIN_SIDE = 16  # px; smaller frames have no room for the flow's patches
ROUNDS = 10
EXACT = 1e-6  # px squared: no flow is better known


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


def affine(flow: Tensor) -> Tensor:
    """Keep the motion of the frame as a whole: the affine flow that most of it follows.

    (B, 2, H, W) in px -> the same. Six numbers a frame: it pans, turns, grows and shears, and
    holds no borders of objects. Least squares, with less weight for pixels that move
    otherwise (Cauchy's weights, reweighted).

    Examples
    --------
    >>> turning = torch.stack(pixels(5, 7)).flip(0)[None]
    >>> torch.allclose(affine(turning), turning, atol=1e-5)
    True
    """
    x, y = pixels(*flow.shape[-2:])
    places = torch.stack((torch.ones_like(x), x, y)).flatten(1).to(flow.device, torch.float64)
    given = flow.double().flatten(2)
    weight = torch.ones_like(given[:, :1])  # (B, 1, H W)
    for _ in range(ROUNDS):
        normal = torch.linalg.pinv(weight * places @ places.mT, hermitian=True)
        fitted = given @ (weight * places).mT @ normal @ places
        off = (given - fitted).square().sum(1, keepdim=True)
        spread = (weight * off).sum(2, keepdim=True) / weight.sum(2, keepdim=True)
        weight = 1 / (1 + off / (spread + EXACT))
    whole: Tensor = fitted.view_as(flow).to(flow)
    return whole


def pixels(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Across and down of each pixel, from the first: (H, W) each."""
    down, across = torch.meshgrid(
        torch.arange(height, dtype=torch.float32),
        torch.arange(width, dtype=torch.float32),
        indexing="ij",
    )
    return across, down


def warped(frames: Tensor, flow: Tensor, outside: Tensor | None = None) -> Tensor:
    """Move frames (B, 3, H, W) in [0, 1] along a flow (1 or B, 2, H, W) in px.

    Bicubic; what comes from outside is taken from the mirror, or of the frames `outside`.

    Examples
    --------
    >>> frame = torch.rand(1, 3, 8, 8)
    >>> right = torch.tensor([-1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8)
    >>> torch.allclose(warped(frame, right)[..., 1:], frame[..., :-1], atol=1e-5)
    True
    """
    height, width = frames.shape[-2:]
    x, y = (line.to(frames.device) for line in pixels(height, width))
    # grid_sample counts from the centre, in half sides.
    across = (2 * (x + flow[:, 0]) + 1) / width - 1
    down = (2 * (y + flow[:, 1]) + 1) / height - 1
    places = torch.stack((across, down), -1).expand(len(frames), -1, -1, -1)
    moved = F.grid_sample(
        frames, places, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    moved = moved.clamp(0, 1)
    if outside is None:
        return moved
    inside = (places.abs() <= 1).all(-1)[:, None]
    return torch.where(inside, moved, outside)
