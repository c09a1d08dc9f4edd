"""From rows of similarity to curves over layers, between floor and ceiling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stst.evaluate.deep.means import CURVE, LAYER, grouped, mean_of
from stst.evaluate.deep.rows import CEILING, FLOOR, NATURAL, Likeness

EARLY, LATE = 0.25, 0.75  # relative depth: layers up to the one, and from the other on
LEAST_RANGE = 0.05  # from floor to ceiling: where there is less, nothing can be told
_PLACE = (*CURVE[1:], *LAYER)


class Profile(NamedTuple):
    """The similarity of a condition to its natural clips in a layer: as it is, and above the floor.

    ``above`` is (similarity - floor) / (ceiling - floor): 0 for an unrelated clip, 1 for the clip
    itself with some noise; NaN where floor and ceiling are less than 0.05 apart. ``over`` is what
    intervals are over, see `stst.evaluate.deep.means.Mean`.
    """

    condition: str
    network: str
    view: str
    measure: str
    layer: str
    depth: float
    floor: float
    ceiling: float
    over: str
    units: int
    mean: float
    low: float
    high: float
    above: float
    above_low: float
    above_high: float


class Trend(NamedTuple):
    """`Profile.above` over layers: mean of the early ones, of the late ones, slope over depth."""

    condition: str
    network: str
    view: str
    measure: str
    part: str
    over: str
    units: int
    mean: float
    low: float
    high: float


def profiles(rows: Iterable[Likeness]) -> list[Profile]:
    """Curves over layers of each condition, floor and ceiling beside."""
    rows = [row for row in rows if row.reference == NATURAL]
    shares, beside = grouped(above(rows), *CURVE, *LAYER), _ends(rows, *_PLACE)
    return [
        Profile._make((*key, *beside[key[1:]], *mean_of(found), *mean_of(shares[key])[2:]))
        for key, found in grouped(_made(rows), *CURVE, *LAYER).items()
    ]


def trends(rows: Iterable[Likeness]) -> list[Trend]:
    """Early and late means and the slope of each curve over layers."""
    return [
        Trend._make((*key, part, *mean_of(_over_layers(found, reduce))))
        for key, found in grouped(above(rows), *CURVE).items()
        for part, reduce in _PARTS.items()
    ]


def above(rows: Iterable[Likeness]) -> list[Likeness]:
    """Similarity to the natural clip as a share of the way from floor to ceiling."""
    rows = [row for row in rows if row.reference == NATURAL]
    beside = _ends(rows, "stimulus", *_PLACE)

    def share(row: Likeness) -> float:
        floor, ceiling = beside[row.stimulus, *(getattr(row, name) for name in _PLACE)]
        width = ceiling - floor
        return (row.value - floor) / width if width >= LEAST_RANGE else math.nan

    return [row._replace(value=share(row)) for row in _made(rows)]


def _made(rows: Iterable[Likeness]) -> list[Likeness]:
    return [row for row in rows if row.condition not in (NATURAL, FLOOR, CEILING)]


def _ends(rows: Sequence[Likeness], *names: str) -> dict[tuple[object, ...], tuple[float, float]]:
    """Floor and ceiling, NaN where there is none, by the values of these columns."""
    clips = grouped((row for row in rows if row.axis == "clip"), *names)
    return {key: (_level(found, FLOOR), _level(found, CEILING)) for key, found in clips.items()}


def _level(rows: Sequence[Likeness], condition: str) -> float:
    values = [row.value for row in rows if row.condition == condition]
    return float(np.mean(values)) if values else math.nan


Reduce = Callable[[Sequence[float], Sequence[float]], float]  # depths, values


def _over_layers(rows: Iterable[Likeness], reduce: Reduce) -> list[Likeness]:
    """One row for each clip and frame, in place of one for each layer."""
    found = grouped(rows, "stimulus", "seed", "axis", "at").values()
    return [
        layers[0]._replace(value=reduce([r.depth for r in layers], [r.value for r in layers]))
        for layers in found
    ]


def _between(low: float, high: float) -> Reduce:
    def mean(depths: Sequence[float], values: Sequence[float]) -> float:
        inside = [v for d, v in zip(depths, values, strict=True) if low <= d <= high and v == v]
        return float(np.mean(inside)) if inside else math.nan

    return mean


def _slope(depths: Sequence[float], values: Sequence[float]) -> float:
    """Of a straight line, a whole network deep."""
    told = np.isfinite(values)
    if told.sum() < 2:
        return math.nan
    return float(np.polyfit(np.asarray(depths)[told], np.asarray(values)[told], 1)[0])


_PARTS: dict[str, Reduce] = {
    "early": _between(0, EARLY),
    "late": _between(LATE, 1),
    "slope": _slope,
}
