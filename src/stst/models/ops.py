"""Operations of the temporal stream, as pure functions; tests compare each with a reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.models.kernels import products

CONTRAST_EPS = 1e-12


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # as in gaussian
def _mirrored(length: int, pad: int, device: torch.device) -> Tensor:
    """Indices of a line of `length` samples padded symmetrically, edges repeated."""
    return torch.from_numpy(np.pad(np.arange(length), pad, mode="symmetric")).to(device)


def symmetric_pad(x: Tensor, pad: int) -> Tensor:
    """Pad the last two axes like numpy's ``symmetric``: -> (..., H + 2 pad, W + 2 pad).

    Edges are repeated, as in TensorFlow. `pad` may exceed the sides.
    """
    height, width = x.shape[-2:]
    if pad <= min(height, width):  # flips avoid scattered additions in the backward pass
        x = torch.cat((x[..., :pad, :].flip(-2), x, x[..., height - pad :, :].flip(-2)), -2)
        return torch.cat((x[..., :pad].flip(-1), x, x[..., width - pad :].flip(-1)), -1)
    rows, columns = (_mirrored(side, pad, x.device) for side in (height, width))
    return x.index_select(-2, rows).index_select(-1, columns)


def contrast_norm(x: Tensor) -> Tensor:
    """Normalise to zero mean and unit variance over all but the first axis: (B, ...) -> (B, ...).

    A frame pair is normalised jointly, so luminance changes between its frames remain
    (Tesfaldet et al. 2018; authors' code, eps 1e-12 on the variance).
    """
    axes = tuple(range(1, x.ndim))
    centred = x - x.mean(axes, keepdim=True)
    variance = centred.square().mean(axes, keepdim=True)
    return centred / (variance + CONTRAST_EPS).sqrt()


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # a cached inference tensor would stop every later gradient
def gaussian(
    size: int, sigma: float, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> Tensor:
    """Weights of a square Gaussian window with sum 1: (size, size).

    Cached per device, because a CUDA graph must not copy from the host.
    """
    half = (size - 1) / 2
    line = torch.arange(size, dtype=torch.float64).sub(half).square().div(-2 * sigma**2).exp()
    window = torch.outer(line, line)
    return (window / window.sum()).to(device, dtype)


def blur_down(x: Tensor, size: int = 5, sigma: float = 2.0) -> Tensor:
    """Blur and keep every second sample: (B, C, H, W) -> (B, C, ceil(H / 2), ceil(W / 2))."""
    window = gaussian(size, sigma, x.dtype, x.device)[None, None]
    # Channels become batch items, because grouped convolutions are slow on CPUs.
    blurred = F.conv2d(symmetric_pad(x, size // 2).flatten(0, 1)[:, None], window, stride=2)
    return blurred.view(*x.shape[:2], *blurred.shape[-2:])


def pyramid_gram(levels: Sequence[Tensor]) -> Tensor:
    """Gram matrix of all channels at the size (H, W) of the first level.

    [(B, C_i, h_i, w_i)], fine to coarse -> (B, N, N), with N the sum of C_i; the mean over
    positions. Fastest with channels last in memory.
    """
    maps = [level.permute(0, 2, 3, 1) for level in levels]  # (B, h, w, C)
    height, width = maps[0].shape[1:3]
    on_grids: list[list[Tensor]] = [[] for _ in maps]  # per level: finer levels, then itself
    for j, fine in enumerate(maps):
        carried = _carried(fine, maps[j:], height, width)
        for on_grid, product in zip(on_grids[j:], carried, strict=True):
            on_grid.append(product)
    rows = [_products(a, b) for a, b in zip(maps, on_grids, strict=True)]
    return _mirrored_pyramid_gram(rows) / (height * width)


def _products(own: Tensor, finer: Sequence[Tensor]) -> Tensor:
    """Products of a level's channels with all on its grid: (B, h, w, C), ... -> (B, C, sum C)."""
    positions = own.flatten(1, 2)
    if finer[0] is own:
        return products(positions, positions)
    return products(positions, torch.cat([x.flatten(1, 2) for x in finer], -1))


def _carried(fine: Tensor, grids: Sequence[Tensor], height: int, width: int) -> list[Tensor]:
    """U_i' U of each channel for the grids i, its own first: (B, k, l, D) -> [(B, h_i, w_i, D)].

    A full-size map is unchanged. The rows of all grids are computed in one matrix product.
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


def _mirrored_pyramid_gram(rows: Sequence[Tensor]) -> Tensor:
    """Symmetric matrix (B, N, N) from its lower block rows, [(B, C_i, C_1 + ... + C_i)]."""
    left = [row[..., : row.shape[-1] - row.shape[-2]] for row in rows]  # without diagonal blocks
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
    full: int, coarse: tuple[int, ...], fine: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """U_i' U_fine along one axis, for each coarse side i: (sum of sides, fine)."""
    crossings = [_upsampling(full, side).mT @ _upsampling(full, fine) for side in coarse]
    return torch.cat(crossings).to(device, dtype)


def _upsampling(full: int, side: int) -> Tensor:
    """Bilinear interpolation from `side` samples to `full`, as a matrix (full, side)."""
    lines = torch.eye(side, dtype=torch.float64)[None]
    return F.interpolate(lines, size=full, mode="linear", align_corners=False)[0].mT
