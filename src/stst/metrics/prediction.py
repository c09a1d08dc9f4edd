"""How well a clip is predicted, frame by frame, and how well the previous frame would do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, tee

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError
from stst.metrics.bounds import CONFIDENCE, LEAST_UNITS, bounds_of, bounds_words
from stst.metrics.statistics import NO_ENDS, Average
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
FAR = 2.0  # times the error of repeating: predicted far worse; our choice
_RESAMPLES = 1999
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

    @cached_property
    def ratio_bounds(self) -> Average:
        """The ratio and its 95 % bootstrap interval over frames; of one to three their range.

        Frames are not independent: it says how even the clip is, and nothing of other clips.
        """
        count = len(self.mse)
        if math.isnan(self.ratio) or count < 2:
            return Average(self.ratio, *NO_ENDS)
        few = count < LEAST_UNITS
        resampled = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
        picks = np.arange(count)[:, None] if few else resampled
        repeated = self.repeat_mse[picks].sum(1)
        ratios = self.mse[picks].sum(1)[repeated > 0] / repeated[repeated > 0]
        tails = (0, 1) if few else ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
        low, high = map(float, np.quantile(ratios, tails))
        return Average(self.ratio, low, high, bounds_of(count, low, high))

    @property
    def verdict(self) -> str:
        """How the clip is predicted beside repeating the last frame, in words."""
        ratio, low, high, _ = self.ratio_bounds
        if math.isnan(ratio):
            return "does not change, so that there is no ratio"
        if len(self.mse) < LEAST_UNITS:
            return "has too few predicted frames to tell"
        if low <= 1 <= high:
            return "is predicted about as well as by repeating the last frame"
        word = "better" if ratio < 1 else "far worse" if ratio > FAR else "worse"
        return f"is predicted {word} than by repeating the last frame"

    @property
    def ratio_words(self) -> str:
        """The ratio in words, with its bounds."""
        ratio, low, high, bounds = self.ratio_bounds
        words = bounds_words(len(self.mse), "frames", bounds, f"{low:.3g}", f"{high:.3g}")
        return f"{ratio:.3g} ({words})"

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


def compared_words(natural: PredictionErrors, name: str, other: PredictionErrors) -> str:
    """Say whether a natural clip is predicted better than another one, as the intervals tell."""
    own, its = natural.ratio_bounds, other.ratio_bounds
    numbers = f"{natural.ratio_words} against {other.ratio_words}"
    if math.isnan(own.mean) or math.isnan(its.mean):
        return f"natural and {name} cannot be compared, as one does not change: {numbers}"
    if min(len(natural.mse), len(other.mse)) < LEAST_UNITS:
        return f"too few frames to say whether natural is predicted better than {name}: {numbers}"
    apart = own.high < its.low or own.low > its.high
    verdict = ("better" if own.mean < its.mean else "worse") if apart else "no better"
    doubt = "" if apart else "; the intervals overlap"
    if min(own.mean, its.mean) > FAR:
        doubt += "; both are predicted far worse than by repeating, which says little of the clips"
    return f"natural is predicted {verdict} than {name}: {numbers}{doubt}"


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
