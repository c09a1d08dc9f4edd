"""Natural clips against what was made of them: everything measured, compared and judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from stst.errors import FramesError
from stst.evaluate.claims import Claim, claims
from stst.evaluate.measures import MEASURES
from stst.evaluate.seen import Curve, Seen, seen
from stst.evaluate.statistics import Contrast, Summary, contrasted, summarised
from stst.evaluate.tables import Error, Value, measured, plain, values
from stst.stimuli.light import Scale
from stst.video.frames import Footage

NATURAL = "natural"  # the condition of the natural clip itself


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured, and what follows from it.

    Parameters
    ----------
    values : tuple of Value
        All measures of all clips, the natural ones among them.
    errors : tuple of Error
        How far each clip is from its natural one in each measure.
    """

    values: tuple[Value, ...]
    errors: tuple[Error, ...]

    @cached_property
    def summary(self) -> list[Summary]:
        """Mean error of each condition and measure, with a 95 % bootstrap interval."""
        return summarised(self.errors)

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """Differences between conditions, with the p of a permutation test."""
        return contrasted(self.errors)

    @cached_property
    def claims(self) -> list[Claim]:
        """What each condition has kept and lost, in words."""
        return claims(self.summary)

    @property
    def tables(self) -> dict[str, Sequence[NamedTuple]]:
        """All tables by name."""
        return {
            "values": self.values,
            "errors": self.errors,
            "summary": self.summary,
            "contrasts": self.contrasts,
            "claims": self.claims,
        }

    def plain(self) -> dict[str, Any]:
        """All tables as plain data, for JSON."""
        return {name: plain(rows) for name, rows in self.tables.items()}


def evaluate(
    natural: Footage,
    against: Mapping[str, Footage | Sequence[Footage]],
    *,
    stimulus: str = "clip",
    luminance: Scale = "linear",
) -> Evaluation:
    """Measure a natural clip and what was made of it, and say what was kept.

    Parameters
    ----------
    natural : Clip or Film
        At least 4 frames of 32 px a side; all luminances and flows are kept in memory (24
        bytes a pixel).
    against : mapping of str to Clip or Film, or to a sequence of such
        Name of a condition, such as ``"metamer"``, to its clip, or to one clip for each
        seed; of the length, size and frame rate of `natural`.
    stimulus : str
        Name of the natural clip in the tables.
    luminance : str
        ``"linear"`` light or ``"encoded"`` values, as in `match_set`. The optical flow is
        always that of encoded values.

    Returns
    -------
    Evaluation
        Several of them, of several natural clips, are put together by `joined`.

    Raises
    ------
    FramesError
        If there is nothing to compare, or clips differ in form or are too small.

    Examples
    --------
    >>> from stst.stimuli.kinds import make_control, make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> found = evaluate(clip, {"reversed": make_control(clip, "reversed").clip})
    >>> [claim.verdict for claim in found.claims if claim.measure in ("luminance", "flow")]
    ['kept', 'lost']
    """
    return joined(measuring(natural, against, stimulus=stimulus, luminance=luminance))


def measuring(
    natural: Footage,
    against: Mapping[str, Footage | Sequence[Footage]],
    *,
    stimulus: str = "clip",
    luminance: Scale = "linear",
) -> Iterator[Evaluation]:
    """Do what `evaluate` does, one clip after the other: the natural one, then each other."""
    clips = {
        name: list(made) if isinstance(made, Sequence) else [made] for name, made in against.items()
    }
    _check(natural, clips)
    reference = seen(natural, luminance)
    own = measured(reference, reference)
    yield Evaluation(tuple(values(stimulus, NATURAL, 0, own)), ())
    for name, made in clips.items():
        for seed, clip in enumerate(made):
            head = stimulus, name, seed
            found = measured(seen(clip, luminance), reference)
            yield Evaluation(
                tuple(values(*head, found)), tuple(_errors(head, own, found, reference))
            )


def joined(evaluations: Iterable[Evaluation]) -> Evaluation:
    """Put evaluations together, such as those of several natural clips.

    Means, intervals and tests are then over these clips.
    """
    parts = list(evaluations)
    return Evaluation(
        tuple(chain.from_iterable(part.values for part in parts)),
        tuple(chain.from_iterable(part.errors for part in parts)),
    )


def _errors(
    head: tuple[str, str, int], own: dict[str, Curve], found: dict[str, Curve], natural: Seen
) -> list[Error]:
    return [
        Error(*head, name, measure.gap(own[name].values, found[name].values, natural))
        for name, measure in MEASURES.items()
    ]


def _check(natural: Footage, clips: Mapping[str, Sequence[Footage]]) -> None:
    """Refuse clips that cannot be compared."""
    if not any(clips.values()) or NATURAL in clips:
        raise FramesError(
            f"compare with what? Give at least one clip, by another name than {NATURAL!r}."
        )
    wanted = (len(natural), natural.size, natural.frame_rate)
    for name, made in clips.items():
        for clip in made:
            if (len(clip), clip.size, clip.frame_rate) != wanted:
                raise FramesError(f"{name} {_form(clip)}, and the natural clip {_form(natural)}.")


def _form(clip: Footage) -> str:
    height, width = clip.size
    return f"has {len(clip)} frames of {width}x{height} px at {clip.frame_rate}/s"
