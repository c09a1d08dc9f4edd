"""Match mean luminance, RMS contrast or luminance histogram across a set of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.ndimage import correlate1d

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.recipe import FrozenConfig, validated
from stst.video.frames import Clip, Footage
from stst.video.light import Array, Scale, luminances, relit

Statistic = Literal["mean", "rms", "histogram"]


def measure(groups: Array, statistic: Statistic) -> Array:
    """Return mean, mean and SD, or sorted luminances: (n, N) -> (n, 1), (n, 2) or (n, N)."""
    if statistic == "histogram":
        return np.sort(groups, 1)
    moments = [groups.mean(1), groups.std(1)] if statistic == "rms" else [groups.mean(1)]
    return np.stack(moments, 1)


def match_groups(frames: Array, groups: Array, target: Array, statistic: Statistic) -> Array:
    """Give luminances the target statistic: frames (T, H, W), grouped as (n, N) -> (n, N)."""
    if statistic == "histogram":
        return _ranked(frames, groups, target)
    now = measure(groups, statistic)
    if statistic == "mean":
        return groups * (target / now)
    scaled: Array = target[0] + (groups - now[:, :1]) * (target[1] / now[:, 1:])
    return scaled


def _ranked(frames: Array, groups: Array, target: Array) -> Array:
    """Exact histogram specification: the k-th darkest pixel of a group gets the k-th target value.

    Equal pixels are ordered by the mean of their 3 x 3 px surround (after Coltuc, Bolon & Chassery
    2006, IEEE Trans. Image Process. 15, 1143), then at random: ordering by position would turn a
    uniform area into a gradient.
    """
    surround = correlate1d(correlate1d(frames, np.ones(3), 1), np.ones(3), 2)
    dice = np.random.default_rng(0).permutation(frames[0].size).reshape(frames[0].shape)
    keys = (np.broadcast_to(dice, frames.shape), surround)
    order = np.lexsort((*(key.reshape(groups.shape) for key in keys), groups))
    ranked = np.empty_like(groups)
    np.put_along_axis(ranked, order, np.broadcast_to(target, groups.shape), 1)
    return ranked


def gap(groups: Array, target: Array, statistic: Statistic) -> float:
    """Return the luminance difference of the worst group from the target: see `Matched.gaps`."""
    off = np.abs(measure(groups, statistic) - target)
    return float((off.mean(1) if statistic == "histogram" else off).max())


@dataclass(frozen=True)
class Level:
    """Mean luminance and RMS contrast of a clip.

    Parameters
    ----------
    mean : float
        Mean luminance; 0 is black, 1 is white.
    contrast : float or None
        RMS contrast: standard deviation of luminance; the mean over frames if frames are matched.
        None if contrast is not a target.
    """

    mean: float
    contrast: float | None


@dataclass(frozen=True, eq=False)
class Matched:
    """A matched set of clips, with the quality of the match; all in the order of the clips.

    Parameters
    ----------
    clips : tuple of Clip
        The matched clips.
    target : Level
        The average of the set; without contrast for ``statistic="mean"``.
    before, after : tuple of Level
        Luminance and contrast of each clip before and after matching.
    gaps : tuple of float
        Remaining luminance difference of each clip from the target, due to clipping: in mean or
        contrast, whichever is larger, or the mean difference of sorted luminances for histograms.
        The worst frame if frames are matched.
    clipped : tuple of float
        Proportion of values of each clip outside [0, 1] that were clipped.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clips = [make_stimulus("random-dots", frames=2, contrast=c).clip for c in (0.2, 0.4)]
    >>> matched = match_set(clips, statistic="mean")
    >>> len(matched.clips), max(matched.gaps) < 1e-6
    (2, True)
    """

    clips: tuple[Clip, ...]
    target: Level
    before: tuple[Level, ...]
    after: tuple[Level, ...]
    gaps: tuple[float, ...]
    clipped: tuple[float, ...]


class Matching(FrozenConfig):
    """Settings of `match_set`.

    Parameters
    ----------
    statistic : {'mean', 'rms', 'histogram'}, default 'rms'
        Statistic to match.
    luminance : {'linear', 'encoded'}, default 'linear'
        Luminance scale.
    per : {'clip', 'frame'}, default 'clip'
        Match over each clip as a whole or every frame on its own.

    Examples
    --------
    >>> Matching(per="frame").groups(np.zeros((3, 4, 5))).shape
    (3, 20)
    """

    statistic: Statistic = Field("rms", description="Statistic to match.")
    luminance: Scale = Field("linear", description="Luminance scale.")
    per: Literal["clip", "frame"] = Field(
        "clip", description="Match over each clip as a whole or every frame on its own."
    )

    def groups(self, luminance: Array) -> Array:
        """Group luminances by clip or frame.

        Parameters
        ----------
        luminance : ndarray
            Luminance of every pixel, (T, H, W).

        Returns
        -------
        ndarray
            (1, T * H * W) per clip, or (T, H * W) per frame.
        """
        return luminance.reshape(1 if self.per == "clip" else len(luminance), -1)

    def sentence(self, target: Level, files: Sequence[str]) -> str:
        """Describe how a clip of the set was made, for a Methods section.

        Parameters
        ----------
        target : Level
            Target luminance and contrast.
        files : sequence of str
            File names of the set.

        Returns
        -------
        str
            A clause that starts with a verb.
        """
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


_NONE = 1e-6  # mean or contrast too small to scale


@checked
def match_set(
    clips: Sequence[Footage],
    *,
    statistic: Statistic = "rms",
    luminance: Scale = "linear",
    per: Literal["clip", "frame"] = "clip",
) -> Matched:
    """Match luminance, contrast or luminance histogram across a set of clips.

    Every clip is brought to the average of the set. All clips have equal weight, whatever their
    size or order.

    Parameters
    ----------
    clips : sequence of Clip
        At least two clips. Sizes, lengths and frame rates may differ, except that histograms need
        equal numbers of pixels. Working memory is up to 48 bytes per pixel of each frame.
    statistic : {'mean', 'rms', 'histogram'}, default 'rms'
        Statistic to match. ``"mean"``: mean luminance, by scaling. ``"rms"``: mean luminance and
        RMS contrast, the standard deviation of luminance. ``"histogram"``: the luminance
        histogram; the target is the average of the sorted luminances of the clips.
    luminance : {'linear', 'encoded'}, default 'linear'
        Luminance scale. ``"linear"``: light, as a photometer measures it on an sRGB screen.
        ``"encoded"``: encoded values, for a gamma-corrected screen or for comparison with SHINE.
        Both use the Rec. 709 weights; 1 is white.
    per : {'clip', 'frame'}, default 'clip'
        ``"clip"``: match over all frames together, which keeps luminance changes over time.
        ``"frame"``: match every frame on its own.

    Returns
    -------
    Matched
        The matched clips, their luminance and contrast before and after, the target, the
        remaining difference from it and the proportion of clipped values.

    Raises
    ------
    RecipeError
        If `statistic`, `luminance` or `per` is not one of the listed values.
    FramesError
        If there are fewer than two clips, or a clip cannot be matched.

    Notes
    -----
    Each pixel is scaled by one factor for R, G and B, which keeps its colour. Values are then
    clipped to [0, 1]; `Matched.gaps` gives the remaining difference. Histograms are averaged as
    in the SHINE toolbox (Willenbockel et al. 2010, Behav. Res. Methods 42, 671).

    Examples
    --------
    >>> from stst.stimuli.kinds import make_stimulus
    >>> faint, strong = (make_stimulus("drifting-grating", contrast=c).clip for c in (0.2, 0.6))
    >>> matched = match_set([faint, strong], luminance="encoded")
    >>> [round(level.contrast, 3) for level in matched.before + matched.after]
    [0.071, 0.212, 0.141, 0.141]
    """
    settings = {"statistic": statistic, "luminance": luminance, "per": per}
    matching = validated(Matching, settings, "match")
    if len(clips) < 2:
        raise FramesError(f"a set needs at least 2 clips, got {len(clips)}.")
    natural = [luminances(clip, matching.luminance) for clip in clips]
    groups = [matching.groups(frames) for frames in natural]
    _refuse(natural, groups, matching)
    # Sorted before summation, so that rounding does not depend on the order of the clips.
    means = np.sort([measure(group, matching.statistic).mean(0) for group in groups], 0)
    target: Array = means.mean(0)
    parts = []
    for clip, frames, group in zip(clips, natural, groups, strict=True):
        matched = match_groups(frames, group, target, matching.statistic).reshape(frames.shape)
        parts.append(relit(clip, frames, matched, matching.luminance))
    relit_clips, clipped = zip(*parts, strict=True)
    after = [matching.groups(luminances(clip, matching.luminance)) for clip in relit_clips]
    return Matched(
        clips=relit_clips,
        target=_target_level(target, matching.statistic),
        before=tuple(map(_level, groups)),
        after=tuple(map(_level, after)),
        gaps=tuple(gap(group, target, matching.statistic) for group in after),
        clipped=clipped,
    )


def _level(groups: Array) -> Level:
    return Level(float(groups.mean()), float(groups.std(1).mean()))


def _target_level(target: Array, statistic: Statistic) -> Level:
    if statistic == "histogram":
        return _level(target[None])
    return Level(float(target[0]), float(target[1]) if statistic == "rms" else None)


def _refuse(natural: Sequence[Array], groups: Sequence[Array], matching: Matching) -> None:
    """Refuse clips without mean or contrast, and histograms of unequal numbers of pixels."""
    if matching.statistic == "histogram" and len({group.shape[1] for group in groups}) > 1:
        shapes = "; ".join("{} frames of {} x {} px".format(*frames.shape) for frames in natural)
        same = "size and length" if matching.per == "clip" else "size"
        raise FramesError(
            f"histograms can only be matched between clips of the same {same}, got {shapes} "
            "(height x width). Give all clips the size of the first with --fit crop, pad or "
            "stretch (in Python Clip.resize), or match another statistic."
        )
    for number, group in enumerate(groups, 1):
        size = group.mean(1) if matching.statistic == "mean" else group.std(1)
        if size.min() < _NONE:
            where = f"frame {int(size.argmin())} of clip {number}" * (matching.per == "frame")
            what = "is black and" if matching.statistic == "mean" else "has no contrast and"
            raise FramesError(
                f"{where or f'clip {number}'} of the set {what} cannot be matched. Leave it out."
            )
