"""Gram matrices, gaps between activations, total variation: pure functions.

Every gap keeps the batch apart: one value for each metamer, (B,).
"""

from __future__ import annotations

import torch
from torch import Tensor


def gram(activation: Tensor) -> Tensor:
    """Channel co-activation averaged over positions: (B, C, *N) -> (B, C, C).

    Divided by the positions H W, not by the channels (authors' code; paper, figure 1).

    Examples
    --------
    >>> gram(torch.ones(1, 2, 4, 4))[0]
    tensor([[1., 1.],
            [1., 1.]])
    """
    flat = activation.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def mean_square_gap(found: Tensor, target: Tensor) -> Tensor:
    """Mean square difference over all but the batch: (B, ...), (1 or B, ...) -> (B,).

    Of Gram matrices it is the paper's texture loss sum (G - G^)^2 / (2 N^2), of
    activations its content loss sum (A - A^)^2 / (2 N M), both (figure 1) without the
    half, which the authors' code drops.
    """
    return (found - target).square().flatten(1).mean(1)


def relative_error(found: Tensor, target: Tensor) -> Tensor:
    """Residual ||found - target|| / ||target||, Frobenius norms: -> (B,)."""
    gap = torch.linalg.vector_norm((found - target).flatten(1), dim=1)
    size: Tensor = torch.linalg.vector_norm(target.flatten(1), dim=1)
    error: Tensor = gap / size.clamp_min(1e-30)
    return error


def total_variation(frame: Tensor) -> Tensor:
    """Anisotropic L1 variation divided by H W: (B, 3, H, W) -> (B,).

    Examples
    --------
    >>> total_variation(torch.ones(1, 3, 8, 8))
    tensor([0.])
    """
    down = frame.diff(dim=-2).abs().flatten(1).sum(1)
    across = frame.diff(dim=-1).abs().flatten(1).sum(1)
    return (down + across) / (frame.shape[-2] * frame.shape[-1])
