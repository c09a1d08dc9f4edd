"""Colours of a clip as uncorrelated components, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

_STEP = 1 / 255  # of an 8-bit value; what varies by less is rounding


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of the colours of some frames, each of mean 0 and variance 1.

    Parameters
    ----------
    mean : Tensor
        (3,), the mean colour.
    basis : Tensor
        (3, K), the colour that one standard deviation of each adds, the least first. K is 3,
        or less where colours vary in fewer directions: 1 for grey frames.

    Examples
    --------
    >>> grey = torch.rand(2, 1, 8, 8).expand(-1, 3, -1, -1)
    >>> found = Components.of(grey)
    >>> found.split(grey).shape
    torch.Size([2, 1, 8, 8])
    >>> torch.allclose(found.join(found.split(grey)), grey.double())
    True
    """

    mean: Tensor
    basis: Tensor

    @classmethod
    def of(cls, frames: Tensor) -> Self:
        """Find those of (T, 3, H, W)."""
        pixels = frames.double().transpose(0, 1).flatten(1)
        variance, axes = torch.linalg.eigh(torch.cov(pixels, correction=0))
        spread = variance.clamp(min=_STEP**2).sqrt()
        kept = max(1, int((variance > _STEP**2).sum()))
        return cls(pixels.mean(1), (axes * spread)[:, -kept:])

    def split(self, frames: Tensor) -> Tensor:
        """(T, 3, H, W) -> (T, K, H, W), float64."""
        return self._mixed(torch.linalg.pinv(self.basis), frames - self.mean[:, None, None])

    def join(self, parts: Tensor) -> Tensor:
        """(T, K, H, W) -> (T, 3, H, W), float64; need not be in [0, 1]."""
        return self.mean[:, None, None] + self._mixed(self.basis, parts)

    def rounding(self) -> Tensor:
        """Standard deviation of each, (K,), that rounding to 8 bits adds."""
        return _STEP / 12**0.5 / self.basis.square().sum(0).sqrt()

    @staticmethod
    def _mixed(matrix: Tensor, channels: Tensor) -> Tensor:
        mixed: Tensor = torch.einsum("kc,tchw->tkhw", matrix, channels.double())
        return mixed
