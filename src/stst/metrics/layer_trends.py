"""From rows of similarity to curves over layers, between floor and ceiling."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stst.metrics.statistics import mean_interval, units

NATURAL, TIME = "natural", "time"
FLOOR, CEILING = "unrelated", "jittered"  # conditions, of clips that nothing was made for
LAYER_MEASURES = {
    "cosine": "cosine",
    "pearson": "Pearson correlation",
    "cka": "linear CKA over frames",
    "rsa": "RSA over frames",
}
VIEWS = {"places": "each channel at each place", "channels": "channel means over places"}


class Likeness(NamedTuple):
    """How alike a clip is to another to a layer.

    ``depth`` is the layer's among those looked at, 0 for the first and 1 for the last; ``view``
    ``"places"`` (units) or ``"channels"`` (their means over places). ``reference`` is what it is
    compared with: ``"natural"``, or ``"time"``, which a factorised clip has its motion from.
    ``axis`` is ``"frame"``, then ``at`` is its index (of the first one of a window), or
    ``"clip"``.
    """

    stimulus: str
    condition: str
    seed: int
    network: str
    view: str
    measure: str
    layer: str
    depth: float
    reference: str
    axis: str
    at: float | str
    value: float


class Label(NamedTuple):
    """What a network takes a clip for: the class of the highest mean probability over frames.

    ``natural`` is the mean probability of the class that the natural clip is taken for, and
    ``share`` the share of frames that are taken for it.
    """

    stimulus: str
    condition: str
    seed: int
    network: str
    label: str
    probability: float
    natural: float
    share: float


CURVE = ("condition", "network", "view", "measure")  # what one line over layers is of
LAYER = ("layer", "depth")

Groups = dict[tuple[Any, ...], list[Likeness]]


class Mean(NamedTuple):
    """A mean and its 95 % bootstrap interval over clips, seeds or frames.

    Frames are those of a single clip with one seed. They are not independent: such an interval
    tells how even the clip is over time, and nothing of other clips.
    """

    over: str
    units: int
    mean: float
    low: float
    high: float


def grouped(rows: Iterable[Likeness], *names: str) -> Groups:
    """Rows by their values in these columns."""
    found: Groups = defaultdict(list)
    for row in rows:
        found[tuple(getattr(row, name) for name in names)].append(row)
    return dict(found)


def mean_of(rows: Sequence[Likeness]) -> Mean:
    """Mean over clips, or over the seeds of a single clip, or over the frames of a single seed.

    Examples
    --------
    >>> place = ("toy", "places", "cosine", "layer", 0.0, "natural")
    >>> rows = [Likeness("a", "metamer", seed, *place, "clip", "", 0.25) for seed in (0, 1)]
    >>> mean_of(rows)
    Mean(over='seeds', units=2, mean=0.25, low=0.25, high=0.25)
    """
    found = units(row for row in rows if row.axis == "clip")
    values, over = list(found.values()), "clips" if len({r.stimulus for r in rows}) > 1 else "seeds"
    if len(values) != 1:
        return Mean(over, len(values), *mean_interval(values))
    frames = [row.value for row in rows if row.axis == "frame" and math.isfinite(row.value)]
    if len(frames) < 2:
        return Mean("", 1, values[0], math.nan, math.nan)
    return Mean("frames", len(frames), values[0], *mean_interval(frames)[1:])


EARLY, LATE = 0.25, 0.75  # relative depth: layers up to the one, and from the other on
LEAST_RANGE = 0.05  # from floor to ceiling: where there is less, nothing can be told
_PLACE = (*CURVE[1:], *LAYER)


class Profile(NamedTuple):
    """The similarity of a condition to its natural clips in a layer: as it is, and above the floor.

    ``above`` is (similarity - floor) / (ceiling - floor): 0 for an unrelated clip, 1 for the clip
    itself with some noise; NaN where floor and ceiling are less than 0.05 apart. ``over`` is what
    intervals are over, see `stst.metrics.layer_trends.Mean`.
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
