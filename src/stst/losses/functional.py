"""Gram matrices, gaps between activations, total variation: pure functions.

Every gap keeps the batch apart: one value for each metamer, (B,).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import fft
from torch import Tensor

REC709 = (0.2126, 0.7152, 0.0722)  # of R, G and B in luminance
CELLS = 12  # of a layout, on the short side
COARSEST = 2  # cycles on the short side, below which there is but one octave


def gram(activation: Tensor) -> Tensor:
    """Channel co-activation averaged over positions: (B, C, *N) -> (B, C, C).

    Divided by the positions H W, not by the channels (authors' code; paper, figure 1).
    """
    flat = activation.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def mean_square_gap(value: Tensor, target: Tensor) -> Tensor:
    """Mean square difference over all but the batch: (B, ...), (1 or B, ...) -> (B,).

    Of Gram matrices the paper's texture loss, of activations its content loss (figure 1), both
    without the half, which the authors' code drops.
    """
    return (value - target).square().flatten(1).mean(1)


def relative_error(value: Tensor, target: Tensor) -> Tensor:
    """Residual ||value - target|| / ||target||, Frobenius norms: -> (B,)."""
    gap = torch.linalg.vector_norm((value - target).flatten(1), dim=1)
    size: Tensor = torch.linalg.vector_norm(target.flatten(1), dim=1)
    error: Tensor = gap / size.clamp_min(1e-30)
    return error


def total_variation(frame: Tensor) -> Tensor:
    """Anisotropic L1 variation divided by H W: (B, 3, H, W) -> (B,)."""
    down = frame.diff(dim=-2).abs().flatten(1).sum(1)
    across = frame.diff(dim=-1).abs().flatten(1).sum(1)
    return (down + across) / (frame.shape[-2] * frame.shape[-1])


def linear_luminance(frames: Tensor) -> Tensor:
    """Luminance of linear light on an sRGB screen: (B, 3, H, W) -> (B, 1, H, W)."""
    steep = ((frames.clamp_min(0.04045) + 0.055) / 1.055).pow(2.4)
    light = torch.where(frames > 0.04045, steep, frames / 12.92)
    weights = light.new_tensor(REC709)[:, None, None]
    return (light * weights).sum(1, keepdim=True)


def octave_moments(x: Tensor) -> Tensor:
    """Covariances of channels, octave by octave: (B, C, H, W) -> (B, L, C, C), finest first.

    Octaves of the discrete cosine transform, in which all pixels take part, the last one all below
    two cycles on the short side. Without the mean they add up to the covariance of the frame.
    """
    height, width = x.shape[-2:]
    rows, columns = (_cosines(side, x.dtype, x.device) for side in (height, width))
    waves = (rows @ x @ columns.mT).flatten(2)
    octaves = _octaves(height, width, x.dtype, x.device)[:, None]
    return (waves[:, None] * octaves) @ waves[:, None].mT / (height * width)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # a cached inference tensor would stop every later gradient
def _cosines(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The orthonormal discrete cosine transform (type 2) of a line, (side, side)."""
    return torch.from_numpy(fft.dct(np.eye(side), axis=0, norm="ortho")).to(device, dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _octaves(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Which coefficients each octave has, without the mean: (L, H W) of 0 and 1."""
    down, across = (torch.arange(side, dtype=torch.float64) / side for side in (height, width))
    frequency = torch.hypot(down[:, None], across).flatten()  # 1: half a cycle a pixel
    count = max(int(math.log2(min(height, width) / (2 * COARSEST))), 0) + 1
    octave = (-frequency.clamp_min(1e-9).log2()).floor().clamp(0, count - 1)
    members = octave == torch.arange(count)[:, None]
    members[:, 0] = False
    return members.to(device, dtype)


def colour_moments(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and `octave_moments` of R, G, B and luminance: (B, 3, H, W) -> (B, 4), (B, L, 4, 4)."""
    values = torch.cat((frames, linear_luminance(frames)), 1)
    mean = values.mean((-2, -1))
    return mean, octave_moments(values - mean[..., None, None])


def cell_colours(frames: Tensor) -> Tensor:
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


def periodic(values: npt.NDArray[np.float64], axes: Sequence[int]) -> npt.NDArray[np.float64]:
    """Take away the jumps between opposite edges, with the smooth field that has only these.

    The periodic component of Moisan (2011, J. Math. Imaging Vis. 39, 161), along some axes.

    >>> periodic(np.array([1.0, 3, 2, 1]), (0,)).round(6).tolist()  # there is no jump
    [1.0, 3.0, 2.0, 1.0]
    >>> periodic(np.array([0.0, 1, 2, 3]), (0,)).round(3).tolist()
    [1.125, 1.375, 1.625, 1.875]
    """
    jumps, curvature = np.zeros_like(values), np.zeros([1] * values.ndim)
    for axis in axes:
        ends = np.moveaxis(jumps, axis, 0)
        jump = np.take(values, -1, axis) - np.take(values, 0, axis)
        ends[0] += jump
        ends[-1] -= jump
        bend = 2 * np.cos(2 * np.pi * fft.fftfreq(values.shape[axis])) - 2
        others = [other for other in range(values.ndim) if other != axis]
        curvature = curvature + np.expand_dims(bend, others)
    constant = tuple(0 if axis in axes else slice(None) for axis in range(values.ndim))
    curvature[tuple(0 for _ in constant)] = 1  # its mean is 0
    smooth = fft.fftn(jumps, axes=axes) / curvature
    smooth[constant] = 0
    return np.asarray(values - fft.ifftn(smooth, axes=axes).real)
