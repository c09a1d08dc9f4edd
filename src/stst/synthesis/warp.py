"""A finished frame moved as the target moves: where the next one starts from."""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.synthesis.noise import turned

MIN_SIDE = 16  # px; smaller frames have no room for the flow's patches
ROUNDS = 10
EDGE = 2  # px beside a place that bicubic interpolation takes
EXACT = 1e-6  # px squared: no flow is better known
UNSEEN = 0.05  # weight of motion along contours and in plain fields; across contours it is 1
NOISE = 2 / 255  # slope a px, which contours are above


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


def affine(flow: Tensor, frame: Tensor) -> Tensor:
    """Keep the motion of a frame as a whole: the affine flow that most of it follows.

    (B, 2, H, W) in px, and the frames that it is of, (B, 3, H, W) -> (B, 2, H, W). Six numbers a
    frame: it pans, turns, grows and shears, and holds no borders of objects. Least squares, with
    less weight for pixels that move otherwise (Cauchy's weights, reweighted). Motion is seen across
    a contour, and not along it or in a plain field, where it weighs as little as `UNSEEN`.

    Examples
    --------
    >>> turning = torch.stack(pixels(5, 7)).flip(0)[None]
    >>> torch.allclose(affine(turning, torch.rand(1, 3, 5, 7)), turning, atol=1e-5)
    True
    """
    x, y = pixels(*flow.shape[-2:])
    places = torch.stack((torch.ones_like(x), x, y)).flatten(1).to(flow.device, torch.float64)
    given, seen = flow.double().flatten(2), _seen(frame).flatten(3)
    weight = torch.ones_like(given[:, 0])  # (B, H W)
    for _ in range(ROUNDS):
        weighted = weight[:, None, None] * seen
        normal = torch.einsum("bijn,an,cn->biajc", weighted, places, places).reshape(-1, 6, 6)
        wanted = torch.einsum("bijn,bjn,an->bia", weighted, given, places).reshape(-1, 6, 1)
        numbers = torch.linalg.pinv(normal, hermitian=True) @ wanted
        fitted = numbers.view(-1, 2, 3) @ places
        rest = given - fitted
        off = torch.einsum("bin,bijn,bjn->bn", rest, seen, rest) / _trace(seen)
        spread = (_trace(weighted) * off).sum(1, True) / _trace(weighted).sum(1, True)
        weight = 1 / (1 + off / (spread + EXACT))
    whole: Tensor = fitted.view_as(flow).to(flow)
    return whole


def elsewhere(flow: Tensor, random: Tensor) -> Tensor:
    """A flow as fast and as coarse, in other places.

    (1 or B, 2, H, W) in px, noise (B, 3, H, W) in [0, 1] -> (B, 2, H, W). The phases of the noise
    are added to both components alike, and each is given the values that it had, in the new order.
    With the same noise for all frames, what moves on in the flow moves on here.
    """
    mean = flow.mean((-2, -1), keepdim=True)
    order = turned(flow - mean, random).flatten(2).argsort(-1).argsort(-1)
    values = flow.flatten(2).sort(-1).values.expand(len(order), -1, -1)
    return values.gather(-1, order).view(-1, *flow.shape[1:])


def _seen(frame: Tensor) -> Tensor:
    """How well motion is seen in each direction: (B, 3, H, W) -> (B, 2, 2, H, W)."""
    grey = F.pad(frame.mean(1).double(), (1, 1, 1, 1), mode="replicate")
    right, down = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    slope = torch.stack((right, down), 1) / 2
    across = slope / (slope.square().sum(1, keepdim=True) + NOISE**2).sqrt()
    unseen = UNSEEN * torch.eye(2, dtype=torch.float64, device=frame.device)
    return across[:, :, None] * across[:, None] + unseen[..., None, None]


def _trace(matrices: Tensor) -> Tensor:
    return matrices[:, 0, 0] + matrices[:, 1, 1]


def pixels(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Across and down of each pixel, from the first: (H, W) each."""
    down, across = torch.meshgrid(
        torch.arange(height, dtype=torch.float32),
        torch.arange(width, dtype=torch.float32),
        indexing="ij",
    )
    return across, down


def warped(frames: Tensor, flow: Tensor) -> Tensor:
    """Move frames (B, 3, H, W) in [0, 1] along a flow (1 or B, 2, H, W) in px.

    Bicubic. What leaves on one side comes in on the other, as in the random phases that frames
    start from: mirrors would draw streaks where motion goes inwards for long.

    Examples
    --------
    >>> frame = torch.rand(1, 3, 8, 8)
    >>> right = torch.tensor([-1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8)
    >>> torch.allclose(warped(frame, right), frame.roll(1, -1), atol=1e-5)
    True
    """
    height, width = frames.shape[-2:]
    x, y = (line.to(frames.device) for line in pixels(height, width))
    x, y = x + flow[:, 0], y + flow[:, 1]
    # grid_sample counts from the centre, in half sides.
    across, down = (
        (2 * (place % side + EDGE) + 1) / (side + 2 * EDGE) - 1
        for place, side in ((x, width), (y, height))
    )
    places = torch.stack((across, down), -1).expand(len(frames), -1, -1, -1)
    rows, columns = (
        torch.arange(-EDGE, side + EDGE, device=frames.device) % side for side in (height, width)
    )
    around = frames[..., rows[:, None], columns]
    return F.grid_sample(around, places, mode="bicubic", align_corners=False).clamp(0, 1)
