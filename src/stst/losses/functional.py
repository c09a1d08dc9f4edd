"""Gram matrices, gaps between activations, total variation: pure functions.

Every gap keeps the batch apart: one value for each metamer, (B,).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import dct
from torch import Tensor

REC709 = (0.2126, 0.7152, 0.0722)  # of R, G and B in luminance
CELLS = 12  # of a layout, on the short side
COARSEST = 2  # cycles on the short side, below which there is but one octave


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


def luminance(frames: Tensor) -> Tensor:
    """Luminance of linear light on an sRGB screen: (B, 3, H, W) -> (B, 1, H, W).

    Examples
    --------
    >>> round(luminance(torch.full((1, 3, 1, 1), 0.5)).item(), 4)
    0.214
    """
    steep = ((frames.clamp_min(0.04045) + 0.055) / 1.055).pow(2.4)
    light = torch.where(frames > 0.04045, steep, frames / 12.92)
    weights = light.new_tensor(REC709)[:, None, None]
    return (light * weights).sum(1, keepdim=True)


def octave_moments(x: Tensor) -> Tensor:
    """Covariances of channels, octave by octave: (B, C, H, W) -> (B, L, C, C), finest first.

    Octaves of spatial frequency, of the discrete cosine transform: no side needs to be even, and
    all pixels take part in each. The last one is all below two cycles on the short side, where a
    frame has too few places for an octave of its own. Without the mean they add up to the
    covariance of the frame.

    Examples
    --------
    >>> x = torch.rand(1, 3, 33, 50, dtype=torch.float64)
    >>> centred = x - x.mean((-2, -1), keepdim=True)
    >>> torch.allclose(octave_moments(x).sum(1), gram(centred))
    True
    """
    height, width = x.shape[-2:]
    rows, columns = (_cosines(side, x.dtype, x.device) for side in (height, width))
    found = (rows @ x @ columns.mT).flatten(2)
    octaves = _octaves(height, width, x.dtype, x.device)[:, None]
    return (found[:, None] * octaves) @ found[:, None].mT / (height * width)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # a cached inference tensor would stop every later gradient
def _cosines(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The orthonormal discrete cosine transform (type 2) of a line, (side, side)."""
    return torch.from_numpy(dct(np.eye(side), axis=0, norm="ortho")).to(device, dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _octaves(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Which coefficients each octave has, without the mean: (L, H W) of 0 and 1."""
    down, across = (torch.arange(side, dtype=torch.float64) / side for side in (height, width))
    frequency = torch.hypot(down[:, None], across).flatten()  # 1: half a cycle a pixel
    count = max(int(math.log2(min(height, width) / (2 * COARSEST))), 0) + 1
    octave = (-frequency.clamp_min(1e-9).log2()).floor().clamp(0, count - 1)
    found = octave == torch.arange(count)[:, None]
    found[:, 0] = False
    return found.to(device, dtype)


def colour_moments(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariances of colours and luminance, octave by octave.

    (B, 3, H, W) -> (B, 4) and (B, L, 4, 4), of R, G, B and `luminance`: see `octave_moments`.

    Examples
    --------
    >>> mean, covariances = colour_moments(torch.full((1, 3, 16, 32), 0.5))
    >>> mean, covariances.shape, covariances.abs().max() < 1e-12
    (tensor([[0.5000, 0.5000, 0.5000, 0.2140]]), torch.Size([1, 3, 4, 4]), tensor(True))
    """
    seen = torch.cat((frames, luminance(frames)), 1)
    mean = seen.mean((-2, -1))
    return mean, octave_moments(seen - mean[..., None, None])


def layout(frames: Tensor) -> Tensor:
    """Mean colours of square cells, 12 on the short side: (B, 3, H, W) -> (B, 3, h, w)."""
    side = max(min(frames.shape[-2:]) / CELLS, 1)
    cells = [max(round(length / side), 1) for length in frames.shape[-2:]]
    return F.interpolate(frames, cells, mode="area")


def sameness(layouts: Tensor, spread: Tensor) -> Tensor:
    """How alike each layout is to the others, on average: (B, 3, h, w), () -> (B,).

    exp(-d), where d is the mean square difference over twice the `spread`, the variance of
    the natural layout over places: 1 for the same layout, 0.37 for unrelated ones.
    """
    flat = layouts.flatten(1)
    gaps = (flat[:, None] - flat[None]).square().mean(-1) / (2 * spread)
    others = ~torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    return (torch.exp(-gaps) * others).sum(1) / (len(flat) - 1)
