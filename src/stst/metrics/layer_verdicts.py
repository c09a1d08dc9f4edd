"""What networks say of a condition, in words."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from stst.metrics.layer_trends import (
    CEILING,
    CURVE,
    FLOOR,
    LAYER,
    LEAST_RANGE,
    NATURAL,
    TIME,
    Label,
    Likeness,
    Trend,
    grouped,
    mean_of,
)
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE, Claim

HALF = 0.5  # of the way from floor to ceiling: similarity above it is called kept; our choice
JUDGED = "pearson"  # the measure that verdicts are of
TOP = "top-1 class"


def similarity_claims(trends: Iterable[Trend]) -> Iterator[Claim]:
    """Kept or lost: the similarity of early and of late layers.

    Judged by the Pearson correlation, of units and of channel means. Kept: at least half of
    the way from floor to ceiling, with the whole interval. Lost: below, with the whole interval.

    Examples
    --------
    >>> late = Trend("metamer", "toy", "places", "pearson", "late", "seeds", 3, 0.1, 0.05, 0.2)
    >>> [(claim.measure, claim.verdict) for claim in similarity_claims([late])]
    [('late similarity of places (toy)', 'lost')]
    """
    for one in trends:
        if one.measure == JUDGED and one.part in ("early", "late"):
            name = f"{one.part} similarity of {one.view} ({one.network})"
            yield Claim(one.condition, name, *_judged(one))


def _judged(one: Trend) -> tuple[str, str]:
    if math.isnan(one.mean):
        return UNTESTABLE, (
            f"no unrelated clip was given, or floor and ceiling are less than {LEAST_RANGE:g} apart"
        )
    low, high = (one.low, one.high) if one.over else (one.mean, one.mean)
    verdict = KEPT if low >= HALF else LOST if high < HALF else UNTESTABLE
    span = f"95 % interval {one.low:.2f} to {one.high:.2f} over {one.units} {one.over}"
    doubt = ", which the interval holds" if verdict == UNTESTABLE else ""
    return verdict, (
        f"{one.mean:.2f} of the way from floor to ceiling ({span if one.over else 'no interval'}); "
        f"at least {HALF:g} is kept{doubt}"
    )


def label_claims(labels: Iterable[Label]) -> Iterator[Claim]:
    """Kept or lost: the class that a network takes the natural clip for.

    Not testable where noise alone changes that class, or where some clips keep it and some
    lose it.
    """
    rows = list(labels)
    own = {(r.stimulus, r.network): r for r in rows if r.condition == NATURAL}
    upset = {
        (r.stimulus, r.network)
        for r in rows
        if r.condition == CEILING and r.label != own[r.stimulus, r.network].label
    }
    made = defaultdict[tuple[str, str], list[Label]](list)
    for row in rows:
        if row.condition not in (NATURAL, CEILING, FLOOR):
            made[row.condition, row.network].append(row)
    for (condition, network), found in made.items():
        steady = [row for row in found if (row.stimulus, network) not in upset]
        pairs = [(own[row.stimulus, network], row) for row in steady]
        yield Claim(condition, f"{TOP} ({network})", *_told(pairs, len(found) - len(pairs)))


def _told(pairs: list[tuple[Label, Label]], left_out: int) -> tuple[str, str]:
    if not pairs:
        return UNTESTABLE, "the natural clip with some noise is taken for another class"
    kept = sum(natural.label == made.label for natural, made in pairs)
    verdict = KEPT if kept == len(pairs) else LOST if kept == 0 else UNTESTABLE
    natural, made = pairs[0]
    share = f"the same in {kept} of {len(pairs)} clips{_left_out(left_out)}"
    return verdict, (
        f"{share}; in the first, {natural.label} (probability {natural.probability:.2f}) is "
        f"{made.label} ({made.probability:.2f}), and the natural's class has {made.natural:.3f}"
    )


def _left_out(count: int) -> str:
    return f" ({count} left out, of which noise changes the class)" if count else ""


class Bias(NamedTuple):
    """Similarity to the natural clip less that to the clip that the motion is of.

    ``limit`` is what the natural clip itself has; -``limit`` is what the other has. ``over`` as in
    `stst.metrics.layer_trends.Mean`.
    """

    condition: str
    network: str
    view: str
    measure: str
    layer: str
    depth: float
    limit: float
    over: str
    units: int
    mean: float
    low: float
    high: float


def biases(rows: Iterable[Likeness]) -> list[Bias]:
    """Bias of each condition in each layer; none where no second clip was given.

    Examples
    --------
    >>> def row(condition, to, value):
    ...     place = "toy", "places", "cosine", "layer", 0.0
    ...     return Likeness("a", condition, 0, *place, to, "clip", "", value)
    >>> rows = [row("natural", "time", 0.25), row("g", "natural", 0.75), row("g", "time", 0.5)]
    >>> [(bias.mean, bias.limit) for bias in biases(rows)]
    [(0.25, 0.75)]
    """
    rows = list(rows)
    limits = {
        key: 1 - mean_of(found).mean
        for key, found in grouped(
            (row for row in rows if (row.condition, row.reference) == (NATURAL, TIME)),
            *CURVE[1:], *LAYER,
        ).items()
    }  # fmt: skip
    return [
        Bias._make((*key, limits[key[1:]], *mean_of(found)))
        for key, found in grouped(_differences(rows), *CURVE, *LAYER).items()
    ]


def _differences(rows: Iterable[Likeness]) -> list[Likeness]:
    to_time = {_twin(row): row.value for row in rows if row.reference == TIME}
    return [
        row._replace(value=row.value - to_time[_twin(row)])
        for row in rows
        if row.reference == NATURAL and _twin(row) in to_time
    ]


def _twin(row: Likeness) -> Likeness:
    """What the rows of one similarity to either clip have in common."""
    return row._replace(reference="", value=0.0)
