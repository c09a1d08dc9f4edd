"""How much of the natural arrangement noise has by chance, so that other noise can be taken."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 24  # px, short side of the maps that are compared
FLAT = 1e-4  # size of a map without contrast
REACH = 0.35  # of a side, by which maps are shifted against each other


def likeness(frames: Tensor, natural: Tensor) -> Tensor:
    """Largest likeness of coarse luminance, at its own or at any place: -> (B,), 0 to about 1.

    (B, 3, H, W), (1 or B, 3, H, W). At any place: how much better the natural frame can be found
    than its mirror images can.

    Examples
    --------
    >>> natural = torch.rand(1, 3, 48, 64)
    >>> round(likeness(natural, natural).item(), 2)
    1.0
    """
    found, wanted = _map(frames), _map(natural)
    place = (_unit(found) * _unit(wanted)).sum((-2, -1))
    mirrors = [wanted.flip(axes) for axes in ((-1,), (-2,), (-2, -1))]
    elsewhere = torch.stack([_peak(found, mirror) for mirror in mirrors]).mean(0)
    return torch.maximum(place.abs(), (_peak(found, wanted) - elsewhere).abs())


def _map(frames: Tensor) -> Tensor:
    """Coarse luminance less the parabola nearest to it, (B, h, w): most frames are lit from above.

    In double precision: which noise is taken must not hang on rounding.
    """
    side = max(min(frames.shape[-2:]) / SIDE, 1)
    size = [max(round(length / side), 1) for length in frames.shape[-2:]]
    grey = F.interpolate(frames.double().mean(1, keepdim=True), size, mode="area")[:, 0]
    y, x = (torch.linspace(-1, 1, n, dtype=grey.dtype, device=grey.device) for n in size)
    y, x = y[:, None].expand(*size), x.expand(*size)
    terms = torch.stack((torch.ones_like(x), x, y, x * x, y * y, x * y), -1).flatten(0, 1)
    fitted = grey.flatten(1) @ torch.linalg.pinv(terms).mT @ terms.mT
    rest: Tensor = grey - fitted.view_as(grey)
    return rest


def _unit(maps: Tensor) -> Tensor:
    centred = maps - maps.mean((-2, -1), keepdim=True)
    return centred / centred.square().sum((-2, -1), keepdim=True).sqrt().clamp_min(FLAT)


def _peak(found: Tensor, wanted: Tensor) -> Tensor:
    """Greatest correlation over shifts, borders faded out: -> (B,)."""
    height, width = found.shape[-2:]
    fade = torch.outer(*(torch.hann_window(n + 2)[1:-1] for n in (height, width))).sqrt()
    both = [
        torch.fft.rfft2(_unit(_unit(x) * fade.to(x)), (2 * height, 2 * width))
        for x in (found, wanted)
    ]
    shifts = torch.fft.irfft2(both[0] * both[1].conj(), (2 * height, 2 * width))
    down, across = int(REACH * height), int(REACH * width)
    near = shifts.roll((down, across), (-2, -1))[..., : 2 * down + 1, : 2 * across + 1]
    greatest: Tensor = near.amax((-2, -1))
    return greatest
