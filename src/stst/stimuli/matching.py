"""Clips of a set made alike in luminance: in its mean, its contrast or its histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import correlate1d

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.recipe import FrozenConfig, validated
from stst.video.frames import Clip, Footage
from stst.video.light import Array, Scale, luminances, relit

Statistic = Literal["mean", "rms", "histogram"]


def measure(groups: Array, statistic: Statistic) -> Array:
    """Mean, mean and standard deviation, or sorted luminances: (n, N) -> (n, 1), (n, 2), (n, N)."""
    if statistic == "histogram":
        return np.sort(groups, 1)
    moments = [groups.mean(1), groups.std(1)] if statistic == "rms" else [groups.mean(1)]
    return np.stack(moments, 1)


def match_groups(frames: Array, groups: Array, target: Array, statistic: Statistic) -> Array:
    """Luminances that have the target statistic: (T, H, W), the same as (n, N) -> (n, N)."""
    if statistic == "histogram":
        return _ranked(frames, groups, target)
    now = measure(groups, statistic)
    if statistic == "mean":
        return groups * (target / now)
    scaled: Array = target[0] + (groups - now[:, :1]) * (target[1] / now[:, 1:])
    return scaled


def _ranked(frames: Array, groups: Array, target: Array) -> Array:
    """Exact histogram specification: the k-th darkest px of a group gets the k-th target value.

    Of equal px that with the darker surround (3 x 3 px) comes first (after Coltuc, Bolon & Chassery
    2006, IEEE Trans. Image Process. 15, 1143); else the order is random, as by position an even
    area would become a slope.
    """
    surround = correlate1d(correlate1d(frames, np.ones(3), 1), np.ones(3), 2)
    dice = np.random.default_rng(0).permutation(frames[0].size).reshape(frames[0].shape)
    keys = (np.broadcast_to(dice, frames.shape), surround)
    order = np.lexsort((*(key.reshape(groups.shape) for key in keys), groups))
    ranked = np.empty_like(groups)
    np.put_along_axis(ranked, order, np.broadcast_to(target, groups.shape), 1)
    return ranked


def gap(groups: Array, target: Array, statistic: Statistic) -> float:
    """How far the worst group is from the target, in luminance: see `Matched.gaps`."""
    off = np.abs(measure(groups, statistic) - target)
    return float((off.mean(1) if statistic == "histogram" else off).max())


@dataclass(frozen=True)
class Level:
    """Luminance of a clip, 0 black and 1 white, and its RMS contrast, a standard deviation."""

    mean: float
    contrast: float | None  # mean over frames where these are matched; None: not a target


@dataclass(frozen=True, eq=False)
class Matched:
    """A set of clips made alike, and how well; everything in the order of the clips.

    Parameters
    ----------
    clips : tuple of Clip
        The set.
    target : Level
        What it was brought to; with ``statistic="mean"`` it has no contrast.
    before, after : tuple of Level
        What each clip had, and has.
    gaps : tuple of float
        What clipping left of the difference from the target, in luminance: of mean or
        contrast, whichever is larger, or the mean difference between sorted luminances; of
        the worst frame where frames are matched.
    clipped : tuple of float
        Share of the values of each clip that did not fit into [0, 1] and were clipped.
    """

    clips: tuple[Clip, ...]
    target: Level
    before: tuple[Level, ...]
    after: tuple[Level, ...]
    gaps: tuple[float, ...]
    clipped: tuple[float, ...]


class Matching(FrozenConfig):
    """What is matched, on which scale of luminance, over what; see `match_set`."""

    statistic: Statistic = "rms"
    luminance: Scale = "linear"
    per: Literal["clip", "frame"] = "clip"

    def groups(self, luminance: Array) -> Array:
        """Luminances that have one statistic, (T, H, W) -> (1, T H W) or (T, H W)."""
        return luminance.reshape(1 if self.per == "clip" else len(luminance), -1)

    def sentence(self, target: Level, files: Sequence[str]) -> str:
        """How a clip of the set was made, for a Methods section."""
        contrast = "" if target.contrast is None else f"{target.contrast:.3g}"
        what = {
            "mean": f"mean ({target.mean:.3g})",
            "rms": f"mean ({target.mean:.3g}) and RMS contrast (standard deviation, {contrast})",
            "histogram": f"histogram (mean {target.mean:.3g}, standard deviation {contrast}; "
            "exact, sorted values averaged)",
        }
        span = "each frame" if self.per == "frame" else "the clip as a whole"
        encoded = self.luminance == "encoded"
        return (
            f"has the luminance of {span} brought to the average {what[self.statistic]} of a set "
            f"of {len(files)} clips ({', '.join(files)}), R, G and B of a pixel scaled alike; "
            f"luminance is of {'encoded values' if encoded else 'linear light (sRGB decoded)'}, "
            "with the weights of Rec. 709, and 1 is white"
        )


_NONE = 1e-6  # mean or contrast that is too little to be scaled


@checked
def match_set(
    clips: Sequence[Footage],
    *,
    statistic: Statistic = "rms",
    luminance: Scale = "linear",
    per: Literal["clip", "frame"] = "clip",
) -> Matched:
    """Bring the clips of a set to the average luminance, contrast or histogram of the set.

    Every clip counts the same, whatever its size, and their order does not matter. A pixel gets
    its new luminance by one factor for R, G and B, so that its colour stays. Values are clipped
    to [0, 1], after which a clip misses the target by what `Matched.gaps` says.

    Parameters
    ----------
    clips : sequence of Clip or Film
        At least two. Sizes, lengths and rates may differ, except that histograms are only
        matched between equal numbers of pixels. All are made in memory, with up to 48 bytes
        a px of each frame.
    statistic : str
        ``"mean"``: the clip gets darker or brighter, by a factor.
        ``"rms"``: mean and RMS contrast, the standard deviation of luminance.
        ``"histogram"``: all luminances, sorted, become the average of those of the set, as
        in the SHINE toolbox (Willenbockel et al. 2010, Behav. Res. Methods 42, 671).
    luminance : str
        ``"linear"``: of light, as a photometer measures it on a screen that shows sRGB.
        ``"encoded"``: of encoded values; for a screen whose gamma is undone, and to compare with
        SHINE. Both have the weights of Rec. 709, and 1 is white.
    per : str
        ``"clip"``: over all frames together, so that their changes in time stay.
        ``"frame"``: every frame gets the same.

    Returns
    -------
    Matched
        The clips, what they had, have and were to have, and the share that was clipped.

    Raises
    ------
    RecipeError
        If there is no such statistic, luminance or span.
    FramesError
        If there are fewer than two clips, or clips that cannot be matched.

    Examples
    --------
    >>> from stst.stimuli.kinds import make_stimulus
    >>> faint, strong = (make_stimulus("drifting-grating", contrast=c).clip for c in (0.2, 0.6))
    >>> matched = match_set([faint, strong], luminance="encoded")
    >>> [round(level.contrast, 3) for level in matched.before + matched.after]
    [0.071, 0.212, 0.141, 0.141]
    """
    settings = {"statistic": statistic, "luminance": luminance, "per": per}
    how = validated(Matching, settings, "match")
    if len(clips) < 2:
        raise FramesError(f"a set has at least 2 clips, got {len(clips)}.")
    natural = [luminances(clip, how.luminance) for clip in clips]
    groups = [how.groups(frames) for frames in natural]
    _refuse(natural, groups, how)
    # Sorted before they are added up, so that no rounding tells the order of the clips.
    means = np.sort([measure(group, how.statistic).mean(0) for group in groups], 0)
    target: Array = means.mean(0)
    parts = []
    for clip, frames, group in zip(clips, natural, groups, strict=True):
        wanted = match_groups(frames, group, target, how.statistic).reshape(frames.shape)
        parts.append(relit(clip, frames, wanted, how.luminance))
    relit_clips, clipped = zip(*parts, strict=True)
    after = [how.groups(luminances(clip, how.luminance)) for clip in relit_clips]
    return Matched(
        clips=relit_clips,
        target=_target_level(target, how.statistic),
        before=tuple(map(_level, groups)),
        after=tuple(map(_level, after)),
        gaps=tuple(gap(group, target, how.statistic) for group in after),
        clipped=clipped,
    )


def _level(groups: Array) -> Level:
    return Level(float(groups.mean()), float(groups.std(1).mean()))


def _target_level(target: Array, statistic: Statistic) -> Level:
    if statistic == "histogram":
        return _level(target[None])
    return Level(float(target[0]), float(target[1]) if statistic == "rms" else None)


def _refuse(natural: Sequence[Array], groups: Sequence[Array], how: Matching) -> None:
    """Refuse what has no such statistic, or none that could be shared."""
    if how.statistic == "histogram" and len({group.shape[1] for group in groups}) > 1:
        shapes = "; ".join("{} frames of {} x {} px".format(*frames.shape) for frames in natural)
        same = "size and length" if how.per == "clip" else "size"
        raise FramesError(
            f"histograms can only match between clips of one {same}, got {shapes} (height x "
            "width). Give the others the size of the first by --fit crop, pad or stretch (in "
            "Python Clip.resize), or match another statistic."
        )
    for number, group in enumerate(groups, 1):
        size = group.mean(1) if how.statistic == "mean" else group.std(1)
        if size.min() < _NONE:
            where = f"frame {int(size.argmin())} of clip {number}" * (how.per == "frame")
            what = "is black and" if how.statistic == "mean" else "has no contrast and"
            raise FramesError(
                f"{where or f'clip {number}'} of the set {what} cannot be matched. Leave it out."
            )
