"""How well a clip is predicted, frame by frame, and how well the previous frame would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, tee

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError
from stst.models.prednet_network import PredNet, follow
from stst.video.frames import Footage

WINDOW = 11  # px
_SIGMA = 1.5  # px
_C1, _C2 = 0.01**2, 0.03**2  # for values in [0, 1]


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Mean structural similarity of pictures (Wang et al. 2004, IEEE Trans. Image Proc. 13, 600).

    Means over places where the Gaussian window fits, and R, G and B: (B, C, H, W) -> (B,).
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


Array = npt.NDArray[np.float64]
_LEAST = 16  # px on a side
Errors = tuple[float, float, float, float]  # MSE and SSIM: predicted, repeated


@dataclass(frozen=True, eq=False)
class PredictionErrors:
    """Errors of predicting each frame but the first, and of repeating the frame before it.

    Each is (T - 1,): mean square errors in [0, 1], and structural similarity to the frame.
    """

    mse: Array
    ssim: Array
    repeat_mse: Array
    repeat_ssim: Array

    @property
    def ratio(self) -> float:
        """Mean MSE over that of repeating the previous frame; NaN where nothing changes.

        Below 1 the network knows more than the last frame shows.
        """
        repeated = self.repeat_mse.mean()
        return float(self.mse.mean() / repeated) if repeated else float("nan")

    @property
    def gain(self) -> float:
        """Mean SSIM less that of repeating the previous frame; above 0 is better than that."""
        return float((self.ssim - self.repeat_ssim).mean())

    @classmethod
    def of(cls, errors: Iterable[Errors]) -> PredictionErrors:
        """Gather what `errors` gives."""
        return cls(*np.array(list(errors), np.float64).T)


def predictability(clip: Footage, network: PredNet, *, every: int = 1) -> PredictionErrors:
    """Let a PredNet watch a clip once, or every n-th frame, and measure how it predicts the next.

    Frames are cropped about their centre to sides that it can take; the first is not predicted.
    """
    return PredictionErrors.of(errors(clip, network, every=every))


def natural_no_better(natural: PredictionErrors, other: PredictionErrors) -> bool:
    """Say whether the paper's outcome holds: a natural clip is predicted no better than another.

    Its `ratio` is not lower; False where both clips do not change.
    """
    return natural.ratio >= other.ratio


@torch.no_grad()
def errors(clip: Footage, network: PredNet, *, every: int = 1) -> Iterator[Errors]:
    """As `predictability`, frame by frame: of each shown but the first."""
    least = max(network.multiple, _LEAST)
    if len(range(0, len(clip), every)) < 2 or min(clip.size) < least:
        raise FramesError(
            f"prediction needs two frames of {least} x {least} px; of a clip of {len(clip)} frames "
            f"of {clip.size[1]} x {clip.size[0]} px, every {every}. was to be shown."
        )
    shown, again = tee(_frames(clip, network, every))
    guesses = (guess for guess, _ in follow(network, again))
    for (before, _), (frame, guess) in pairwise(zip(shown, guesses, strict=True)):
        yield *_errors(guess, frame), *_errors(before, frame)


def _frames(clip: Footage, network: PredNet, every: int) -> Iterator[Tensor]:
    """Frames, (1, 3, H, W), cropped about their centre, on the network's device."""
    height, width = (side // network.multiple * network.multiple for side in clip.size)
    top, left = (clip.size[0] - height) // 2, (clip.size[1] - width) // 2
    for index in range(0, len(clip), every):
        frame = clip.take([index])[..., top : top + height, left : left + width]
        yield frame.to(next(network.parameters()).device)


def _errors(guess: Tensor, frame: Tensor) -> tuple[float, float]:
    """MSE and SSIM."""
    return (guess - frame).square().mean().item(), ssim(guess, frame).item()
