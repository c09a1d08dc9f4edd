"""Pure functions of the temporal stream; each has a slow or outside twin in tests."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST_EPS = 1e-12


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # as in gaussian
def _mirrored(length: int, pad: int, device: torch.device) -> Tensor:
    """Indices of a line of `length` samples repeated in the mirror, edges included."""
    period = 2 * length
    folded = (i % period for i in range(-pad, length + pad))
    return torch.tensor([min(i, period - 1 - i) for i in folded], device=device)


def symmetric_pad(x: Tensor, pad: int) -> Tensor:
    """Pad the last two axes in the mirror, the edge sample repeated.

    TensorFlow's and numpy's ``symmetric``; torch's ``reflect`` does not repeat the
    edge and ``replicate`` repeats nothing else.

    Parameters
    ----------
    x : Tensor
        (..., H, W).
    pad : int
        Samples added on each side; may exceed the sides themselves.

    Returns
    -------
    Tensor
        (..., H + 2 pad, W + 2 pad).

    Examples
    --------
    >>> symmetric_pad(torch.tensor([[[1.0, 2.0, 3.0]]]), 1)[0, 0]
    tensor([1., 1., 2., 3., 3.])
    """
    height, width = x.shape[-2:]
    if pad <= min(height, width):  # flips: no scattered additions in the backward pass
        x = torch.cat((x[..., :pad, :].flip(-2), x, x[..., height - pad :, :].flip(-2)), -2)
        return torch.cat((x[..., :pad].flip(-1), x, x[..., width - pad :].flip(-1)), -1)
    rows, columns = (_mirrored(side, pad, x.device) for side in (height, width))
    return x.index_select(-2, rows).index_select(-1, columns)


def contrast_norm(x: Tensor) -> Tensor:
    """Zero mean and unit variance over all but the first axis: (B, ...) -> (B, ...).

    Over a frame pair jointly, so that a change of luminance between them remains
    (Tesfaldet et al. 2018; the authors' code, eps 1e-12 on the variance).
    """
    axes = tuple(range(1, x.ndim))
    centred = x - x.mean(axes, keepdim=True)
    variance = centred.square().mean(axes, keepdim=True)
    return centred / (variance + CONTRAST_EPS).sqrt()


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # a cached inference tensor would stop every later gradient
def gaussian(
    size: int,
    sigma: float,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Weights of a square Gaussian window that sum to one: (size, size).

    Kept for each device, because a CUDA graph may not copy from the host.
    """
    half = (size - 1) / 2
    line = torch.arange(size, dtype=torch.float64).sub(half).square().div(-2 * sigma**2).exp()
    window = torch.outer(line, line)
    return (window / window.sum()).to(device, dtype)


def blur_down(x: Tensor, size: int = 5, sigma: float = 2.0) -> Tensor:
    """One level of the pyramid: Gaussian blur, every second sample.

    (B, C, H, W) -> (B, C, ceil(H / 2), ceil(W / 2)).
    """
    window = gaussian(size, sigma, x.dtype, x.device)[None, None]
    # Channels join the batch: torch's CPU path for grouped convolutions is slow.
    blurred = F.conv2d(symmetric_pad(x, size // 2).flatten(0, 1)[:, None], window, stride=2)
    return blurred.view(*x.shape[:2], *blurred.shape[-2:])
