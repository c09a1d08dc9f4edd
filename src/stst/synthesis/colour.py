"""Colour transfer: give a frame the colours of another and keep its grain.

Iterative distribution transfer and regraining of Pitie, Kokaram & Dahyot (2007),
"Automated colour grading using colour distribution transfer", Computer Vision and Image
Understanding 107. The authors' code applies both to each finished frame.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Array = npt.NDArray[np.float64]

BINS = 300
# Iterations of the grain solver at each size, full size first.
REGRAIN_ITERATIONS = (4, 16, 32, 64, 64, 64)
MIN_SIDE = 20  # px: the solver does not halve to this size or below

# Rotations of Pitie et al. that cover the directions of colour space well, row by row.
ROTATIONS = np.array([
    (1, 0, 0, 0, 1, 0, 0, 0, 1),
    (0.333333, 0.666667, 0.666667, 0.666667, 0.333333, -0.666667, -0.666667, 0.666667, -0.333333),
    (0.577350, 0.211297, 0.788682, -0.577350, 0.788668, 0.211352, 0.577350, 0.577370, -0.577330),
    (0.577350, 0.408273, 0.707092, -0.577350, -0.408224, 0.707121, 0.577350, -0.816497, 0.000029),
    (0.332572, 0.910758, 0.244778, -0.910887, 0.242977, 0.333536, -0.244295, 0.333890, -0.910405),
    (0.243799, 0.910726, 0.333376, 0.910699, -0.333174, 0.244177, -0.333450, -0.244075, 0.910625),
]).reshape(6, 3, 3)  # fmt: skip


def colour_transfer(frame: Tensor, reference: Tensor, *, regrain: bool = True) -> Tensor:
    """Give a frame the colour distribution of a reference.

    Parameters
    ----------
    frame : Tensor
        Frame to change, RGB in [0, 1], (3, H, W).
    reference : Tensor
        Frame with the colours, (3, h, w).
    regrain : bool, default=True
        Restore the gradients of `frame`, which the transfer stretches.

    Returns
    -------
    Tensor
        Frame in [0, 1], (3, H, W).

    Examples
    --------
    >>> dark, light = 0.3 * torch.rand(3, 24, 24), 0.5 + 0.5 * torch.rand(3, 24, 24)
    >>> bool(colour_transfer(dark, light, regrain=False).mean() > 0.7)
    True
    """
    source = frame.detach().double().cpu()
    colours = reference.detach().double().cpu().flatten(1).numpy()
    moved = pdf_transfer(source.flatten(1).numpy(), colours)
    result = torch.from_numpy(moved).view_as(source)
    if regrain:
        result = restore_grain(source, result)
    return result.clamp(0, 1).to(frame)


def pdf_transfer(source: Array, reference: Array) -> Array:
    """Match the distribution along each rotated axis in turn: (3, N), (3, M) -> (3, N)."""
    moved = source
    for rotation in ROTATIONS:
        values, target = rotation @ moved, rotation @ reference
        shift = np.stack([_match(a, b) - a for a, b in zip(values, target, strict=True)])
        moved = moved + rotation.T @ shift
    return moved


def _match(values: Array, target: Array) -> Array:
    """Map values to the histogram of `target`: (N,), (M,) -> (N,)."""
    low = min(values.min(), target.min()) - 1e-6
    high = max(values.max(), target.max()) + 1e-6
    edges = np.linspace(low, high, BINS + 1)
    have, want = (np.cumsum(np.histogram(v, edges)[0]) / v.size for v in (values, target))
    mapped = np.interp(have, want, edges[:-1])
    mapped[have <= want[0]] = low
    mapped[have >= want[-1]] = high
    return np.interp(values, edges[:-1], mapped)


def restore_grain(source: Tensor, moved: Tensor) -> Tensor:
    """Combine colours of `moved` with gradients of `source`, coarse to fine: (3, H, W)."""
    levels = list(_halvings(source, moved))
    result = levels[-1][0]
    for level, (grain, colours) in reversed(list(enumerate(levels))):
        result = _resized(result, grain.shape[-2:])
        result = _solve_grain(result, grain, colours, level)
    return result


def _halvings(source: Tensor, moved: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Both frames at successive halvings, full size first."""
    for _ in REGRAIN_ITERATIONS:
        yield source, moved
        half = torch.Size((side + 1) // 2 for side in source.shape[-2:])
        if min(half) <= MIN_SIDE:
            return
        source, moved = _resized(source, half), _resized(moved, half)


def _solve_grain(result: Tensor, source: Tensor, moved: Tensor, level: int) -> Tensor:
    """Damped Jacobi steps for psi (result - moved) = div phi grad (result - source).

    psi keeps the transferred colour where the source has structure, phi keeps the source's
    gradients where it is smooth (Pitie et al. 2007, section 6).
    """
    steepness = _steepness(source)
    psi = (256 * steepness / 5).clamp(max=1)
    phi = 30 * 2.0**-level / (1 + 10 * steepness)
    weights = [(neighbour + phi) / 2 for neighbour in _neighbours(phi)]
    fixed = psi * moved + sum(
        w * (source - s) for w, s in zip(weights, _neighbours(source), strict=True)
    )
    total = psi + sum(weights)
    for _ in range(REGRAIN_ITERATIONS[level]):
        pull = sum(w * r for w, r in zip(weights, _neighbours(result), strict=True))
        result = 0.8 * (fixed + pull) / total + 0.2 * result
    return result


def _neighbours(x: Tensor) -> tuple[Tensor, ...]:
    """Samples below, right, above and left; edges are repeated."""
    edged = F.pad(x[None], (1, 1, 1, 1), mode="replicate")[0]
    return edged[:, 2:, 1:-1], edged[:, 1:-1, 2:], edged[:, :-2, 1:-1], edged[:, 1:-1, :-2]


def _steepness(source: Tensor) -> Tensor:
    """Gradient length over both axes and all channels: (3, H, W) -> (1, H, W)."""
    below, right, above, left = _neighbours(source)
    return ((below - above).square() + (right - left).square()).sum(0, keepdim=True).sqrt()


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x[None], size, mode="bilinear")[0]
