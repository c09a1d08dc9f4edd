"""Clips of a set made alike in luminance: in its mean, its contrast or its histogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from stst.errors import FramesError
from stst.stimuli.alike import Level, Matched, Matching, matching
from stst.stimuli.levels import Statistic, average, gap, measured, moved
from stst.stimuli.light import Array, Scale, luminances, relit
from stst.video.frames import Footage

_NONE = 1e-6  # mean or contrast that is too little to be scaled


def match_set(
    clips: Sequence[Footage],
    *,
    statistic: Statistic = "rms",
    luminance: Scale = "linear",
    per: Literal["clip", "frame"] = "clip",
) -> Matched:
    """Bring the clips of a set to the average luminance, contrast or histogram of the set.

    Every clip counts the same, whatever its size, and their order does not matter. A pixel
    gets its new luminance by one factor for R, G and B, so that its colour stays. A value
    that does not fit into [0, 1] is clipped, after which a clip misses the target by what
    `Matched.gaps` says; another statistic or scale may clip less.

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
        ``"linear"``: of light, as a photometer measures it on a screen that shows sRGB;
        what most screens do. ``"encoded"``: the weighted sum of encoded values; for a
        screen whose gamma is undone, and to compare with SHINE. Both have the weights of
        Rec. 709, and 1 is white.
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
        If there are fewer than two clips; if numbers of pixels differ and histograms are to
        match; if a clip or frame is black, or even where its contrast is to match.

    Examples
    --------
    >>> from stst.stimuli.kinds import make_stimulus
    >>> faint, strong = (make_stimulus("drifting-grating", contrast=c).clip for c in (0.2, 0.6))
    >>> matched = match_set([faint, strong], luminance="encoded")
    >>> [round(level.contrast, 3) for level in matched.before + matched.after]
    [0.071, 0.212, 0.141, 0.141]
    """
    how = matching(statistic=statistic, luminance=luminance, per=per)
    if len(clips) < 2:
        raise FramesError(f"a set has at least 2 clips, got {len(clips)}.")
    natural = [luminances(clip, how.luminance) for clip in clips]
    groups = [how.groups(one) for one in natural]
    _refuse(natural, groups, how)
    target = average([measured(one, how.statistic) for one in groups])
    made = []
    for clip, old, same in zip(clips, natural, groups, strict=True):
        new = moved(old, same, target, how.statistic).reshape(old.shape)
        made.append(relit(clip, old, new, how.luminance))
    after = [how.groups(luminances(clip, how.luminance)) for clip, _ in made]
    return Matched(
        clips=tuple(clip for clip, _ in made),
        target=_wanted(target, how.statistic),
        before=tuple(map(_level, groups)),
        after=tuple(map(_level, after)),
        gaps=tuple(gap(one, target, how.statistic) for one in after),
        clipped=tuple(clipped for _, clipped in made),
    )


def _level(groups: Array) -> Level:
    return Level(float(groups.mean()), float(groups.std(1).mean()))


def _wanted(target: Array, statistic: Statistic) -> Level:
    """The target as a level."""
    if statistic == "histogram":
        return Level(float(target.mean()), float(target.std()))
    return Level(float(target[0]), float(target[1]) if statistic == "rms" else None)


def _refuse(natural: Sequence[Array], groups: Sequence[Array], how: Matching) -> None:
    """Refuse what has no such statistic, or none that could be shared."""
    if how.statistic == "histogram" and len({one.shape[1] for one in groups}) > 1:
        shapes = "; ".join("{} frames of {} x {} px".format(*one.shape) for one in natural)
        same = "size and length" if how.per == "clip" else "size"
        raise FramesError(
            f"histograms can only match between clips of one {same}, got {shapes} (height x "
            "width). Cut or resize them, or match another statistic."
        )
    for number, one in enumerate(groups, 1):
        size = one.mean(1) if how.statistic == "mean" else one.std(1)
        if size.min() < _NONE:
            where = f"frame {int(size.argmin())} of clip {number}" * (how.per == "frame")
            what = "is black and" if how.statistic == "mean" else "has no contrast and"
            raise FramesError(
                f"{where or f'clip {number}'} of the set {what} cannot be matched. Leave it out."
            )
