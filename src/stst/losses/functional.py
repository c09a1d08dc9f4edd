"""Gram matrices, differences between activations, total variation: pure functions.

Every difference returns one value per metamer, (B,).
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

REC709 = (0.2126, 0.7152, 0.0722)  # luminance weights of R, G and B
CELLS = 12  # cells of a layout along the short side
COARSEST = 2  # cycles per short side: lower frequencies form one octave


def gram(activation: Tensor) -> Tensor:
    """Average the products of channels over positions.

    Parameters
    ----------
    activation : Tensor
        Activations, (B, C, ...).

    Returns
    -------
    Tensor
        Gram matrices, (B, C, C).

    Notes
    -----
    Divided by the number of positions H W, not by the number of channels (authors' code).

    Examples
    --------
    >>> gram(torch.ones(1, 2, 4, 4)).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    flat = activation.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def mean_square_gap(value: Tensor, target: Tensor) -> Tensor:
    """Average the squared difference over everything except the batch.

    Parameters
    ----------
    value : Tensor
        Activations or Gram matrices, (B, ...).
    target : Tensor
        Target, (1, ...) or (B, ...).

    Returns
    -------
    Tensor
        Mean square differences, (B,).

    Notes
    -----
    For Gram matrices the texture loss of the paper, for activations its content loss
    (figure 1), both without the factor 1/2, as in the authors' code.

    Examples
    --------
    >>> mean_square_gap(torch.zeros(1, 4), torch.full((1, 4), 2.0))
    tensor([4.])
    """
    return (value - target).square().flatten(1).mean(1)


def relative_error(value: Tensor, target: Tensor) -> Tensor:
    """Compute the residual ||value - target|| / ||target|| (Frobenius norms).

    Parameters
    ----------
    value : Tensor
        Activations or Gram matrices, (B, ...).
    target : Tensor
        Target, (1, ...) or (B, ...).

    Returns
    -------
    Tensor
        Relative errors, 0 or more, (B,).

    Examples
    --------
    >>> relative_error(torch.full((1, 4), 3.0), torch.full((1, 4), 2.0))
    tensor([0.5000])
    """
    gap = torch.linalg.vector_norm((value - target).flatten(1), dim=1)
    size: Tensor = torch.linalg.vector_norm(target.flatten(1), dim=1)
    error: Tensor = gap / size.clamp_min(1e-30)
    return error


def total_variation(frame: Tensor) -> Tensor:
    """Sum absolute differences of neighbouring pixels, divided by H W.

    Parameters
    ----------
    frame : Tensor
        Frames, (B, 3, H, W).

    Returns
    -------
    Tensor
        Anisotropic L1 variation, (B,).

    Examples
    --------
    >>> total_variation(torch.ones(1, 3, 4, 4))
    tensor([0.])
    """
    down = frame.diff(dim=-2).abs().flatten(1).sum(1)
    across = frame.diff(dim=-1).abs().flatten(1).sum(1)
    return (down + across) / (frame.shape[-2] * frame.shape[-1])


def linear_luminance(frames: Tensor) -> Tensor:
    """Compute the luminance of linear light on an sRGB screen.

    Parameters
    ----------
    frames : Tensor
        Encoded RGB in [0, 1], (B, 3, H, W).

    Returns
    -------
    Tensor
        Luminance in [0, 1], (B, 1, H, W).

    Examples
    --------
    >>> round(linear_luminance(torch.full((1, 3, 1, 1), 0.5)).item(), 3)
    0.214
    """
    steep = ((frames.clamp_min(0.04045) + 0.055) / 1.055).pow(2.4)
    light = torch.where(frames > 0.04045, steep, frames / 12.92)
    weights = light.new_tensor(REC709)[:, None, None]
    return (light * weights).sum(1, keepdim=True)


def octave_moments(x: Tensor) -> Tensor:
    """Compute the channel covariances in each spatial octave, finest first.

    Octaves are bands of the discrete cosine transform, which uses all pixels; the last contains
    everything below two cycles per short side. The mean is excluded. The octaves sum to the
    covariance of the frame.

    Parameters
    ----------
    x : Tensor
        Maps, (B, C, H, W).

    Returns
    -------
    Tensor
        Covariances of L octaves, (B, L, C, C).

    Examples
    --------
    >>> octave_moments(torch.rand(1, 3, 32, 32)).shape
    torch.Size([1, 4, 3, 3])
    """
    height, width = x.shape[-2:]
    rows, columns = (_cosines(side, x.dtype, x.device) for side in (height, width))
    waves = (rows @ x @ columns.mT).flatten(2)
    octaves = _octaves(height, width, x.dtype, x.device)[:, None]
    return (waves[:, None] * octaves) @ waves[:, None].mT / (height * width)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # a cached inference tensor would stop every later gradient
def _cosines(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Orthonormal discrete cosine transform (type 2) of a line, (side, side)."""
    return torch.from_numpy(fft.dct(np.eye(side), axis=0, norm="ortho")).to(device, dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _octaves(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Coefficients of each octave, without the mean: (L, H W) of 0 and 1."""
    down, across = (torch.arange(side, dtype=torch.float64) / side for side in (height, width))
    frequency = torch.hypot(down[:, None], across).flatten()  # 1 is half a cycle per pixel
    count = max(int(math.log2(min(height, width) / (2 * COARSEST))), 0) + 1
    octave = (-frequency.clamp_min(1e-9).log2()).floor().clamp(0, count - 1)
    members = octave == torch.arange(count)[:, None]
    members[:, 0] = False
    return members.to(device, dtype)


def colour_moments(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the mean and `octave_moments` of R, G, B and linear luminance.

    Parameters
    ----------
    frames : Tensor
        Encoded RGB in [0, 1], (B, 3, H, W).

    Returns
    -------
    mean : Tensor
        Means, (B, 4).
    covariances : Tensor
        Covariances of L octaves, (B, L, 4, 4).

    Examples
    --------
    >>> mean, covariances = colour_moments(torch.rand(1, 3, 32, 32))
    >>> mean.shape, covariances.shape
    (torch.Size([1, 4]), torch.Size([1, 4, 4, 4]))
    """
    values = torch.cat((frames, linear_luminance(frames)), 1)
    mean = values.mean((-2, -1))
    return mean, octave_moments(values - mean[..., None, None])


def cell_colours(frames: Tensor) -> Tensor:
    """Average colours in square cells, 12 along the short side.

    Parameters
    ----------
    frames : Tensor
        Frames, (B, 3, H, W).

    Returns
    -------
    Tensor
        Mean colours, (B, 3, h, w).

    Examples
    --------
    >>> cell_colours(torch.rand(1, 3, 24, 48)).shape
    torch.Size([1, 3, 12, 24])
    """
    side = max(min(frames.shape[-2:]) / CELLS, 1)
    cells = [max(round(length / side), 1) for length in frames.shape[-2:]]
    return F.interpolate(frames, cells, mode="area")


def sameness(layouts: Tensor, spread: Tensor) -> Tensor:
    """Compute the mean similarity of each layout to the others.

    Similarity is exp(-d), where d is the mean square difference divided by twice `spread`:
    1 for identical layouts, 0.37 for unrelated ones.

    Parameters
    ----------
    layouts : Tensor
        Cell colours of at least two metamers, (B, 3, h, w).
    spread : Tensor
        Variance of the natural layout over positions, a scalar.

    Returns
    -------
    Tensor
        Mean similarities in [0, 1], (B,).

    Examples
    --------
    >>> sameness(torch.zeros(2, 3, 4, 4), torch.tensor(1.0))
    tensor([1., 1.])
    """
    flat = layouts.flatten(1)
    gaps = (flat[:, None] - flat[None]).square().mean(-1) / (2 * spread)
    others = ~torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    return (torch.exp(-gaps) * others).sum(1) / (len(flat) - 1)


def periodic(values: npt.NDArray[np.float64], axes: Sequence[int]) -> npt.NDArray[np.float64]:
    """Remove the jumps between opposite edges of an array.

    Subtracts the smooth field that has only these jumps, which leaves the periodic component
    of Moisan (2011, J. Math. Imaging Vis. 39, 161).

    Parameters
    ----------
    values : ndarray
        Array of any shape.
    axes : sequence of int
        Axes to make periodic.

    Returns
    -------
    ndarray
        Array of the same shape and mean.

    Examples
    --------
    >>> periodic(np.array([1.0, 3, 2, 1]), (0,)).round(6).tolist()  # no jump
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
    curvature[tuple(0 for _ in constant)] = 1  # avoids 0 / 0; set to 0 below
    smooth = fft.fftn(jumps, axes=axes) / curvature
    smooth[constant] = 0
    return np.asarray(values - fft.ifftn(smooth, axes=axes).real)
