"""The Gram matrix of a pyramid brought to one size, without bringing it there.

Bilinear up-sampling U is linear and separable, so the Gram block of the levels i and j
is ``(U_i a_i) . (U_j a_j) = a_i . (U_i' U_j a_j)``: the finer level is carried to the
grid of the coarser by one small matrix for rows and one for columns. Exact; a slow twin
in the tests forms the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stst.streams.kernels import products

Sides = tuple[int, ...]


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
    height, width = maps[0].shape[1:3]
    on_grids: list[list[Tensor]] = [[] for _ in maps]  # of each level: finer ones, itself
    for j, fine in enumerate(maps):
        carried = _carried(fine, maps[j:], height, width)
        for grid, found in zip(on_grids[j:], carried, strict=True):
            grid.append(found)
    rows = [_products(a, b) for a, b in zip(maps, on_grids, strict=True)]
    return _mirrored(rows) / (height * width)


def _products(own: Tensor, finer: Sequence[Tensor]) -> Tensor:
    """Of one level's channels with all on its grid: (B, h, w, C), ... -> (B, C, sum of C)."""
    positions = own.flatten(1, 2)
    if finer[0] is own:
        return products(positions, positions)
    return products(positions, torch.cat([x.flatten(1, 2) for x in finer], -1))


def _carried(fine: Tensor, grids: Sequence[Tensor], height: int, width: int) -> list[Tensor]:
    """U_i' U of each channel for the grids i: (B, k, l, D) -> [(B, h_i, w_i, D)].

    The first grid is the map's own, where a full-size map stays as it is. The rows of
    all grids are one matrix product.
    """
    own = [fine] if fine.shape[1:3] == (height, width) else []
    sizes = [grid.shape[1:3] for grid in grids[len(own) :]]
    if not sizes:
        return own
    heights = [size[0] for size in sizes]
    kind = (fine.dtype, fine.device)
    rows = _crossings(height, tuple(heights), fine.shape[1], *kind)
    stacks = _times(rows, fine.flatten(2)).view(len(fine), -1, *fine.shape[2:])
    columns = [_crossings(width, (size[1],), fine.shape[2], *kind) for size in sizes]
    return own + [c @ s for c, s in zip(columns, torch.split(stacks, heights, 1), strict=True)]


def _mirrored(rows: Sequence[Tensor]) -> Tensor:
    """Symmetric matrix (B, N, N) of its lower block rows, [(B, C_i, C_1 + ... + C_i)]."""
    left = [row[..., : row.shape[-1] - row.shape[-2]] for row in rows]  # of the diagonal blocks
    lower, strictly = (
        torch.cat([F.pad(row, (0, rows[-1].shape[-1] - row.shape[-1])) for row in side], -2)
        for side in (rows, left)
    )
    return lower + strictly.mT


def _times(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.squeeze(0))[None] if len(b) == 1 else a @ b


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # as in ops.gaussian
def _crossings(
    full: int, coarse: Sides, fine: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """U_i' U_fine along one axis, for each coarse side i in turn: (sum of sides, fine)."""
    found = [_upsampling(full, side).mT @ _upsampling(full, fine) for side in coarse]
    return torch.cat(found).to(device, dtype)


def _upsampling(full: int, side: int) -> Tensor:
    """Bilinear interpolation from `side` samples to `full`, as a matrix (full, side)."""
    lines = torch.eye(side, dtype=torch.float64)[None]
    return F.interpolate(lines, size=full, mode="linear", align_corners=False)[0].mT
