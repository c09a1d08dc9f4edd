"""Rows and verdicts on the arrangement: whether the object is gone, between floor and ceiling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stst.evaluate.arrangement import (
    DRIFT,
    DRIFT_BY_CHANCE,
    LAYOUT,
    LAYOUT_BY_CHANCE,
    SHAPE,
    SHAPE_BY_CHANCE,
    Arrangement,
    arrangement,
)
from stst.evaluate.claims import KEPT, LOST, UNTESTABLE, Claim
from stst.evaluate.deep.probing import Probes
from stst.evaluate.deep.rows import CEILING, FLOOR, NATURAL, TIME
from stst.evaluate.deep.shown import Fitted, Jittered
from stst.evaluate.statistics import mean_interval, units
from stst.video.frames import Footage

# Limit of means over films, what chance gives a single one, and what it is called.
LIMITS = {
    "shape": (SHAPE, SHAPE_BY_CHANCE, "at any place"),
    "layout": (LAYOUT, LAYOUT_BY_CHANCE, "at its place"),
    "drift": (DRIFT, DRIFT_BY_CHANCE, "growth at its place"),
}


class Place(NamedTuple):
    """How much of an arrangement is in a clip.

    ``reference`` is the clip whose arrangement it is: ``"natural"``, or ``"time"``, which a
    factorised clip has its motion from. ``part`` is ``"luminance"`` or ``"colour"``; ``axis`` is
    ``"frame"``, then ``at`` is its index, or ``"clip"``, of the second half of the frames.
    """

    stimulus: str
    condition: str
    seed: int
    reference: str
    part: str
    measure: str
    axis: str
    at: float | str
    value: float


def places_beside(stimulus: str, natural: Footage, probes: Probes) -> Iterator[Place]:
    """Ceiling and floor: a copy of the natural clip with noise, and unrelated clips."""
    yield from _rows((stimulus, CEILING, 0, NATURAL), arrangement(Jittered(natural, 0), natural))
    for index, clip in enumerate(probes.unrelated):
        found = arrangement(Fitted(clip, natural), natural)
        yield from _rows((stimulus, FLOOR, index, NATURAL), found)
    if probes.bias_to is not None:
        time = Fitted(probes.bias_to, natural)
        yield from _rows((stimulus, CEILING, 0, TIME), arrangement(Jittered(time, 0), time))


def places(
    head: tuple[str, str, int], clip: Footage, natural: Footage, probes: Probes
) -> Iterator[Place]:
    """The arrangement of the natural clip, or of both, in a clip (stimulus, condition, seed)."""
    yield from _rows((*head, NATURAL), arrangement(clip, natural))
    if probes.bias_to is not None:
        yield from _rows((*head, TIME), arrangement(clip, Fitted(probes.bias_to, natural)))


def place_claims(rows: Sequence[Place]) -> list[Claim]:
    """Whether the arrangement is kept (the object may be seen) or lost (it is gone).

    Lost: the mean is at most the limit, or that of unrelated clips where it is higher. Kept: the
    whole interval is above; of a single film, the value is above what chance gives. Not
    testable: between, or where the natural clip with some noise is not above what chance gives.
    At its place both the layout and its growth over frames are judged, and the worse one tells.
    """
    clips = [row for row in rows if row.axis == "clip"]
    made = [row for row in clips if row.condition not in (FLOOR, CEILING)]
    keys = dict.fromkeys((row.condition, row.reference, row.part) for row in made)
    return [
        Claim(condition, _name(measures[0], part, reference), *_worst(judged))
        for condition, reference, part in keys
        for measures in (("shape",), ("layout", "drift"))
        if (judged := [_judged(clips, condition, reference, part, measure) for measure in measures])
    ]


def _rows(head: tuple[str, str, int, str], found: Mapping[str, Arrangement]) -> Iterator[Place]:
    for part, one in found.items():
        for measure, values in (("shape", one.shape), ("layout", one.layout)):
            for index, value in enumerate(values):
                yield Place(*head, part, measure, "frame", float(index), float(value))
        for measure, value in one.means.items():
            yield Place(*head, part, measure, "clip", "", value)


def _name(measure: str, part: str, reference: str) -> str:
    of = "" if reference == NATURAL else ", of the clip of the motion"
    return f"arrangement {LIMITS[measure][2]} ({part}{of})"


def _judged(
    clips: Iterable[Place], condition: str, reference: str, part: str, measure: str
) -> tuple[str, str]:
    own = [r for r in clips if (r.part, r.measure, r.reference) == (part, measure, reference)]
    values = list(units(row for row in own if row.condition == condition).values())
    ceiling = _mean(row.value for row in own if row.condition == CEILING)
    floor = _mean(row.value for row in own if row.condition == FLOOR)
    limit, by_chance, _ = LIMITS[measure]
    if measure != "drift" and not ceiling > by_chance:
        return UNTESTABLE, (
            f"the natural clip with some noise has {measure} {ceiling:.2f}, and chance gives up to "
            f"{by_chance:g}: it is flat, or like its mirror images"
        )
    limit, by_chance = (max(most, floor) for most in (limit, by_chance))
    mean, low, high = mean_interval(values)
    one = len(values) < 2
    kept = mean > by_chance if one else low > limit
    verdict = LOST if mean <= limit else KEPT if kept else UNTESTABLE
    span = f"n = 1; chance gives up to {by_chance:.2g}" if one else (
        f"95 % interval {low:.2f} to {high:.2f}, n = {len(values)}"
    )  # fmt: skip
    return verdict, f"{measure} {mean:.2f} ({span}); at most {limit:.2g} is gone"


def _mean(values: Iterable[float]) -> float:
    """NaN-free mean; 0 of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else 0.0


def _worst(judged: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The verdict that most speaks for an object that is left, and all reasons."""
    verdicts = [verdict for verdict, _ in judged]
    worst = next(v for v in (KEPT, UNTESTABLE, LOST) if v in verdicts)
    return worst, "; ".join(why for _, why in judged)
