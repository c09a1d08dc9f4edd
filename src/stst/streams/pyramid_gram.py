"""The Gram matrix of a pyramid brought to one size, without bringing it there.

Bilinear up-sampling U is linear and separable, so the Gram block of the levels i and j
is ``(U_i a_i) . (U_j a_j) = a_i . (U_i' U_j a_j)``: the finer level is carried to the
grid of the coarser by one small matrix for rows and one for columns. Exact; a slow twin
in the tests forms the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]


def pyramid_gram(levels: Sequence[Tensor]) -> Tensor:
    """Gram matrix of all channels at the size of the first level.

    Parameters
    ----------
    levels : sequence of Tensor
        (B, C_i, h_i, w_i), the first at full size (H, W), the others smaller. Fastest
        in channels-last memory, where positions x channels is a plain matrix.

    Returns
    -------
    Tensor
        (B, N, N) with N the sum of C_i: sum over positions / (H W).
    """
    maps = [level.permute(0, 2, 3, 1) for level in levels]  # (B, h, w, C)
    full = (maps[0].shape[1], maps[0].shape[2])
    lower = [[_block(a, b, full) for b in maps[: i + 1]] for i, a in enumerate(maps)]
    count = range(len(maps))
    rows = [
        torch.cat([lower[i][j] if j <= i else lower[j][i].mT for j in count], -1) for i in count
    ]
    return torch.cat(rows, -2) / (full[0] * full[1])


def _block(coarse: Tensor, fine: Tensor, full: Size) -> Tensor:
    """Products of the up-sampled channels: (B, h, w, C), (B, k, l, D) -> (B, C, D)."""
    size = (coarse.shape[1], coarse.shape[2])
    if size != full:
        fine = _carried(fine, size, full)
    a, b = coarse.flatten(1, 2), fine.flatten(1, 2)
    if len(a) == 1:  # a plain matrix product uses all threads, a batched one of one does not
        return (a.flatten(0, 1).mT @ b.flatten(0, 1))[None]
    return a.mT @ b


def _carried(fine: Tensor, size: Size, full: Size) -> Tensor:
    """U_coarse' U_fine of each channel: (B, k, l, D) -> (B, *size, D)."""
    height, width = fine.shape[1:3]
    if (height, width) == full:
        carried: Tensor = _Adjoint.apply(fine.permute(0, 3, 1, 2), size)  # type: ignore[no-untyped-call]
        return carried.permute(0, 2, 3, 1)
    rows = _crossing(full[0], size[0], height).to(fine)
    columns = _crossing(full[1], size[1], width).to(fine)
    return columns @ (rows @ fine.flatten(2)).reshape(len(fine), size[0], width, -1)


class _Adjoint(torch.autograd.Function):
    """U' x for bilinear up-sampling U from `size` to the size of x (B, C, H, W)."""

    @staticmethod
    def forward(context: Any, x: Tensor, size: Size) -> Tensor:  # noqa: ANN401
        context.full = x.shape[-2:]
        shape = [*x.shape[:2], *size]
        adjoint: Tensor = torch.ops.aten.upsample_bilinear2d_backward(x, x.shape[-2:], shape, False)
        return adjoint

    @staticmethod
    def backward(context: Any, slope: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return F.interpolate(slope, context.full, mode="bilinear"), None


@lru_cache(maxsize=256)
@torch.inference_mode(False)
def _crossing(full: int, coarse: int, fine: int) -> Tensor:
    """U_coarse' U_fine along one axis: (coarse, fine)."""
    return _upsampling(full, coarse).mT @ _upsampling(full, fine)


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # as in ops.gaussian
def _upsampling(full: int, side: int) -> Tensor:
    """Bilinear interpolation from `side` samples to `full`, as a matrix (full, side)."""
    lines = torch.eye(side, dtype=torch.float64)[None]
    return F.interpolate(lines, size=full, mode="linear", align_corners=False)[0].mT
