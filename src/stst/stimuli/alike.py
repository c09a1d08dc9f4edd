"""What clips of a set shall have in common, and what they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stst.recipe import Part, validated
from stst.stimuli.levels import Statistic
from stst.stimuli.light import Array, Scale
from stst.video.frames import Clip

_SCALES = {"linear": "linear light (sRGB decoded)", "encoded": "encoded values"}
_SPANS = {"clip": "the clip as a whole", "frame": "each frame"}


@dataclass(frozen=True)
class Level:
    """Luminance of a clip, 0 black and 1 white.

    Parameters
    ----------
    mean : float
        Over the clip.
    contrast : float
        RMS contrast: standard deviation over the clip; where frames are matched, over a
        frame, and then the mean over frames. None for a target without one.
    """

    mean: float
    contrast: float | None


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


class Matching(Part):
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
        return (
            f"has the luminance of {_SPANS[self.per]} brought to the average "
            f"{what[self.statistic]} of a set of {len(files)} clips ({', '.join(files)}), R, G and "
            f"B of a pixel scaled alike; luminance is of {_SCALES[self.luminance]}, with the "
            "weights of Rec. 709, and 1 is white"
        )


def matching(**settings: object) -> Matching:
    """Validate what `match_set` is told; RecipeError names what is wrong."""
    return validated(Matching, settings, "match")
