"""What is asked of a frame's pixels themselves, whatever a stream says of them."""

from __future__ import annotations

import torch
from torch import Tensor

from stst.losses.functional import (
    colour_moments,
    layout,
    sameness,
    total_variation,
)

Losses = dict[str, Tensor]
ROUNDS = 2  # over all directions, of bringing colours in
RARE = 0.003  # share of pixels whose colours do not count
STEP = 1 / 255  # of an 8-bit value; colours that vary by less do not vary


class ColourMoments:
    """Mean and covariance of colours, of the frame and of its halved copies (our choice).

    Gram matrices of rectified features hold contrast and what is coarse only roughly. Both
    gaps are relative: of the mean to the deviation of the natural colours, of each
    covariance to its size. `natural` is (1 or B, 3, H, W).
    """

    capturable = True

    def __init__(self, natural: Tensor) -> None:
        self.mean, self.covariances = colour_moments(natural)
        powers = self.covariances.square().sum((-2, -1))
        self.powers = powers.clamp_min(4 * STEP**4)
        spread = self.covariances.sum(1).diagonal(dim1=-2, dim2=-1).sum(1)
        self.spread = spread.clamp_min(4 * STEP**2)

    @property
    def tensors(self) -> list[Tensor]:
        """Targets and what they are relative to."""
        return [self.mean, self.covariances, self.powers, self.spread]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"colour_moments": (B,)}."""
        mean, covariances = colour_moments(window[:, -1])
        gaps = (covariances - self.covariances).square().sum((-2, -1)) / self.powers
        off = (mean - self.mean).square().sum(1) / self.spread
        return {"colour_moments": gaps.mean(1) + off}


class Gamut:
    """Colours that the natural frame does not have (our choice): how far out, on average.

    A frame's colours reach as far in each of 26 directions of RGB as all but `RARE` of those of
    `natural` (1 or B, 3, H, W) do; what lies further out counts by its distance, in natural
    deviations.
    """

    capturable = True

    def __init__(self, natural: Tensor) -> None:
        self.ways = _directions(natural)
        along = self.ways @ natural.flatten(2)  # (B, 26, N)
        last = max(round((1 - RARE) * along.shape[-1]), 1)
        self.limits = along.kthvalue(last, -1, keepdim=True).values
        self.spread = natural.flatten(1).std(1).clamp_min(STEP)

    @property
    def tensors(self) -> list[Tensor]:
        """Limits and their unit."""
        return [self.limits, self.spread]

    def inside(self, frames: Tensor) -> Tensor:
        """Bring colours that are out to near ones within: (B, 3, H, W) -> the same."""
        colours = frames.flatten(2)
        for _ in range(ROUNDS):
            for way, limit in zip(self.ways, self.limits.unbind(1), strict=True):
                beyond = torch.relu(way @ colours - limit)  # (B, N)
                colours = colours - way[:, None] * beyond[:, None]
        return colours.view_as(frames).clamp(0, 1)

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"gamut": (B,)}."""
        beyond = torch.relu(self.ways @ window[:, -1].flatten(2) - self.limits)
        return {"gamut": beyond.mean(-1).sum(1) / self.spread}


def _directions(like: Tensor) -> Tensor:
    """Unit vectors to the faces, edges and corners of a cube, and of 12 hues: (38, 3)."""
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=like.dtype, device=like.device)
    ways = torch.cartesian_prod(steps, steps, steps)
    ways = ways[ways.abs().sum(1) > 0]
    angle = torch.arange(12, dtype=like.dtype, device=like.device)[:, None] * (torch.pi / 6)
    red = angle.new_tensor([2, -1, -1]) / 6**0.5
    across = angle.new_tensor([0, 1, -1]) / 2**0.5
    ways = ways / ways.square().sum(1, keepdim=True).sqrt()
    return torch.cat((ways, angle.cos() * red + angle.sin() * across))


class Variation:
    """Total variation of the last frame; above `allowed` (1 or B,) only, where it is given."""

    def __init__(self, allowed: Tensor | None = None) -> None:
        self.allowed = allowed

    capturable = True

    @property
    def tensors(self) -> list[Tensor]:
        """What is allowed, if anything."""
        return [] if self.allowed is None else [self.allowed]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"total_variation": (B,)}."""
        found = total_variation(window[:, -1])
        if self.allowed is not None:
            found = torch.relu(found - self.allowed)  # without a slope where it is 0
        return {"total_variation": found}


class Sameness:
    """How alike the last frames of a batch are in layout, so that they can avoid each other.

    `natural` (1, 3, H, W) is their common target, whose own spread is the unit.
    """

    capturable = True

    def __init__(self, natural: Tensor) -> None:
        self.spread = layout(natural).var((-2, -1), correction=0).mean().clamp_min(1e-12)

    @property
    def tensors(self) -> list[Tensor]:
        """The unit."""
        return [self.spread]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"sameness": (B,)}."""
        return {"sameness": sameness(layout(window[:, -1]), self.spread)}
