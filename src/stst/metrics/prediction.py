"""Next-frame prediction of a clip, compared with repeating the previous frame."""

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
    """Compute the mean structural similarity of images.

    Parameters
    ----------
    one, other : Tensor
        Images, values 0 to 1, shape (B, C, H, W), at least 11 px on each side.

    Returns
    -------
    Tensor
        SSIM averaged over positions and channels, -1 to 1, shape (B,).

    Raises
    ------
    FramesError
        If images are smaller than 11 px.

    Notes
    -----
    Wang et al. (2004), IEEE Trans. Image Process. 13, 600, with a Gaussian window of 11 px and
    standard deviation 1.5 px. Only positions where the window fits are used.

    Examples
    --------
    >>> image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> round(ssim(image, image).item(), 6)
    1.0
    """
    if min(one.shape[-2:]) < WINDOW:
        raise FramesError(
            f"SSIM needs at least {WINDOW} px on each side, got {tuple(one.shape[-2:])}."
        )
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
_LEAST = 16  # px on each side
FAR = 2.0  # "far worse": more than this many times the error of repeating; our choice
_RESAMPLES = 1999
Errors = tuple[float, float, float, float]  # MSE and SSIM of predicting, then of repeating


@dataclass(frozen=True, eq=False)
class PredictionErrors:
    """Hold the errors of predicting each frame and of repeating the previous frame.

    Parameters
    ----------
    mse, ssim : ndarray
        Mean squared error and structural similarity of each predicted frame, shape (T - 1,). Pixel
        values are 0 to 1.
    repeat_mse, repeat_ssim : ndarray
        The same when the previous frame is taken as the prediction, shape (T - 1,).

    Examples
    --------
    >>> errors = PredictionErrors.of([(0.1, 0.9, 0.2, 0.8), (0.1, 0.9, 0.2, 0.8)])
    >>> errors.ratio
    0.5
    """

    mse: Array
    ssim: Array
    repeat_mse: Array
    repeat_ssim: Array

    @property
    def ratio(self) -> float:
        """Mean MSE divided by that of repeating the previous frame; NaN if nothing changes.

        Below 1 the prediction is better than repeating.

        Examples
        --------
        >>> PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)]).ratio
        0.5
        """
        repeated = self.repeat_mse.mean()
        return float(self.mse.mean() / repeated) if repeated else float("nan")

    @cached_property
    def ratio_bounds(self) -> Average:
        """Ratio and its 95 % bootstrap interval over frames; with two or three frames, the range.

        Frames are not independent. The interval shows how much frames differ within this clip; it
        does not generalise to other clips.

        Examples
        --------
        >>> PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)] * 2).ratio_bounds.bounds
        'range'
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
        """Comparison with repeating the last frame, in words.

        Examples
        --------
        >>> PredictionErrors.of([(0.1 + i / 100, 0.9, 0.2, 0.8) for i in range(5)]).verdict
        'is predicted better than by repeating the last frame'
        """
        ratio, low, high, _ = self.ratio_bounds
        if math.isnan(ratio):
            return "does not change, so there is no ratio"
        if len(self.mse) < LEAST_UNITS:
            return "has too few predicted frames to tell"
        if low <= 1 <= high:
            return "is predicted about as well as by repeating the last frame"
        word = "better" if ratio < 1 else "far worse" if ratio > FAR else "worse"
        return f"is predicted {word} than by repeating the last frame"

    @property
    def ratio_words(self) -> str:
        """Ratio with its bounds, in words.

        Examples
        --------
        >>> PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)]).ratio_words
        '0.5 (n = 1: no interval)'
        """
        ratio, low, high, bounds = self.ratio_bounds
        words = bounds_words(len(self.mse), "frames", bounds, f"{low:.3g}", f"{high:.3g}")
        return f"{ratio:.3g} ({words})"

    @property
    def gain(self) -> float:
        """Mean SSIM minus that of repeating the previous frame; above 0 is better than repeating.

        Examples
        --------
        >>> round(PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)]).gain, 6)
        0.1
        """
        return float((self.ssim - self.repeat_ssim).mean())

    @classmethod
    def of(cls, errors: Iterable[Errors]) -> PredictionErrors:
        """Collect the errors of single frames.

        Parameters
        ----------
        errors : iterable of tuple
            MSE and SSIM of predicting, then of repeating, for each frame; see `errors`.

        Returns
        -------
        PredictionErrors
            Errors of the clip.

        Examples
        --------
        >>> PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)]).mse.tolist()
        [0.1]
        """
        return cls(*np.array(list(errors), np.float64).T)


def predictability(clip: Footage, network: PredNet, *, every: int = 1) -> PredictionErrors:
    """Measure how well a PredNet predicts the next frame of a clip.

    Parameters
    ----------
    clip : Clip or Film
        Clip, at least 16 px on each side. Frames are cropped about their centre to sides that the
        network can take.
    network : PredNet
        Network; see `stst.models.prednet.load_prednet`.
    every : int, default 1
        Show only every n-th frame.

    Returns
    -------
    PredictionErrors
        Errors of each shown frame but the first.

    Raises
    ------
    FramesError
        If fewer than two frames are shown, or frames are too small.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> from stst.models.prednet_network import PredNet
    >>> clip = make_stimulus("dead-leaves", frames=3, height=16, width=16).clip
    >>> with torch.random.fork_rng():
    ...     network = PredNet((3, 4)).eval()
    >>> len(predictability(clip, network).mse)
    2
    """
    return PredictionErrors.of(errors(clip, network, every=every))


def natural_no_better(natural: PredictionErrors, other: PredictionErrors) -> bool:
    """Test whether a natural clip is predicted no better than another clip.

    Parameters
    ----------
    natural, other : PredictionErrors
        Errors of the natural clip and of the other clip.

    Returns
    -------
    bool
        True if the ratio of the natural clip is not lower; False if a ratio is NaN.

    Notes
    -----
    This is the outcome that the paper reports for natural clips and their metamers.

    Examples
    --------
    >>> natural = PredictionErrors.of([(0.2, 0.9, 0.2, 0.8)])
    >>> metamer = PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)])
    >>> natural_no_better(natural, metamer)
    True
    """
    return natural.ratio >= other.ratio


def compared_words(natural: PredictionErrors, name: str, other: PredictionErrors) -> str:
    """Say whether a natural clip is predicted better than another clip.

    Parameters
    ----------
    natural : PredictionErrors
        Errors of the natural clip.
    name : str
        Name of the other clip.
    other : PredictionErrors
        Errors of the other clip.

    Returns
    -------
    str
        Verdict with both ratios. Better or worse needs intervals that do not overlap.

    Examples
    --------
    >>> errors = PredictionErrors.of([(0.1, 0.9, 0.2, 0.8)] * 5)
    >>> compared_words(errors, "metamer", errors).split(":")[0]
    'natural is predicted no better than metamer'
    """
    own, its = natural.ratio_bounds, other.ratio_bounds
    numbers = f"{natural.ratio_words} against {other.ratio_words}"
    if math.isnan(own.mean) or math.isnan(its.mean):
        return f"natural and {name} cannot be compared because one does not change: {numbers}"
    if min(len(natural.mse), len(other.mse)) < LEAST_UNITS:
        return f"too few frames to say whether natural is predicted better than {name}: {numbers}"
    apart = own.high < its.low or own.low > its.high
    verdict = ("better" if own.mean < its.mean else "worse") if apart else "no better"
    doubt = "" if apart else "; the intervals overlap"
    if min(own.mean, its.mean) > FAR:
        doubt += "; both are predicted far worse than by repeating, which says little about them"
    return f"natural is predicted {verdict} than {name}: {numbers}{doubt}"


@torch.no_grad()
def errors(clip: Footage, network: PredNet, *, every: int = 1) -> Iterator[Errors]:
    """Yield the prediction errors of each shown frame but the first.

    Parameters
    ----------
    clip : Clip or Film
        Clip, as for `predictability`.
    network : PredNet
        Network.
    every : int, default 1
        Show only every n-th frame.

    Yields
    ------
    tuple of float
        MSE and SSIM of predicting, then of repeating the previous frame.

    Raises
    ------
    FramesError
        If fewer than two frames are shown, or frames are too small.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> from stst.models.prednet_network import PredNet
    >>> clip = make_stimulus("dead-leaves", frames=3, height=16, width=16).clip
    >>> with torch.random.fork_rng():
    ...     network = PredNet((3, 4)).eval()
    >>> sum(1 for _ in errors(clip, network))
    2
    """
    least = max(network.multiple, _LEAST)
    if len(range(0, len(clip), every)) < 2 or min(clip.size) < least:
        raise FramesError(
            f"prediction needs at least two frames of {least} x {least} px; got a clip of "
            f"{len(clip)} frames of {clip.size[1]} x {clip.size[0]} px with every={every}. Use a "
            "longer or larger clip, or a smaller `every`."
        )
    shown, again = tee(_frames(clip, network, every))
    guesses = (guess for guess, _ in follow(network, again))
    for (before, _), (frame, guess) in pairwise(zip(shown, guesses, strict=True)):
        yield *_errors(guess, frame), *_errors(before, frame)


def _frames(clip: Footage, network: PredNet, every: int) -> Iterator[Tensor]:
    """Yield frames, (1, 3, H, W), cropped about their centre, on the network's device."""
    height, width = (side // network.multiple * network.multiple for side in clip.size)
    top, left = (clip.size[0] - height) // 2, (clip.size[1] - width) // 2
    for index in range(0, len(clip), every):
        frame = clip.take([index])[..., top : top + height, left : left + width]
        yield frame.to(next(network.parameters()).device)


def _errors(guess: Tensor, frame: Tensor) -> tuple[float, float]:
    """Return MSE and SSIM."""
    return (guess - frame).square().mean().item(), ssim(guess, frame).item()
