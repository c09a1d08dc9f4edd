"""What is asked of a frame's pixels themselves, whatever a stream says of them."""

from __future__ import annotations

import torch
from torch import Tensor

from stst.losses.functional import colour_moments, layout, sameness, total_variation

Losses = dict[str, Tensor]
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
