"""Structural similarity of pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError

WINDOW = 11  # px
_SIGMA = 1.5  # px
_C1, _C2 = 0.01**2, 0.03**2  # for values in [0, 1]


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Mean structural similarity of pictures (Wang et al. 2004, IEEE Trans. Image Proc. 13, 600).

    A Gaussian window of 11 px, deviation 1.5 px, at all places where it fits; the mean over
    places and over R, G and B.

    Parameters
    ----------
    one, other : Tensor
        (B, C, H, W), values in [0, 1].

    Returns
    -------
    Tensor
        (B,), 1 for equal pictures.

    Raises
    ------
    FramesError
        If a side is below 11 px.

    Examples
    --------
    >>> picture = torch.rand(1, 3, 16, 16)
    >>> ssim(picture, picture).tolist()
    [1.0]
    """
    if min(one.shape[-2:]) < WINDOW:
        raise FramesError(f"SSIM needs sides of {WINDOW} px, got {tuple(one.shape[-2:])}.")
    batch = one.shape[0]
    x, y = (side.flatten(0, 1)[:, None].double() for side in (one, other))
    mean_x, mean_y, xx, yy, xy = map(_blurred, (x, y, x * x, y * y, x * y))
    variances = xx - mean_x**2 + yy - mean_y**2
    covariance = xy - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (luminance * (2 * covariance + _C2) / (variances + _C2)).view(batch, -1).mean(1)


def _blurred(x: Tensor) -> Tensor:
    away = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = torch.exp(-0.5 * (away / _SIGMA) ** 2)
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(x, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
